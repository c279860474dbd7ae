"""What befalls a simulated process."""

from random import Random

import msgspec
import pytest

from core import effects
from core.check import InvariantBroken
from core.moment import NANOSECONDS_PER_SECOND
from core.node.messages import Inquiry
from core.request import Request, Response
from sim.faults import (
    AUDIT_FILES,
    LEADER,
    AnyFault,
    AuditRefusal,
    Crash,
    Pause,
    SlowAudit,
    Stop,
)
from sim.host import ASK_CLUSTER_NS, Host
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


AUDIT = {"at_ns": 3 * SECOND, "for_ns": 3 * SECOND}
WRITE = Request("update", "secret/data/a", body=b'{"data":{"k":"v"}}')


def _audited(audit_devices: int, fault: AnyFault) -> Run:
    """Return a cluster with audit devices that has been founded, with a fault in force."""
    running = Run(
        Plan(
            seed=3,
            nodes=NODES,
            faults=(fault,),
            healed_at_ns=8 * SECOND,
            ends_at_ns=16 * SECOND,
            audit_devices=audit_devices,
        )
    )
    running.operators.begin()
    running.world.run(4 * SECOND)
    return running


def _asked(running: Run, node: str, request: Request, for_ns: int = SECOND) -> list[int]:
    """Return the status of the answer, if there is one by then."""
    answers: list[Response] = []
    token = running.operators.root_token
    running.world.ask(
        "c1", node, msgspec.structs.replace(request, token=token), SECOND, answers.append
    )
    running.world.run(running.world.time_ns + for_ns)
    return [answer.status for answer in answers]


def test_what_no_device_records_is_refused_before_anything_happens() -> None:
    refusal = AuditRefusal(**AUDIT, nodes=("n1",), files=AUDIT_FILES[:1])
    running = _audited(1, refusal)
    leader = running.world.hosts["n1"].node
    assert leader is not None
    before = leader.store.applied_index
    refused = [_asked(running, node, WRITE) for node in ("n1", "n2")]

    assert (refused, leader.store.applied_index) == ([[500], [500]], before)
    running.world.run(7 * SECOND)
    assert _asked(running, "n2", WRITE) == [200]


def test_one_device_of_two_is_enough() -> None:
    refusal = AuditRefusal(**AUDIT, nodes=NODES, files=AUDIT_FILES[:1])

    assert _asked(_audited(2, refusal), "n1", WRITE) == [200]


