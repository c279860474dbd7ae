"""The token store: what opens, what is gone, and that nothing is left behind."""

import msgspec
import pytest

from core.barrier.record import RecordDamaged
from core.check import InvariantBroken
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction, WouldWrite
from core.vault import tokens
from core.vault.token_entry import SPENT, TokenEntry
from core.vault.tokens import GENERATIONS_MAX, TOKEN_LENGTH_MAX, Tokens
from sim.base import MemoryBase
from tests.core.barrier.helpers import WALL_NS, SeededEntropy, make_barrier
from tests.core.vault.token_store import TokenStore

SECOND_NS = 1_000_000_000


# -- looking up -------------------------------------------------------------------------------


def test_a_token_is_found_as_it_was_created() -> None:
    held = TokenStore()
    token, entry = held.create(ttl_s=60, metadata={"team": "x"}, num_uses=5)
    expected = TokenEntry(
        name=entry.name,
        accessor=entry.accessor,
        policies=("default",),
        path="auth/token/create",
        display_name="token",
        metadata={"team": "x"},
        created_ns=WALL_NS,
        renewed_ns=0,
        expires_ns=WALL_NS + 60 * SECOND_NS,
        ttl_s=60,
        explicit_max_ttl_s=0,
        period_s=0,
        uses_left=5,
        renewable=True,
        parent="",
    )

    assert ("hvs.", 28, 24) == (token[:4], len(token), len(entry.accessor))
    assert expected == entry == held.find(token)
    assert entry == held.tokens.find_accessor(Snapshot(held.store), entry.accessor)
    assert [entry.accessor] == held.tokens.accessors(Snapshot(held.store), {})


def test_a_token_that_has_not_changed_is_decoded_once() -> None:
    held = TokenStore()
    token, _ = held.create()

    assert held.find(token) is held.find(token)


def test_what_was_stored_is_found_by_another_node() -> None:
    held = TokenStore()
    token, entry = held.create()
    other = Tokens(make_barrier(), SeededEntropy(2), held.settings)

    assert entry == other.find(Snapshot(held.store), token)


@pytest.mark.parametrize(
    "token",
    ["", "x", "hvs.unknown", "a/b", "\udc80", "\x00", "\U0001f511", "x" * (TOKEN_LENGTH_MAX + 1)],
)
def test_what_is_no_token_is_not_found(token: str) -> None:
    held = TokenStore()
    held.create()

    assert held.find(token) is None


@pytest.mark.parametrize(
    "accessor", ["", "x", "a/b", "x" * 24, "x" * 25, "\U0001f511" * 24, "/" * 24, "\udc80" * 24]
)
def test_what_is_no_accessor_is_not_found(accessor: str) -> None:
    held = TokenStore()
    held.create()

    assert held.tokens.find_accessor(Snapshot(held.store), accessor) is None


def test_a_full_cache_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHED_MAX", 2)
    held = TokenStore()
    created = [held.create() for _ in range(5)]

    for token, entry in created * 2:
        assert entry == held.find(token)
    assert len(held.tokens._names) <= 2
    assert len(held.tokens._cache) <= 2


def test_what_is_not_found_leaves_no_trace() -> None:
    held = TokenStore()
    for number in range(10):
        held.find(f"hvs.{number}")

    assert ({}, {}) == (held.tokens._names, held.tokens._cache)


def test_a_pending_change_is_seen_by_writes_only() -> None:
    held = TokenStore()
    token, entry = held.create(num_uses=3)
    transaction = Transaction(held.store)
    held.tokens.use(transaction, entry)
    held.store.propose(held.store.applied_index + 1, list(transaction.writes.items()))
    later = held.tokens.find(Transaction(held.store), token)
    applied = held.find(token)

    assert later is not None
    assert applied is not None
    assert (2, 3) == (later.uses_left, applied.uses_left)


def test_reads_do_not_write() -> None:
    held = TokenStore()
    snapshot = Snapshot(held.store)
    for uses in (1, 2):
        _, entry = held.create(num_uses=uses)
        with pytest.raises(WouldWrite):
            held.tokens.use(snapshot, entry)


# -- records ----------------------------------------------------------------------------------


