"""What a member has its disk do, and what it is told of it."""

from random import Random

import pytest

from core import effects, events
from core.check import InvariantBroken
from core.moment import NANOSECONDS_PER_SECOND
from core.settings import Settings
from core.store.base import BaseMeta
from core.store.memtable import Memtable
from core.wal.writer import SegmentWrite
from sim.clock import Clock
from sim.disk import Disk
from sim.disk_work import REPLACE_RETRY_NS
from sim.faults import Amid, DiskFull
from sim.host import Host
from sim.plan import Plan
from sim.run import Run
from sim.streams import SeededEntropy, Streams

SECOND = NANOSECONDS_PER_SECOND
PLAN = Plan(seed=3, nodes=("n1",), faults=(), healed_at_ns=60 * SECOND, ends_at_ns=60 * SECOND)
FULL = DiskFull(at_ns=0, for_ns=1, nodes=("n1",))
META = BaseMeta(index=5, term=2)
NO_SPACE = "no space left on device"
SIZE = 16


class Listener(Host):
    """A machine whose member is told nothing: it gathers here."""

    told: list[events.Event]

    def deliver(self, life: int, event: events.Event) -> None:
        """Keep what the member would be told."""
        if life == self.lives and self.node is not None:
            self.told.append(event)

    def wait(self) -> list[events.Event]:
        """Return what comes of all that was begun."""
        self.told = []
        self._world.run(self._world.time_ns + SECOND // 2)
        return self.told


@pytest.fixture
def host() -> Listener:
    """Return a machine that runs and whose disk is idle."""
    streams = Streams(5)
    world = Run(PLAN, invariants=()).world
    entropy = SeededEntropy(streams.stream("entropy"))
    host = Listener(world, "n1", Settings(), Disk(streams.stream("disk")), Clock(1), entropy)
    host.start()
    host.wait()
    return host


def _prepared(host: Listener, number: int) -> None:
    host.work.prepare_segment(effects.PrepareSegment(number, SIZE))
    assert host.wait() == [events.SegmentReady(number)]


def _flush() -> effects.FlushBase:
    changes = Memtable()
    changes.put(b"old", b"0")
    return effects.FlushBase(META, changes)


def _staged(host: Listener) -> effects.ReplaceBase:
    """Stage a snapshot of two chunks; return what puts it in place."""
    for number, item in enumerate(((b"a", b"1"), (b"b", b"2"))):
        host.work.stage_snapshot(effects.StageSnapshot(7, number, [item]))
        assert host.wait() == [events.SnapshotStaged(7, number)]
    return effects.ReplaceBase(7, BaseMeta(index=9, term=2))


def _held(host: Listener) -> list[tuple[bytes, bytes]]:
    return list(host.disk.base.iterate(b"", b"\xff"))


def test_a_batch_is_durable_when_the_member_is_told(host: Listener) -> None:
    _prepared(host, 2)
    host.work.write_log(effects.WriteLog(1, (SegmentWrite(2, 0, b"abcd"),)))
    assert dict(host.disk.segments())[2] == bytes(SIZE)

    assert host.wait() == [events.LogWritten(1)]
    assert dict(host.disk.segments())[2].startswith(b"abcd")


def test_segments_are_dropped(host: Listener) -> None:
    _prepared(host, 2)
    host.work.drop_segments(effects.DropSegments(3))

    assert host.disk.segments() == []


def test_a_flush_is_durable_when_the_member_is_told(host: Listener) -> None:
    host.work.flush_base(_flush())
    assert _held(host) == []

    assert host.wait() == [events.BaseFlushed(5)]
    assert _held(host) == [(b"old", b"0")]


def test_a_snapshot_takes_the_place_of_the_base(host: Listener) -> None:
    host.work.replace_base(_staged(host))
    assert _held(host) == []

    assert host.wait() == [events.BaseReplaced(7)]
    assert _held(host) == [(b"a", b"1"), (b"b", b"2")]


def test_a_full_disk_refuses_and_resumes(host: Listener) -> None:
    segment = effects.PrepareSegment(2, SIZE)
    chunk = effects.StageSnapshot(7, 0, [(b"a", b"1")])
    host.disk.begin(FULL)
    host.work.prepare_segment(segment)
    host.work.flush_base(_flush())
    host.work.stage_snapshot(chunk)
    refused = sorted(host.wait(), key=repr)
    host.disk.end(FULL)
    host.work.prepare_segment(segment)
    host.work.flush_base(_flush())
    host.work.stage_snapshot(chunk)

    assert refused == [
        events.BaseFlushRefused(5, NO_SPACE),
        events.SegmentRefused(2, NO_SPACE),
        events.SnapshotRefused(7, 0, NO_SPACE),
    ]
    assert sorted(host.wait(), key=repr) == [
        events.BaseFlushed(5),
        events.SegmentReady(2),
        events.SnapshotStaged(7, 0),
    ]


def test_a_full_disk_puts_the_replacement_off(host: Listener) -> None:
    replacement = _staged(host)
    host.disk.begin(FULL)
    host.work.replace_base(replacement)
    waited = host.wait()
    host.disk.heal()

    assert (waited, host.wait(), host.wait()) == ([], [], [events.BaseReplaced(7)])
    assert REPLACE_RETRY_NS == SECOND


def test_a_life_that_has_ended_is_told_nothing(host: Listener) -> None:
    replacement = _staged(host)
    host.disk.begin(FULL)
    host.work.replace_base(replacement)
    host.work.prepare_segment(effects.PrepareSegment(2, SIZE))
    host.disk.heal()
    host.work.prepare_segment(effects.PrepareSegment(3, SIZE))
    host.work.flush_base(_flush())
    host.crash(Random(1), "drop")
    host.start()

    assert not [event for event in host.wait() if not isinstance(event, events.SegmentReady)]
    assert _held(host) == []


@pytest.mark.parametrize("amid", ["write", "replacement"])
def test_a_crash_comes_amid_work_of_its_kind_alone(host: Listener, amid: Amid) -> None:
    _prepared(host, 2)
    replacement = _staged(host)
    host.down = 1
    host.work.crash_amid(amid, Random(1), "drop")
    host.work.flush_base(_flush())
    assert host.wait() == [events.BaseFlushed(5)]
    if amid == "write":
        host.work.replace_base(replacement)
    else:
        host.work.write_log(effects.WriteLog(1, (SegmentWrite(2, 0, b"abcd"),)))
    assert len(host.wait()) == 1
    assert host.node is not None

    if amid == "write":
        host.work.write_log(effects.WriteLog(1, (SegmentWrite(2, 0, b"abcd"),)))
    else:
        host.work.replace_base(replacement)
    host.wait()
    assert host.node is None


def test_a_crash_amid_a_replacement_comes_before_or_after_its_end(host: Listener) -> None:
    host.down = 1
    seen: dict[bool, None] = {}
    for seed in range(5):
        replacement = _staged(host)
        host.work.crash_amid("replacement", Random(seed), "drop")
        host.work.replace_base(replacement)
        seen[bool(host.wait())] = None
        assert host.node is None
        host.start()
        host.wait()

    assert sorted(seen) == [False, True]


def test_a_crash_that_is_forgotten_does_not_come(host: Listener) -> None:
    _prepared(host, 2)
    host.work.crash_amid("write", Random(1), "drop")
    host.work.forget_crash()
    host.work.write_log(effects.WriteLog(1, (SegmentWrite(2, 0, b"abcd"),)))

    assert host.wait() == [events.LogWritten(1)]


def test_what_is_not_staged_cannot_take_the_place_of_the_base(host: Listener) -> None:
    with pytest.raises(InvariantBroken, match="nothing is staged"):
        host.work.replace_base(effects.ReplaceBase(7, META))
