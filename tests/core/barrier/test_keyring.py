"""Keyrings: creation, rotation, encoding and subkeys."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.barrier.envelope import derive
from core.barrier.keyring import TERMS_MAX, Keyring, Keyrings, Term, TermsExhausted
from core.barrier.record import RecordDamaged
from core.store.keys import SCOPE_CLUSTER, SCOPE_NODE, SCOPE_SHARED, VALUE_MAX
from tests.core.barrier.helpers import WALL_NS, SeededEntropy, examples


def make(seed: int = 0) -> Keyrings:
    return Keyrings.create(SeededEntropy(seed), WALL_NS)


def test_each_fresh_key_is_a_key_of_its_own() -> None:
    keyrings = make()
    keys = [
        key
        for keyring in (keyrings.cluster, keyrings.shared)
        for key in (
            keyring.name_key[:32],
            keyring.name_key[32:],
            keyring.derivation_key,
            keyring.active.key,
        )
    ]

    assert [len(key) for key in keys] == [32] * 8
    assert len(set(keys)) == 8
    assert keyrings.cluster.active.number == 1
    assert keyrings.cluster.active.installed_ns == WALL_NS


def test_rotation_adds_a_term_and_keeps_all_else() -> None:
    before = make()

    after = before.rotated(SeededEntropy(9), WALL_NS + 5)

    for old, new in ((before.cluster, after.cluster), (before.shared, after.shared)):
        assert new.terms[:-1] == old.terms
        assert (new.active.number, new.active.installed_ns) == (2, WALL_NS + 5)
        assert new.active.key != old.active.key
        assert (new.name_key, new.derivation_key) == (old.name_key, old.derivation_key)
    assert after.cluster.active.key != after.shared.active.key


def test_rotation_ends_at_the_last_term_and_that_keyring_still_fits_into_a_value() -> None:
    first = make().cluster
    term = first.active
    terms = tuple(Term(number, term.key, 2**63 - 1) for number in range(1, TERMS_MAX + 1))
    full = Keyring(first.name_key, first.derivation_key, terms)
    keyrings = Keyrings(full, full)

    with pytest.raises(TermsExhausted, match=str(TERMS_MAX)):
        keyrings.rotated(SeededEntropy(), WALL_NS)
    assert len(keyrings.encode()) < VALUE_MAX // 2
    assert Keyrings.decode(keyrings.encode()) == keyrings


@given(seed=st.integers(0, 2**32), rotations=st.integers(0, 4))
@examples(20)
def test_decode_gives_back_what_was_encoded(seed: int, rotations: int) -> None:
    keyrings = make(seed)
    for _ in range(rotations):
        keyrings = keyrings.rotated(SeededEntropy(seed), WALL_NS)

    assert Keyrings.decode(keyrings.encode()) == keyrings
    assert keyrings.encode()[0] == 1


@given(st.binary(max_size=80))
@example(b"")
@example(b"\x02" + make().encode()[1:])
@example(make().encode() + b"\x00")
@example(make().encode()[:-1])
@examples(100)
def test_decode_refuses_garbage(garbage: bytes) -> None:
    for encoded in (garbage, b"\x01" + garbage):
        with pytest.raises(RecordDamaged):
            Keyrings.decode(encoded)


def with_terms(*terms: Term) -> Keyring:
    keyring = make().cluster
    return Keyring(keyring.name_key, keyring.derivation_key, terms)


@pytest.mark.parametrize(
    ("keyring", "text"),
    [
        (with_terms(), "length >= 1"),
        (with_terms(Term(0, bytes(32), 0)), ">= 1"),
        (with_terms(Term(1, bytes(31), 0)), "length >= 32"),
        (with_terms(Term(1, bytes(33), 0)), "length <= 32"),
        (with_terms(Term(1, bytes(32), -1)), ">= 0"),
        (with_terms(Term(2, bytes(32), 0), Term(2, bytes(32), 0)), "out of order"),
        (with_terms(Term(3, bytes(32), 0), Term(2, bytes(32), 0)), "out of order"),
        (Keyring(bytes(32), bytes(32), (Term(1, bytes(32), 0),)), "length >= 64"),
        (Keyring(bytes(64), bytes(16), (Term(1, bytes(32), 0),)), "length >= 32"),
    ],
)
def test_decode_refuses_a_keyring_that_could_not_work(keyring: Keyring, text: str) -> None:
    for keyrings in (Keyrings(keyring, make().shared), Keyrings(make().cluster, keyring)):
        with pytest.raises(RecordDamaged, match=text):
            Keyrings.decode(keyrings.encode())


def test_decode_refuses_fields_that_it_would_not_keep() -> None:
    fields = msgspec.msgpack.decode(make().encode()[1:])

    with pytest.raises(RecordDamaged, match="canonical"):
        Keyrings.decode(b"\x01" + msgspec.msgpack.encode([*fields, "more"]))


def test_decode_names_a_later_version() -> None:
    with pytest.raises(RecordDamaged, match="version"):
        Keyrings.decode(b"\x02")


def test_subkeys_differ_by_scope_and_label_and_outlive_rotation() -> None:
    keyrings = make()
    rotated = keyrings.rotated(SeededEntropy(1), WALL_NS)
    uses = [(SCOPE_CLUSTER, "a"), (SCOPE_CLUSTER, "b"), (SCOPE_SHARED, "a")]

    subkeys = [keyrings.subkey(scope, label) for scope, label in uses]

    assert subkeys[0] == derive(keyrings.cluster.derivation_key, "subkey/a")
    assert len(set(subkeys)) == 3
    assert [rotated.subkey(scope, label) for scope, label in uses] == subkeys
    assert keyrings.token_key == keyrings.subkey(SCOPE_CLUSTER, "tokens")


def test_no_subkeys_where_nothing_is_sealed() -> None:
    with pytest.raises(KeyError):
        make().subkey(SCOPE_NODE, "a")


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_no_key_shows_in_a_log(show: Callable[[object], str]) -> None:
    term = "Term(number=1, installed_ns=1700000000000000000)"
    keyring = f"Keyring(active={term})"

    assert show(make()) == f"Keyrings(cluster={keyring}, shared={keyring})"
