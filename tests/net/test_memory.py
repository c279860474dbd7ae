"""Storage in memory does at once what it is asked."""

from core import effects, events
from core.store.base import BaseMeta
from core.store.memtable import Memtable
from net.memory import MemoryStorage


def memtable(values: dict[bytes, bytes | None]) -> Memtable:
    table = Memtable()
    for key, value in values.items():
        table.put(key, value)
    return table


def test_everything_is_done_at_once() -> None:
    storage = MemoryStorage()
    done: list[events.Event] = []
    flushed = BaseMeta(5, 1)
    installed = BaseMeta(9, 2)
    for effect in (
        effects.WriteLog(3, ()),
        effects.PrepareSegment(1, 4096),
        effects.FlushBase(flushed, memtable({b"a": b"1", b"b": b"2"})),
        effects.DropSegments(1),
        effects.StageSnapshot(7, 0, [(b"x", b"lost")]),
        effects.StageSnapshot(8, 0, [(b"c", b"3")]),
        effects.StageSnapshot(8, 1, [(b"d", b"4")]),
    ):
        storage.carry_out(effect, done.append)
    before = list(storage.base.iterate(b"", b"z"))
    storage.carry_out(effects.ReplaceBase(8, installed), done.append)

    assert [
        events.LogWritten(3),
        events.SegmentReady(1),
        events.BaseFlushed(5),
        events.SnapshotStaged(7, 0),
        events.SnapshotStaged(8, 0),
        events.SnapshotStaged(8, 1),
        events.BaseReplaced(8),
    ] == done
    assert [(b"a", b"1"), (b"b", b"2")] == before
    assert [(b"c", b"3"), (b"d", b"4")] == list(storage.base.iterate(b"", b"z"))
    assert installed == storage.base.meta
    storage.close()


def test_there_is_nothing_to_recover() -> None:
    assert [] == MemoryStorage().recover(1 << 20).entries
