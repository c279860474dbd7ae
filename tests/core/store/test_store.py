"""The layers of the store against a plain dictionary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check import InvariantBroken
from core.store import write_set
from core.store.base import BaseMeta
from core.store.keys import after_numbered, numbered, successor
from core.store.memtable import Memtable
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction, WouldWrite
from sim.base import MemoryBase

KEYS = st.binary(min_size=1, max_size=3)
WRITES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=4)), max_size=8)
LIMIT = b"\xff" * 4


@given(st.lists(st.tuples(st.sampled_from(["apply", "freeze", "flush"]), WRITES), max_size=12))
def test_all_layers_together_are_one_dictionary(
    steps: list[tuple[str, list[tuple[bytes, bytes | None]]]],
) -> None:
    """Whatever was flushed when, reading sees the latest writes in order."""
    store = Store(MemoryBase())
    model: dict[bytes, bytes] = {}
    frozen: Memtable | None = None
    for step, writes in steps:
        if step == "apply":
            store.apply(store.applied_index + 1, writes)
            for key, value in writes:
                if value is None:
                    model.pop(key, None)
                else:
                    model[key] = value
        elif step == "freeze" and frozen is None:
            frozen = store.freeze()
        elif step == "flush" and frozen is not None:
            changes = list(frozen.changes())
            assert changes == sorted(changes, key=lambda change: change[0])
            store.base.flush(BaseMeta(store.flushing_index), changes)  # type: ignore[attr-defined]  # the port only reads
            store.flushed(store.flushing_index)
            frozen = None
        assert list(store.iterate(b"\x00", LIMIT)) == sorted(model.items())
        assert all(store.get(key) == value for key, value in model.items())


@given(WRITES, WRITES, WRITES)
def test_a_transaction_sees_its_own_writes_then_pending_ones(
    applied: list[tuple[bytes, bytes | None]],
    pending: list[tuple[bytes, bytes | None]],
    own: list[tuple[bytes, bytes | None]],
) -> None:
    """And knows on which pending entry it depends."""
    store = Store(MemoryBase())
    store.apply(1, applied)
    store.propose(2, pending)
    transaction = Transaction(store)
    model: dict[bytes, bytes | None] = dict([*applied, *pending, *own])
    for key, value in own:
        if value is None:
            transaction.delete(key)
        else:
            transaction.put(key, value)
    seen = list(transaction.iterate(b"\x00", LIMIT))

    assert seen == sorted((key, value) for key, value in model.items() if value is not None)
    assert transaction.depends_on == (2 if pending else 0)
    assert all(transaction.get(key) == value for key, value in model.items())
    assert list(Snapshot(store).iterate(b"\x00", LIMIT)) == list(store.iterate(b"\x00", LIMIT))


def test_pending_writes_end_when_their_entry_is_applied() -> None:
    """A later proposal for the same key stays."""
    store = Store(MemoryBase())
    store.propose(1, [(b"a", b"1"), (b"b", b"1")])
    store.propose(2, [(b"b", b"2")])
    store.apply(1, [(b"a", b"1"), (b"b", b"1")])

    assert store.pending == {b"b": (2, b"2")}
    store.drop_pending()
    assert store.pending == {}


def test_a_rolled_back_transaction_keeps_what_was_saved() -> None:
    """The use of a token counts though its request failed."""
    transaction = Transaction(Store(MemoryBase()))
    transaction.put(b"a", b"1")
    transaction.savepoint()
    transaction.put(b"b", b"1")
    transaction.rollback()

    assert transaction.writes == {b"a": b"1"}


def test_a_snapshot_refuses_to_write() -> None:
    """Whoever wants to write must ask the leader."""
    snapshot = Snapshot(Store(MemoryBase()))
    with pytest.raises(WouldWrite):
        snapshot.put(b"a", b"b")
    with pytest.raises(WouldWrite):
        snapshot.delete(b"a")
    with pytest.raises(WouldWrite):
        snapshot.savepoint()


def test_watches_count_what_is_applied_below_their_prefix() -> None:
    """And whatever a new base may have changed."""
    base = MemoryBase()
    store = Store(base)
    watch = store.watch(b"ab")
    store.apply(1, [(b"aba", b"1"), (b"ac", b"1")])
    assert watch.version == 1
    base.replace(BaseMeta(7), [(b"x", b"y")])
    store.replaced()
    assert (watch.version, store.applied_index, store.get(b"x")) == (2, 7, b"y")
    store.unwatch()
    store.apply(8, [(b"aba", b"1")])
    assert watch.version == 2


def test_entries_are_applied_in_order() -> None:
    """A gap is our own fault."""
    with pytest.raises(InvariantBroken):
        Store(MemoryBase()).apply(2, [])


def test_a_write_set_reads_as_it_was_written() -> None:
    """Deletions too."""
    writes = {b"a": b"1", b"b": None}

    assert dict(write_set.decode(write_set.encode(writes))) == writes


def test_numbered_keys_sort_by_number_and_before_descendants() -> None:
    """So a name, its versions and what is below it follow each other."""
    key = b"\x01name"

    assert key < numbered(key, 1) < numbered(key, 2) < after_numbered(key) < key + b"\x10"
    assert successor(b"a\xff") == b"b"
    with pytest.raises(ValueError, match="no key is greater"):
        successor(b"\xff")
