"""The records of faults."""

from collections.abc import Callable

import pytest

from sim.faults import (
    LEADER,
    AuditRefusal,
    BitRot,
    ClockDrift,
    ClockJump,
    Clog,
    Crash,
    Delay,
    Duplication,
    Fault,
    Loss,
    Partition,
    Pause,
    SlowAudit,
    SlowDisk,
    links_of,
    names_in,
    resolve,
)

NODES = ("n1", "n2", "n3", "n4")


def test_a_fault_ends_after_its_duration() -> None:
    assert 12 == Pause(at_ns=5, for_ns=7, nodes=("n1",)).until_ns


def test_the_leader_is_put_in_place_once() -> None:
    fault = Crash(at_ns=1, for_ns=2, nodes=("n2", LEADER), unsynced="tear", amid="write")

    assert Crash(at_ns=1, for_ns=2, nodes=("n2", "n1"), unsynced="tear", amid="write") == resolve(
        fault, "n1"
    )
    assert Crash(at_ns=1, for_ns=2, nodes=("n2",), unsynced="tear", amid="write") == resolve(
        fault, "n2"
    )


def test_the_leader_is_put_in_place_on_both_sides() -> None:
    fault = Partition(at_ns=1, for_ns=2, left=(LEADER,), right=("n1", LEADER))

    assert Partition(at_ns=1, for_ns=2, left=("n3",), right=("n1", "n3")) == resolve(fault, "n3")
    assert (LEADER, "n1", LEADER) == names_in(fault)


def test_without_a_right_side_all_others_are_meant() -> None:
    fault = Partition(at_ns=1, for_ns=2, left=("n2", "n3"))

    assert [
        ("n2", "n1"),
        ("n2", "n4"),
        ("n3", "n1"),
        ("n3", "n4"),
        ("n1", "n2"),
        ("n4", "n2"),
        ("n1", "n3"),
        ("n4", "n3"),
    ] == links_of(fault, NODES)


def test_a_bridge_keeps_its_links() -> None:
    fault = Partition(at_ns=1, for_ns=2, left=("n1",), right=("n3", "n4"))

    assert all("n2" not in link for link in links_of(fault, NODES))


def test_one_way_faults_take_one_direction() -> None:
    rightward = Partition(at_ns=1, for_ns=2, left=("n1",), right=("n2",), way="rightward")
    leftward = Partition(at_ns=1, for_ns=2, left=("n1",), right=("n2",), way="leftward")

    assert [("n1", "n2")] == links_of(rightward, NODES)
    assert [("n2", "n1")] == links_of(leftward, NODES)


def test_a_fault_among_all_has_each_link_once_and_none_to_itself() -> None:
    links = links_of(Clog(at_ns=1, for_ns=2, left=NODES, right=NODES), NODES)

    assert 12 == len(links) == len(set(links))
    assert all(sender != receiver for sender, receiver in links)


def test_node_faults_name_their_nodes() -> None:
    assert ("n1", "n2") == names_in(Pause(at_ns=0, for_ns=1, nodes=("n1", "n2")))


@pytest.mark.parametrize(
    "build",
    [
        lambda: Pause(at_ns=-1, for_ns=1, nodes=("n1",)),
        lambda: Pause(at_ns=1, for_ns=-1, nodes=("n1",)),
        lambda: Pause(at_ns=1, for_ns=1, nodes=()),
        lambda: Pause(at_ns=1, for_ns=1, nodes=("n1",) * 10),
        lambda: Clog(at_ns=1, for_ns=1, left=()),
        lambda: Clog(at_ns=1, for_ns=1, left=("n1",), right=("n2",) * 10),
        lambda: Loss(at_ns=1, for_ns=1, left=("n1",), percent=0),
        lambda: Duplication(at_ns=1, for_ns=1, left=("n1",), percent=101),
        lambda: Delay(at_ns=1, for_ns=1, left=("n1",), factor=0),
        lambda: SlowDisk(at_ns=1, for_ns=1, nodes=("n1",), factor=1_001),
        lambda: ClockJump(at_ns=1, for_ns=1, nodes=("n1",), by_ns=-(10**18)),
        lambda: ClockDrift(at_ns=1, for_ns=1, nodes=("n1",), ppm=100_001),
        lambda: BitRot(at_ns=1, for_ns=0, nodes=()),
        lambda: SlowAudit(at_ns=1, for_ns=2, nodes=("n1",), late_ns=0),
        lambda: SlowAudit(at_ns=1, for_ns=2, nodes=("n1",), late_ns=10**11),
        lambda: AuditRefusal(at_ns=1, for_ns=2, nodes=("n1",), files=()),
        lambda: AuditRefusal(at_ns=1, for_ns=2, nodes=("n1",), files=("/elsewhere",)),
    ],
)
def test_faults_out_of_bounds_are_refused(build: Callable[[], Fault]) -> None:
    with pytest.raises(ValueError, match=r"out of range|negative|no audit file"):
        build()
