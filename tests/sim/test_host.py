"""What befalls a simulated process."""

import pytest

from core.moment import NANOSECONDS_PER_SECOND
from sim.faults import LEADER, AnyFault, Crash, Pause, Stop
from sim.plan import Plan
from sim.run import Run

NODES = ("n1", "n2", "n3")
SECOND = NANOSECONDS_PER_SECOND


def _run(*faults: AnyFault, nodes: tuple[str, ...] = NODES) -> Run:
    plan = Plan(seed=3, nodes=nodes, faults=faults, healed_at_ns=8 * SECOND, ends_at_ns=16 * SECOND)
    running = Run(plan)
    assert running.go().failure == ""
    return running


def test_a_leader_that_is_asked_to_end_hands_over_and_comes_back() -> None:
    world = _run(Stop(at_ns=3 * SECOND, for_ns=3 * SECOND, nodes=(LEADER,))).world

    assert [host.lives for host in world.hosts.values()] == [2, 1, 1]
    assert world.leader != "n1"


def test_a_process_may_end_after_it_should_run_again() -> None:
    world = _run(Stop(at_ns=3 * SECOND, for_ns=1, nodes=("n2",))).world

    assert [host.lives for host in world.hosts.values()] == [1, 2, 1]


@pytest.mark.parametrize("nodes", [("n1",), NODES])
def test_a_pause_amid_a_turn_holds_back_what_comes_of_it(nodes: tuple[str, ...]) -> None:
    pause = Pause(at_ns=3 * SECOND, for_ns=3 * SECOND, nodes=(LEADER,), amid_turn=True)
    world = _run(pause, nodes=nodes).world

    assert [host.lives for host in world.hosts.values()] == [1] * len(nodes)


def test_a_crash_ends_a_pause_amid_a_turn() -> None:
    world = _run(
        Pause(at_ns=3 * SECOND, for_ns=2 * SECOND, nodes=("n2",), amid_turn=True),
        Crash(at_ns=4 * SECOND, for_ns=3 * SECOND, nodes=("n2",), unsynced="drop"),
    ).world

    assert [host.lives for host in world.hosts.values()] == [1, 2, 1]


def test_all_members_restart_at_once() -> None:
    crash = Crash(at_ns=4 * SECOND, for_ns=SECOND, nodes=NODES, unsynced="tear")

    assert [host.lives for host in _run(crash).world.hosts.values()] == [2, 2, 2]
