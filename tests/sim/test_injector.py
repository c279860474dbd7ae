"""What each kind of fault means for the machines and the links, and that all of it ends."""

from collections.abc import Callable

import pytest

from core.moment import NANOSECONDS_PER_SECOND
from sim.faults import (
    AUDIT_FILES,
    LEADER,
    AnyFault,
    AuditRefusal,
    BitRot,
    ClockDrift,
    ClockJump,
    Crash,
    DiskFull,
    Partition,
    Pause,
    SlowAudit,
    SlowDisk,
    Stop,
)
from sim.host import STOP_NS
from sim.plan import Plan
from sim.run import Run
from sim.world import World

SECOND = NANOSECONDS_PER_SECOND
NODES = ("n1", "n2", "n3")
BEGIN_NS, FOR_NS = 3 * SECOND, 2 * SECOND
N2 = ("n2",)


def _world(*faults: AnyFault, healed_at_ns: int = 8 * SECOND) -> World:
    """Return the world of a cluster that is founded, just before its first fault."""
    running = Run(
        Plan(
            seed=3,
            nodes=NODES,
            faults=faults,
            healed_at_ns=healed_at_ns,
            ends_at_ns=9 * SECOND,
            audit_devices=1,
        )
    )
    running.operators.begin()
    running.world.run(BEGIN_NS)
    return running.world


def _runs(world: World) -> bool:
    return world.hosts["n2"].node is not None


def _wall_ns(world: World) -> int:
    now = world.hosts["n2"].clock.now(world.time_ns)
    return now.wall_ns - now.monotonic_ns


def _monotonic_rate(world: World) -> int:
    clock = world.hosts["n2"].clock
    return clock.monotonic_ns(world.time_ns + SECOND) - clock.monotonic_ns(world.time_ns)


def _makes_segments(world: World) -> bool:
    return world.hosts["n2"].disk.start_prepare(1_000, 1)


def _late_ns(world: World) -> int:
    return world.hosts["n2"].audit_files.late_ns


def _takes_records(world: World) -> bool:
    return not world.hosts["n2"].audit_files.refuses


def _hears(world: World) -> bool:
    """Tell whether a message from the leader to the second member arrives."""
    return bool(world._network.arrivals("n1", "n2", world.time_ns))


def _turns(world: World) -> bool:
    """Tell whether the second member takes its turns: none is overdue."""
    host = world.hosts["n2"]
    assert host.node is not None
    return host.clock.time_ns(host.node.deadline_ns) > world.time_ns - SECOND // 10


FAULTS: list[tuple[AnyFault, Callable[[World], object]]] = [
    (Crash(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2, unsynced="drop"), _runs),
    (Stop(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2), _runs),
    (Pause(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2), _turns),
    (ClockJump(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2, by_ns=SECOND), _wall_ns),
    (ClockDrift(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2, ppm=40_000), _monotonic_rate),
    (DiskFull(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2), _makes_segments),
    (Partition(at_ns=BEGIN_NS, for_ns=FOR_NS, left=N2), _hears),
    (AuditRefusal(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2, files=AUDIT_FILES[:1]), _takes_records),
    (SlowAudit(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2, late_ns=5), _late_ns),
]


@pytest.mark.parametrize(
    ("fault", "look"), FAULTS, ids=[type(fault).__name__ for fault, _ in FAULTS]
)
def test_a_fault_begins_and_ends(fault: AnyFault, look: Callable[[World], object]) -> None:
    world = _world(fault)
    before = look(world)
    world.run(BEGIN_NS + STOP_NS + SECOND // 2)
    amid = look(world)
    world.run(BEGIN_NS + FOR_NS + SECOND // 2)

    assert before == look(world) != amid
    assert world.counts["faults"] == 1


def test_a_slow_disk_is_slow_as_long_as_that() -> None:
    slow = SlowDisk(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2, factor=1_000)
    world = _world(slow)
    disk = world.hosts["n2"].disk
    before_ns = max(disk.sync_ns() for _ in range(20))
    world.run(BEGIN_NS + 1)
    amid_ns = min(disk.sync_ns() for _ in range(20))
    world.run(BEGIN_NS + FOR_NS + 1)
    after_ns = max(disk.sync_ns() for _ in range(20))

    assert max(before_ns, after_ns) < amid_ns


def test_all_is_healed_at_once() -> None:
    """Whatever is in force then has ended, be it that two of a kind overlap."""
    faults = [fault for fault, look in FAULTS if look in (_makes_segments, _hears, _takes_records)]
    world = _world(*faults, *faults, healed_at_ns=BEGIN_NS + FOR_NS)
    world.run(BEGIN_NS + FOR_NS - 1)
    assert [_makes_segments(world), _hears(world), _takes_records(world)] == [False] * 3

    world.run(BEGIN_NS + FOR_NS + 2)
    assert [_makes_segments(world), _hears(world), _takes_records(world)] == [True] * 3


def test_a_rotten_record_stays() -> None:
    world = _world(BitRot(at_ns=BEGIN_NS, for_ns=0, nodes=N2))
    base = world.hosts["n2"].disk.base
    base.flush(base.meta, [(b"k", b"v")])
    world.run(BEGIN_NS + 1)

    with pytest.raises(Exception, match="does not match its checksum"):
        list(base.iterate(b"", b"\xff" * 99))


def test_the_leader_is_who_leads_as_the_fault_begins() -> None:
    world = _world(
        Crash(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=(LEADER,), unsynced="drop"),
        Crash(at_ns=BEGIN_NS + SECOND * 3 // 2, for_ns=SECOND, nodes=(LEADER,), unsynced="drop"),
    )
    world.run(BEGIN_NS + FOR_NS - 1)
    down = [name for name, host in world.hosts.items() if host.node is None]

    assert len(down) == 2
    assert "n1" in down


def test_two_crashes_keep_a_node_down_until_the_last_ends() -> None:
    world = _world(
        Crash(at_ns=BEGIN_NS, for_ns=FOR_NS, nodes=N2, unsynced="drop"),
        Crash(at_ns=BEGIN_NS + SECOND, for_ns=FOR_NS, nodes=N2, unsynced="drop"),
    )
    world.run(BEGIN_NS + FOR_NS + SECOND // 2)
    assert not _runs(world)

    world.run(BEGIN_NS + SECOND + FOR_NS + 1)
    assert _runs(world)


def test_a_crash_amid_work_that_does_not_come_is_given_up() -> None:
    world = _world(
        Crash(at_ns=BEGIN_NS, for_ns=SECOND, nodes=N2, unsynced="drop", amid="replacement")
    )
    world.run(BEGIN_NS + FOR_NS)

    assert [host.lives for host in world.hosts.values()] == [1, 1, 1]


def test_who_is_cut_off_is_told() -> None:
    world = _world(Partition(at_ns=BEGIN_NS, for_ns=FOR_NS, left=N2))
    cut: list[str] = []
    world.on_cut = cut.extend
    world.run(BEGIN_NS + 1)

    assert cut == ["n2"]
