"""Sealed names: the construction, paths, limits and the cache."""

from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

import core.barrier.names
from core.barrier.keyring import Keyrings
from core.barrier.names import PATH_KEY_MAX, SEGMENT_MAX, Names, PathTooLong
from core.barrier.record import RecordDamaged
from core.check import InvariantBroken
from core.store.keys import (
    KEY_MAX,
    SCOPE_CLUSTER,
    SCOPE_NODE,
    SCOPE_SHARED,
    SEALED_MIN,
    numbered,
)
from tests.core.barrier.helpers import WALL_NS, SeededEntropy, examples

KEYRINGS = Keyrings.create(SeededEntropy(), WALL_NS)
SEGMENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), max_size=9)


class CountingCipher:
    """An AES-SIV that counts what it seals."""

    def __init__(self, cipher: AESSIV) -> None:
        self._cipher = cipher
        self.sealed = 0

    def encrypt(self, data: bytes, associated_data: list[bytes]) -> bytes:
        """Seal, and count it."""
        self.sealed += 1
        return self._cipher.encrypt(data, associated_data)


def make() -> Names:
    return Names(KEYRINGS)


def count_seals(names: Names) -> CountingCipher:
    counting = CountingCipher(names._ciphers[SCOPE_SHARED[0]])
    cast("dict[int, Any]", names._ciphers)[SCOPE_SHARED[0]] = counting
    return counting


