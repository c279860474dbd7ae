"""Members that are replaced while clients work."""

import pytest

from core.moment import NANOSECONDS_PER_SECOND
from sim.faults import AnyFault, Crash
from sim.plan import Plan
from sim.run import Run, plan_of
from sim.turnover import VOTERS_MIN

SECOND = NANOSECONDS_PER_SECOND
NODES = ("n1", "n2", "n3", "n4", "n5")
SEED = 4
"""A seed in which members are replaced."""


def _run(*faults: AnyFault, seed: int = SEED, nodes: tuple[str, ...] = NODES) -> Run:
    plan = Plan(
        seed=seed, nodes=nodes, faults=faults, healed_at_ns=30 * SECOND, ends_at_ns=40 * SECOND
    )
    running = Run(plan, keeps_trace=True)
    assert running.go().failure == ""
    return running


@pytest.mark.slow
def test_machines_house_other_members_in_the_end() -> None:
    """But for the one whose removed member is left alone."""
    running = _run()
    world = running.world
    left = world.hosts[running.turnover.left]

    assert running.turnover.removals == world.counts["installs"] + 1 > 1
    assert sorted(world.members) == sorted(host.name for host in world.hosts.values())
    assert sorted(world.members) != sorted(NODES)
    for host in world.hosts.values():
        assert host.node is not None
        assert host.node.removed is (host is left)
        known = (*host.node.raft.configuration.members, left.name)
        assert sorted(known) == sorted(world.members)


@pytest.mark.slow
def test_an_empty_machine_is_not_started_by_the_end_of_a_crash() -> None:
    """Each install is followed by a start of its own, however often machines crash meanwhile."""
    crashes = [
        Crash(at_ns=at_s * SECOND, for_ns=SECOND, nodes=NODES[at_s % 5 :][:1], unsynced="tear")
        for at_s in range(5, 25)
    ]
    records = _run(*crashes).world.records
    installs = [record.node for record in records if record.kind == "install"]
    first_starts = dict.fromkeys(record.node for record in records if record.kind == "start")

    assert installs
    assert sorted(first_starts) == sorted((*NODES, *installs))


@pytest.mark.slow
def test_enough_voters_are_left() -> None:
    fewest = len(NODES)
    learners = 0
    for seed in range(12, 20):
        running = Run(plan_of(seed, 5), keeps_trace=True)
        running.go()
        ready = False
        for record in running.world.records:
            ready = ready or record.kind == "install"
            if ready and record.kind == "members" and record.text.count("'n") > 1:
                fewest = min(fewest, record.text.count("'n"))
        leader = running.world.hosts[running.world.leader].node
        learners += leader is not None and bool(leader.raft.configuration.learners)

    assert fewest == VOTERS_MIN
    assert learners


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_a_small_cluster_keeps_its_members(count: int) -> None:
    assert _run(nodes=NODES[:count]).turnover.removals == 0
