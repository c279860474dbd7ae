"""How plans are drawn."""

from collections import Counter

import msgspec
import pytest

from core.moment import NANOSECONDS_PER_SECOND
from sim.faults import LEADER, BitRot, Crash, DiskFull, Partition, Pause, links_of, names_in
from sim.plan import Plan
from sim.plan_settings import LEADERSHIP_FAULT_NS_MIN, PlanSettings
from sim.streams import Streams
from sim.swarm import draw_plan

SETTINGS = PlanSettings()
SEEDS = range(200)
ALL_KINDS = 14
AUDIT_KINDS = ("AuditRefusal", "SlowAudit")


def _plans(settings: PlanSettings = SETTINGS) -> list[Plan]:
    return [draw_plan(Streams(seed), settings) for seed in SEEDS]


def _kinds(plan: Plan) -> set[str]:
    return {type(fault).__name__ for fault in plan.faults}


def test_a_plan_depends_on_its_seed_alone() -> None:
    assert draw_plan(Streams(3), SETTINGS) == draw_plan(Streams(3), SETTINGS)
    assert draw_plan(Streams(3), SETTINGS) != draw_plan(Streams(4), SETTINGS)


def test_plans_keep_within_their_settings() -> None:
    for plan in _plans():
        assert SETTINGS.faults_min <= len(plan.faults) <= SETTINGS.faults_max
        assert SETTINGS.quiet_ns <= min(fault.at_ns for fault in plan.faults)
        assert plan.healed_at_ns >= max(fault.until_ns for fault in plan.faults)
        assert sorted(fault.at_ns for fault in plan.faults) == [
            fault.at_ns for fault in plan.faults
        ]
        assert 60 * NANOSECONDS_PER_SECOND == plan.ends_at_ns


def test_each_kind_is_missing_from_about_half_of_the_plans() -> None:
    """Those of audit files belong to plans with audit devices, two in five.

    Partitions and crashes are in more than half: they are also what strands nodes that write.
    """
    seen = Counter(kind for plan in _plans() for kind in _kinds(plan))
    audit = [seen.pop(kind) for kind in AUDIT_KINDS]

    assert ALL_KINDS == len(seen) + len(audit)
    assert all(50 <= count <= 170 for count in seen.values())
    assert all(20 <= count <= 60 for count in audit)


def test_two_in_five_plans_have_audit_devices() -> None:
    counts = Counter(plan.audit_devices for plan in _plans())

    assert sorted(counts) == [0, 1, 2]
    assert 0.5 * len(SEEDS) <= counts[0] <= 0.7 * len(SEEDS)


def _crashes_amid_a_replacement(plan: Plan) -> bool:
    return any(isinstance(fault, Crash) and fault.amid == "replacement" for fault in plan.faults)


def test_a_snapshot_is_put_in_place_amid_trouble_in_a_third_of_the_plans() -> None:
    assert 3 * sum(map(_crashes_amid_a_replacement, _plans())) >= len(SEEDS)


def _is_filled_at_its_return(plan: Plan) -> bool:
    """Tell whether the disk of a node is filled just after the end of its crash."""
    return any(
        crash.nodes == full.nodes and 0 <= full.at_ns - crash.until_ns < NANOSECONDS_PER_SECOND
        for crash in plan.faults
        if isinstance(crash, Crash)
        for full in plan.faults
        if isinstance(full, DiskFull)
    )


def test_a_disk_is_filled_as_its_node_comes_back_in_a_fifth_of_the_plans() -> None:
    assert 5 * sum(map(_is_filled_at_its_return, _plans())) >= len(SEEDS)


def _unseats_the_leader(plan: Plan) -> bool:
    return any(
        isinstance(fault, Crash | Partition | Pause)
        and LEADER in names_in(fault)
        and fault.for_ns >= LEADERSHIP_FAULT_NS_MIN
        for fault in plan.faults
    )


def test_most_plans_unseat_the_leader_and_some_do_not() -> None:
    unseating = sum(_unseats_the_leader(plan) for plan in _plans())

    assert 0.9 * len(SEEDS) < unseating < len(SEEDS)


def test_partitions_come_in_all_forms() -> None:
    partitions = [
        fault for plan in _plans() for fault in plan.faults if isinstance(fault, Partition)
    ]
    sizes = Counter(
        (len(fault.left), len(fault.right)) for fault in partitions if LEADER not in fault.left
    )

    assert [(1, 0), (1, 2), (2, 0), (2, 2)] == sorted(sizes)
    assert ["both", "leftward", "rightward"] == sorted({fault.way for fault in partitions})


def test_bits_rot_on_a_minority() -> None:
    settings = msgspec.structs.replace(SETTINGS, rotten_nodes_max=2)
    rotten = [
        {fault.nodes for fault in plan.faults if isinstance(fault, BitRot)}
        for plan in _plans(settings)
    ]

    assert 2 == max(len(nodes) for nodes in rotten)


def test_a_lonely_node_has_no_faults_of_links() -> None:
    plans = _plans(PlanSettings(nodes=("n1",)))

    assert 9 == len({kind for plan in plans for kind in _kinds(plan)})


@pytest.mark.parametrize("count", [2, 3, 7])
def test_every_partition_cuts_a_link_in_clusters_of_any_size(count: int) -> None:
    nodes = tuple(f"n{number}" for number in range(1, count + 1))
    for plan in _plans(PlanSettings(nodes=nodes)):
        for fault in plan.faults:
            if isinstance(fault, Partition) and LEADER not in fault.left:
                assert links_of(fault, nodes) or fault.left == fault.right