def test_no_record_shows_token_accessor_or_policy() -> None:
    held = TokenStore()
    token, entry = held.create(ttl_s=5, policies=("marker-policy",))
    child, _ = held.create(entry)
    written = b"".join(key + value for key, value in held.records())

    for marker in (token, token[4:], child[4:], entry.accessor, "marker-policy", "auth/token"):
        assert marker.encode() not in written


@pytest.mark.parametrize("plaintext", [b"", b"\x02rest", b"\x01", b"\x01\xff", b"\x01\x90"])
def test_a_damaged_record_is_noticed(plaintext: bytes) -> None:
    held = TokenStore()
    token, entry = held.create()
    key = held.tokens._key(entry.name)
    sealed = make_barrier().seal(key, plaintext)
    held.apply(lambda transaction: transaction.put(key, sealed))

    with pytest.raises(RecordDamaged):
        held.find(token)


# -- uses -------------------------------------------------------------------------------------


def test_uses_are_counted_and_the_last_one_removes_the_token() -> None:
    held = TokenStore()
    token, _ = held.create(num_uses=3, ttl_s=60)

    assert [2, 1, SPENT] == [held.use(token).uses_left for _ in range(3)]
    assert held.find(token) is None
    assert [] == held.records()


def test_a_spent_token_serves_nothing_else() -> None:
    held = TokenStore()
    token, _ = held.create(num_uses=1, ttl_s=60)
    spent = held.use(token)

    assert not held.tokens.is_live(spent, held.wall_ns)
    with pytest.raises(InvariantBroken):
        held.extend(spent, 60)
    with pytest.raises(InvariantBroken):
        held.apply(lambda transaction: held.tokens.use(transaction, spent))
    held.revoke(spent)
    assert [] == held.records()


# -- expiry -----------------------------------------------------------------------------------


def test_a_token_opens_until_it_expires() -> None:
    held = TokenStore()
    token, _ = held.create(ttl_s=10)
    held.wall_ns += 10 * SECOND_NS - 1

    assert held.opens(token)
    held.wall_ns += 1
    assert not held.opens(token)


def test_a_sweep_removes_what_has_expired_and_no_more() -> None:
    held = TokenStore()
    lasting, _ = held.create()
    later, _ = held.create(ttl_s=11)
    before = held.records()
    expiring, _ = held.create(ttl_s=10)

    assert 0 == held.sweep()
    held.pass_time(10)
    assert 1 == held.sweep()
    assert before == held.records()
    assert [True, True, False] == [held.opens(token) for token in (lasting, later, expiring)]


def test_a_sweep_is_bounded_with_all_that_it_does() -> None:
    held = TokenStore(removed_max=2)
    _, parent = held.create(ttl_s=1)
    for _ in range(4):
        held.create(parent)
    for _ in range(3):
        held.create(ttl_s=2)
    held.pass_time(5)

    assert [3, 3, 2, 0] == [held.sweep(3) for _ in range(4)]
    assert [] == held.records()


def test_a_renewed_token_expires_later() -> None:
    held = TokenStore()
    token, entry = held.create(ttl_s=10)
    held.pass_time(5)
    renewed = held.extend(entry, 10)
    held.pass_time(6)

    assert renewed == held.find(token)
    assert (10, held.wall_ns - SECOND_NS) == (renewed.ttl_s, renewed.renewed_ns + 5 * SECOND_NS)
    assert 0 == held.sweep()
    assert held.opens(token)
    held.pass_time(4)
    assert 1 == held.sweep()
    assert [] == held.records()


def test_an_index_entry_by_itself_revokes_nothing() -> None:
    held = TokenStore()
    token, entry = held.create(ttl_s=60)
    early = tokens._expiry_key(msgspec.structs.replace(entry, expires_ns=held.wall_ns))
    held.apply(lambda transaction: transaction.put(early, b""))

    assert 0 == held.sweep()
    assert held.opens(token)
    assert early not in dict(held.records())


# -- trees ------------------------------------------------------------------------------------


def test_revoking_removes_the_tree_and_nothing_else() -> None:
    held = TokenStore()
    _, root = held.create()
    before = held.records()
    line = held.line(4)
    _, sibling = held.create(line[1][1], ttl_s=9)
    other, _ = held.create(root)
    held.revoke(line[1][1])

    assert [True, False, False, False] == [held.opens(token) for token, _ in line]
    assert held.tokens.find_accessor(Snapshot(held.store), sibling.accessor) is None
    assert held.opens(other)
    held.revoke(line[0][1])
    found = held.find(other)
    assert found is not None
    held.revoke(found)
    held.revoke(root)
    assert [] == held.records() != before