def aes_siv(key: bytes, associated_data: bytes, plaintext: bytes) -> bytes:
    """Seal as RFC 5297, section 2.6, says, with one string of associated data."""
    mac_key, stream_key = key[: len(key) // 2], key[len(key) // 2 :]

    def cmac(data: bytes) -> int:
        mac = CMAC(AES(mac_key))
        mac.update(data)
        return int.from_bytes(mac.finalize(), "big")

    def double(block: int) -> int:
        shifted = block << 1
        return shifted ^ (1 << 128 | 0x87) if shifted >> 128 else shifted

    block = double(cmac(bytes(16))) ^ cmac(associated_data)
    if len(plaintext) >= 16:
        end = int.from_bytes(plaintext[-16:], "big") ^ block
        last = plaintext[:-16] + end.to_bytes(16, "big")
    else:
        padded = (plaintext + b"\x80").ljust(16, b"\x00")
        last = (double(block) ^ int.from_bytes(padded, "big")).to_bytes(16, "big")
    vector = cmac(last)
    start = vector & ~(1 << 31) & ~(1 << 63)
    stream = Cipher(AES(stream_key), CTR(start.to_bytes(16, "big"))).encryptor()
    return vector.to_bytes(16, "big") + stream.update(plaintext)


def test_reference_gives_the_published_vector() -> None:
    """RFC 5297, appendix A.1."""
    actual = aes_siv(
        bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627"),
        bytes.fromhex("112233445566778899aabbccddee"),
    )

    assert actual == bytes.fromhex("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c")


@pytest.mark.parametrize("segment", ["a", "fifteen letters", "sixteen letters!", "ä" * 100])
def test_segment_is_aes_siv_bound_to_its_parent(segment: str) -> None:
    for scope, keyring in KEYRINGS.by_scope().items():
        parent = scope + b"parent"
        expected = aes_siv(keyring.name_key, parent, segment.encode())

        assert make().seal_segment(parent, segment) == bytes([len(expected)]) + expected


@given(segment=SEGMENTS)
@examples(60)
def test_open_gives_back_the_segment(segment: str) -> None:
    names = make()
    sealed = names.seal_segment(SCOPE_SHARED, segment)

    assert names.open_segment(SCOPE_SHARED, sealed) == segment
    assert sealed[0] == len(sealed) - 1
    assert sealed[0] >= SEALED_MIN


def test_segment_opens_below_its_parent_only() -> None:
    names = make()
    sealed = names.seal_segment(SCOPE_SHARED, "a")
    for parent in (SCOPE_CLUSTER, SCOPE_SHARED + b"x"):
        with pytest.raises(RecordDamaged, match="name does not open"):
            names.open_segment(parent, sealed)


def test_damaged_segment_does_not_open() -> None:
    names = make()
    sealed = names.seal_segment(SCOPE_SHARED, "abc")
    for damaged in (b"", sealed[:1], sealed[:9], sealed[:-1], sealed + b"\x00"):
        with pytest.raises(RecordDamaged):
            names.open_segment(SCOPE_SHARED, damaged)


def test_bytes_that_are_no_name_do_not_open() -> None:
    ciphertext = AESSIV(KEYRINGS.shared.name_key).encrypt(b"\xfe", [SCOPE_SHARED])

    with pytest.raises(RecordDamaged):
        make().open_segment(SCOPE_SHARED, bytes([len(ciphertext)]) + ciphertext)


@given(segments=st.lists(SEGMENTS, min_size=1, max_size=6), data=st.data())
@examples(60)
def test_path_seals_each_segment_below_the_one_before(
    segments: list[str], data: st.DataObject
) -> None:
    names = make()
    expected = SCOPE_SHARED
    for segment in segments:
        expected += names.seal_segment(expected, segment)
    path = "/".join(segments)

    assert names.path(SCOPE_SHARED, path) == expected
    assert names.path(SCOPE_SHARED, path) == expected
    assert make().path(SCOPE_SHARED, path) == expected
    cut = data.draw(st.integers(1, len(segments)))
    middle = names.path(SCOPE_SHARED, "/".join(segments[:cut]))
    if cut < len(segments):
        assert names.path(middle, "/".join(segments[cut:])) == expected


def test_paths_with_other_empty_segments_are_other_paths() -> None:
    names = make()
    paths = ["", "/", "a", "a/", "/a", "a//b", "a/b", "a/b/", "\xff"]

    assert len({names.path(SCOPE_SHARED, path) for path in paths}) == len(paths)


def test_same_name_elsewhere_looks_different() -> None:
    names = make()
    first = names.path(SCOPE_SHARED, "a/secret")
    second = names.path(SCOPE_SHARED, "b/secret")

    assert first[-22:] != second[-22:]
    assert names.path(SCOPE_CLUSTER, "a/secret")[1:] != first[1:]


def test_longest_segment_fits_and_one_byte_more_does_not() -> None:
    names = make()

    assert len(names.path(SCOPE_SHARED, "ä" * (SEGMENT_MAX // 2) + "a")) == 257
    with pytest.raises(PathTooLong, match="segment"):
        names.path(SCOPE_SHARED, "ä" * (SEGMENT_MAX // 2 + 1))


def test_longest_path_leaves_room_for_a_number_and_one_byte_more_does_not_fit() -> None:
    names = make()
    half = "a" * (PATH_KEY_MAX // 2 - 17)
    rest = "b" * (PATH_KEY_MAX - 1 - 17 - len(half) - 17)

    longest = names.path(SCOPE_SHARED, f"{half}/{rest}")

    assert len(numbered(longest, 1)) == KEY_MAX
    with pytest.raises(PathTooLong, match="key of the path"):
        names.path(SCOPE_SHARED, f"{half}/{rest}b")


def test_endless_path_is_refused_before_any_work() -> None:
    names = make()
    counting = count_seals(names)

    with pytest.raises(PathTooLong, match="the path is longer"):
        names.path(SCOPE_SHARED, "a/" * 1_000_000)
    assert counting.sealed == 0


def test_lone_surrogate_is_no_name() -> None:
    with pytest.raises(UnicodeEncodeError):
        make().path(SCOPE_SHARED, "\ud800")


def test_nothing_is_sealed_in_the_scope_of_a_node() -> None:
    with pytest.raises(InvariantBroken, match="scope 0"):
        make().path(SCOPE_NODE, "a")


def test_new_leaf_below_a_known_directory_seals_once() -> None:
    names = make()
    counting = count_seals(names)

    names.path(SCOPE_SHARED, "a/b/c")
    assert counting.sealed == 3
    names.path(SCOPE_SHARED, "a/b/d")
    assert counting.sealed == 4
    names.path(SCOPE_SHARED, "a/b/d")
    names.path(SCOPE_SHARED, "a")
    assert counting.sealed == 4


def test_cache_is_bounded_and_keeps_what_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.barrier.names, "_GENERATION_MAX", 4)
    names = make()
    counting = count_seals(names)
    names.path(SCOPE_SHARED, "kept")
    for turn in range(40):
        names.path(SCOPE_SHARED, f"passing {turn}")
        if turn % 3 == 0:
            names.path(SCOPE_SHARED, "kept")

        assert len(names._newer) <= 4
        assert len(names._older) <= 4
    assert counting.sealed == 41
    names.path(SCOPE_SHARED, "passing 0")
    assert counting.sealed == 42