def test_an_append_that_is_late_holds_up_the_whole_machine() -> None:
    slow = SlowAudit(**AUDIT, nodes=("n1",), late_ns=SECOND // 4)
    running = _audited(1, slow)

    assert _asked(running, "n1", WRITE, SECOND // 4) == []
    running.world.run(running.world.time_ns + SECOND)
    assert running.world.counts["audit_stalls"] >= 2
    assert _asked(running, "n2", WRITE, 3 * SECOND) == [200]


def test_a_crash_ends_a_late_append() -> None:
    slow = SlowAudit(**AUDIT, nodes=("n1",), late_ns=SECOND)
    running = _audited(1, slow)
    host = running.world.hosts["n1"]
    _asked(running, "n1", WRITE, SECOND // 10)
    host.crash(Random(1), "keep")
    host.start()
    running.world.run(8 * SECOND)

    assert not _deaf(running, host)


def _at_rest() -> Run:
    """Return a cluster of three that has been founded."""
    running = Run(
        Plan(seed=3, nodes=NODES, faults=(), healed_at_ns=2 * SECOND, ends_at_ns=3 * SECOND)
    )
    running.operators.begin()
    running.world.run(2 * SECOND)
    return running


def _deaf(running: Run, host: Host) -> bool:
    """Tell whether a member hears nothing of the leader for a second."""
    node = host.node
    assert node is not None
    running.world.run(running.world.time_ns + SECOND)
    return not node.raft.hears_leader(host.clock.monotonic_ns(running.world.time_ns))


def test_who_was_seen_to_be_removed_is_not_heard() -> None:
    running = _at_rest()
    follower = running.world.hosts["n2"]
    assert follower.node is not None
    smaller = follower.node.raft.configuration.without("n1")
    follower.carry_out([effects.AdmitPeers(smaller, ("n1",))])

    assert follower.removed == ("n1",)
    assert _deaf(running, follower)


def test_who_was_seen_to_be_removed_is_told_so_and_remembers_it() -> None:
    running = _at_rest()
    world = running.world
    teller, removed = world.hosts["n2"], world.hosts["n3"]
    assert teller.node is not None
    smaller = teller.node.raft.configuration.without("n3")
    teller.carry_out([effects.AdmitPeers(smaller, ("n3",))])
    removed.carry_out([effects.Send("n2", Inquiry())])
    world.run(world.time_ns + SECOND)

    assert removed.node is not None
    assert removed.node.removed
    removed.crash(Random(1), "keep")
    removed.start()
    assert removed.node.removed


def test_who_is_down_or_paused_tells_nobody_anything() -> None:
    running = _at_rest()
    world = running.world
    teller, removed = world.hosts["n2"], world.hosts["n3"]
    assert teller.node is not None
    assert removed.node is not None
    smaller = teller.node.raft.configuration.without("n3")
    teller.carry_out([effects.AdmitPeers(smaller, ("n3",))])
    teller.pause(amid_turn=False)
    removed.carry_out([effects.Send("n2", Inquiry())])
    world.run(world.time_ns + SECOND)

    assert not removed.node.removed


def test_who_joins_again_is_heard_again() -> None:
    running = _at_rest()
    follower = running.world.hosts["n2"]
    assert follower.node is not None
    configuration = follower.node.raft.configuration
    follower.carry_out([effects.AdmitPeers(configuration.without("n1"), ("n1",))])
    follower.carry_out([effects.AdmitPeers(configuration)])

    assert follower.removed == ()
    assert not _deaf(running, follower)


def test_who_is_merely_unknown_is_heard() -> None:
    """It joined later than what this member knows of."""
    running = _at_rest()
    follower = running.world.hosts["n2"]
    assert follower.node is not None
    follower.carry_out([effects.AdmitPeers(follower.node.raft.configuration.without("n1"))])

    assert follower.removed == ()
    assert not _deaf(running, follower)


def test_who_has_no_credentials_is_not_heard() -> None:
    running = _at_rest()
    follower = running.world.hosts["n2"]
    follower.certificate = False

    assert _deaf(running, follower)


def test_a_machine_that_was_wiped_houses_another_member() -> None:
    running = _at_rest()
    world = running.world
    host = world.hosts["n2"]
    host.crash(Random(1), "keep")
    host.reinstall()
    host.start()

    assert sorted(world.members) == ["n1", "n2.1", "n3"]
    assert world.members["n2.1"] is host is world.hosts["n2"]
    assert host.node is not None
    assert host.node.info.node == "n2.1"
    assert host.node.info.name == "n2"
    assert host.node.store.applied_index == 0


def test_a_machine_that_runs_is_not_wiped() -> None:
    with pytest.raises(InvariantBroken, match="wiped"):
        _at_rest().world.hosts["n2"].reinstall()


@pytest.mark.slow
def test_a_joiner_gives_up_waiting_for_an_answer() -> None:
    """The machine that it asks is down; what is asked of the joiner is answered all the same."""
    running = _at_rest()
    world = running.world
    world.hosts["n3"].crash(Random(1), "keep")
    host = world.hosts["n2"]
    host.crash(Random(1), "keep")
    host.reinstall()
    host.start()
    answers: list[Response] = []
    request = Request("update", "sys/storage/raft/join", body=b'{"leader_api_addr":"sim://n3"}')
    world.ask("c1", "n2", request, ASK_CLUSTER_NS, answers.append)
    world.run(world.time_ns + ASK_CLUSTER_NS + SECOND)

    assert [answer.status for answer in answers] == [500]
    assert b"timed out" in answers[0].body