@pytest.mark.parametrize("removed_max", [1, 2, 3, 7, 100])
def test_a_large_tree_opens_nothing_at_once_and_is_finished_by_sweeps(removed_max: int) -> None:
    held = TokenStore(removed_max=removed_max)
    made = [held.create()]
    for place in range(20):
        made.append(held.create(made[place // 3][1], ttl_s=1000))
    held.revoke(made[0][1])

    assert not any(held.opens(token) for token, _ in made)
    reader = Snapshot(held.store)
    assert not any(held.tokens.find_accessor(reader, entry.accessor) for _, entry in made)
    assert max(0, 21 - removed_max) == len(held.tokens.accessors(reader, {}))
    removed = 0
    while swept := held.sweep(removed_max):
        assert swept <= removed_max
        removed += swept
    assert max(0, 21 - removed_max) == removed
    assert [] == held.records()


def test_what_expired_under_an_expired_parent_is_removed_once() -> None:
    held = TokenStore()
    _, parent = held.create(ttl_s=1)
    held.create(parent, ttl_s=2)
    held.pass_time(3)

    assert 2 == held.sweep()
    assert [] == held.records()


def test_an_id_that_was_revoked_does_not_get_its_children_back() -> None:
    """What descends from the former token would be alive again."""
    held = TokenStore(removed_max=1)
    _, first = held.create(token_id="chosen")
    child, _ = held.create(first)
    held.revoke(first)
    reader = Snapshot(held.store)

    assert held.tokens.exists(reader, "chosen")
    assert not held.opens(child)
    assert 1 == held.sweep()
    assert not held.tokens.exists(reader, "chosen")
    assert ("chosen", True) == (held.create(token_id="chosen")[0], held.opens("chosen"))
    assert held.tokens.exists(reader, "chosen")


def test_children_of_a_revoked_token_may_be_left_as_orphans() -> None:
    held = TokenStore()
    (_, parent), (child, _), (grandchild, _) = held.line(3)
    held.find(grandchild)

    assert held.orphan_children(parent)
    held.revoke(parent)
    orphan = held.find(child)
    assert orphan is not None
    assert ("", True, True) == (orphan.parent, held.opens(child), held.opens(grandchild))
    held.revoke(orphan)
    assert not held.opens(grandchild)
    assert [] == held.records()


def test_more_children_than_the_limit_are_left_as_they_are() -> None:
    held = TokenStore()
    _, parent = held.create()
    children = [held.create(parent) for _ in range(3)]
    before = held.records()

    assert not held.orphan_children(parent, 2)
    assert before == held.records()
    assert held.orphan_children(parent, 3)
    assert all(not entry.parent for token, _ in children if (entry := held.find(token)))


def test_a_token_without_children_has_none_to_orphan() -> None:
    held = TokenStore()
    _, entry = held.create()

    assert held.orphan_children(entry, 0)


def test_generations_are_counted_and_bounded() -> None:
    held = TokenStore()
    line = held.line(GENERATIONS_MAX)
    reader = Snapshot(held.store)

    assert [0, 1, GENERATIONS_MAX - 1] == [
        held.tokens.generations(reader, line[place][1]) for place in (0, 1, -1)
    ]
    assert held.opens(line[-1][0])
    too_deep, deepest = held.create(line[-1][1])
    assert GENERATIONS_MAX == held.tokens.generations(Snapshot(held.store), deepest)
    with pytest.raises(InvariantBroken):
        held.find(too_deep)


def test_an_orphan_that_is_nobodys_child_is_noticed() -> None:
    held = TokenStore()
    (_, parent), (_, child) = held.line(2)
    held.apply(lambda transaction: transaction.delete(held.tokens._key(child.name)))

    with pytest.raises(InvariantBroken):
        held.orphan_children(parent)


def test_a_store_on_a_flushed_base_answers_alike() -> None:
    """The base holds what the memtable held before."""
    held = TokenStore()
    token, _ = held.create(ttl_s=10)
    base = MemoryBase()
    base.flush(base.meta, held.records())
    store = Store(base)

    assert held.find(token) == held.tokens.find(Snapshot(store), token)
