"""Subkeys and envelopes."""

import hmac

import pytest

from core.barrier.envelope import WrongKey, derive, unwrap, wrap
from tests.core.barrier.helpers import SeededEntropy

KEY = bytes(range(32))


@pytest.mark.parametrize("salt", [b"", b"some salt"])
def test_derive_is_hkdf_with_a_prefixed_label(salt: bytes) -> None:
    """RFC 5869, sections 2.2 and 2.3, for one block of output."""
    pseudorandom_key = hmac.digest(salt or bytes(32), KEY, "sha256")
    expected = hmac.digest(pseudorandom_key, b"holdfast/1/label\x01", "sha256")

    assert derive(KEY, "label", salt) == expected


def test_unwrap_gives_back_what_was_wrapped() -> None:
    sealed = wrap(KEY, "label", b"text", SeededEntropy(), salt=b"s", context=b"c")

    assert unwrap(KEY, "label", sealed, salt=b"s", context=b"c") == b"text"
    assert sealed[0] == 1


def test_wrap_never_gives_the_same_twice() -> None:
    entropy = SeededEntropy()

    assert wrap(KEY, "label", b"text", entropy) != wrap(KEY, "label", b"text", entropy)


@pytest.mark.parametrize(
    ("key", "label", "salt", "context"),
    [
        (bytes(32), "label", b"s", b"c"),
        (KEY, "other", b"s", b"c"),
        (KEY, "label", b"t", b"c"),
        (KEY, "label", b"s", b"d"),
    ],
)
def test_envelope_opens_only_as_what_it_is(
    key: bytes, label: str, salt: bytes, context: bytes
) -> None:
    sealed = wrap(KEY, "label", b"text", SeededEntropy(), salt=b"s", context=b"c")

    with pytest.raises(WrongKey):
        unwrap(key, label, sealed, salt=salt, context=context)


def test_no_byte_of_an_envelope_can_change_or_be_missing() -> None:
    sealed = wrap(KEY, "label", b"text", SeededEntropy())
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 0x80
        for damaged in (bytes(changed), sealed[:place]):
            with pytest.raises(WrongKey):
                unwrap(KEY, "label", damaged)
