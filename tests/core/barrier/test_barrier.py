"""The barrier: scopes, rotation, counting and what stays in the cache."""

import pytest

from core.barrier.barrier import Barrier
from core.barrier.keyring import Keyrings
from core.barrier.record import OVERHEAD, RecordDamaged
from core.check import InvariantBroken
from core.store.keys import SCOPE_CLUSTER, SCOPE_NODE, SCOPE_SHARED
from tests.core.barrier.helpers import WALL_NS, SeededEntropy, make_barrier

KEYS = (SCOPE_CLUSTER + b"key", SCOPE_SHARED + b"key")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("plaintext", [b"", b"value", bytes(100_000)])
def test_open_gives_back_what_was_sealed(key: bytes, plaintext: bytes) -> None:
    barrier = make_barrier()

    sealed = barrier.seal(key, plaintext)

    assert barrier.open(key, sealed) == plaintext
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert sealed[:5] == b"\x01\x00\x00\x00\x01"


def test_each_seal_takes_a_fresh_nonce() -> None:
    barrier = make_barrier()

    nonces = {barrier.seal(KEYS[0], b"value")[5:17] for _ in range(100)}

    assert len(nonces) == 100


def test_scopes_do_not_share_keys() -> None:
    """Who holds the shared keyring alone opens nothing of the cluster."""
    barrier = make_barrier()
    mine = barrier.keyrings
    theirs = Barrier(
        Keyrings(Keyrings.create(SeededEntropy(5), WALL_NS).cluster, mine.shared),
        SeededEntropy(6),
    )

    assert theirs.open(KEYS[1], barrier.seal(KEYS[1], b"value")) == b"value"
    with pytest.raises(RecordDamaged, match="does not open"):
        theirs.open(KEYS[0], barrier.seal(KEYS[0], b"value"))


def test_rotation_seals_with_the_new_term_and_opens_the_old_ones() -> None:
    barrier = make_barrier()
    before = [barrier.seal(key, b"old") for key in KEYS]

    barrier.replace_keyrings(barrier.keyrings.rotated(SeededEntropy(2), WALL_NS))
    after = [barrier.seal(key, b"new") for key in KEYS]

    assert [sealed[:5] for sealed in after] == [b"\x01\x00\x00\x00\x02"] * 2
    for key, old, new in zip(KEYS, before, after, strict=True):
        assert (barrier.open(key, old), barrier.open(key, new)) == (b"old", b"new")


def test_unknown_version_or_term_is_told_apart_from_damage() -> None:
    barrier = make_barrier()
    sealed = barrier.seal(KEYS[0], b"value")
    for strange in (b"\x02" + sealed[1:], b"\x01\x00\x00\x00\x09" + sealed[5:], b""):
        with pytest.raises(RecordDamaged, match="version or term"):
            barrier.open(KEYS[0], strange)


def test_nothing_is_sealed_in_the_scope_of_a_node() -> None:
    barrier = make_barrier()

    with pytest.raises(InvariantBroken, match="scope 0"):
        barrier.seal(SCOPE_NODE + b"key", b"value")
    with pytest.raises(RecordDamaged):
        barrier.open(SCOPE_NODE + b"key", barrier.seal(KEYS[0], b"value"))


def test_encryptions_are_counted_until_taken() -> None:
    barrier = make_barrier()
    for key in (KEYS[0], KEYS[1], KEYS[1]):
        barrier.open(key, barrier.seal(key, b"value"))

    assert (barrier.take_encryptions(), barrier.take_encryptions()) == (3, 0)


def test_rotation_keeps_names_and_the_key_of_tokens() -> None:
    barrier = make_barrier()
    names, token_key = barrier.names, barrier.token_key

    barrier.replace_keyrings(barrier.keyrings.rotated(SeededEntropy(2), WALL_NS))

    assert barrier.names is names
    assert barrier.token_key == token_key == barrier.keyrings.token_key


def test_other_keyrings_bring_other_names() -> None:
    """As on a secondary that takes over the shared keyring of its primary."""
    barrier = make_barrier()
    other = Keyrings.create(SeededEntropy(2), WALL_NS)
    mine = barrier.names.path(SCOPE_SHARED, "a")

    barrier.replace_keyrings(Keyrings(barrier.keyrings.cluster, other.shared))

    expected = Barrier(other, SeededEntropy()).names.path(SCOPE_SHARED, "a")
    assert barrier.names.path(SCOPE_SHARED, "a") == expected
    assert expected != mine
