"""A member as its driver sees it: what ends it, and what it does about a disk that stalls."""

from core import effects, events
from core.raft.messages import AppendRequest, AppendResponse
from core.request import Request
from core.settings import Settings, StoreSettings
from tests.core.node.cluster import Cluster
from tests.core.node.single import SingleNode


def test_a_broken_invariant_ends_a_node() -> None:
    """The turn has no other effects, and no turn after it has any."""
    node = SingleNode().open()
    asked = events.Asked(900, Request("read", "sys/health"), 10**9)
    (halt,) = node.node.handle([asked, events.SegmentReady(99)], node.now())

    assert halt == effects.Halt("an invariant is broken: nobody asked for this segment")
    assert node.node.handle([asked], node.now()) == []


def test_a_leader_whose_log_stalls_steps_down() -> None:
    """The others serve meanwhile; alone it can only wait."""
    cluster = Cluster(settings=Settings(store=StoreSettings(stall_ns=300_000_000))).open()
    cluster.machines["n1"].held = (events.LogWritten,)
    cluster.request("n1", "update", "kv/a", {"b": "2"})
    cluster.run(5, lambda: not cluster.machines["n1"].running.leads)
    assert "the log is stalled; stepping down" in cluster.machines["n1"].reports
    cluster.run(5, lambda: cluster.leader in ("n2", "n3"))
    assert cluster.request(cluster.leader, "update", "kv/a", {"b": "3"}).status == 204

    alone = Cluster(1)
    alone.init()
    alone.machines["n1"].held = (events.LogWritten,)
    alone.ask("n1", "update", "sys/mounts/kv", {"type": "kv"})
    alone.run(5)
    assert alone.leader == "n1"


def fallen_behind() -> Cluster:
    """Return a cluster whose third member is down and lacks more than the logs of others hold."""
    small = StoreSettings(memtable_bytes_max=2_000, trailing_bytes_max=1_000, log_bytes_max=4_000)
    cluster = Cluster(settings=Settings(store=small)).open()
    cluster.crash("n3")
    for number in range(20):
        assert cluster.request("n1", "update", f"kv/{number}", {"b": "x" * 500}).status == 204
    return cluster


def test_a_member_that_fell_behind_is_sent_the_base() -> None:
    """It knows the keys that were replaced meanwhile, and serves."""
    cluster = fallen_behind()
    assert cluster.request("n1", "update", "sys/rotate").status == 204
    assert cluster.request("n1", "update", "kv/last", {"b": "2"}).status == 204
    cluster.start("n3")
    cluster.unseal("n3")
    cluster.run(5)

    assert "a snapshot was installed" in cluster.machines["n3"].reports
    assert cluster.request("n3", "read", "kv/last").status == 200
    assert cluster.request("n3", "update", "kv/last", {"b": "3"}).status == 204


def test_a_snapshot_that_finds_no_room_goes_on_when_there_is_some() -> None:
    """The member serves nothing meanwhile, but it stays up, and the leader is not hurried."""
    cluster = fallen_behind()
    cluster.start("n3")
    cluster.unseal("n3")
    cluster.machines["n3"].full = True
    cluster.run(5.5)
    refusals = cluster.machines["n3"].reports.count("the snapshot cannot be kept aside")
    cluster.machines["n3"].full = False
    cluster.run(3)

    assert 2 <= refusals <= 6
    assert "a snapshot was installed" in cluster.machines["n3"].reports
    assert cluster.request("n3", "read", "kv/19").status == 200


def test_heartbeats_are_answered_and_change_nothing() -> None:
    """Neither side does more than that, for as long as nothing else happens."""
    cluster = Cluster().open()
    cluster.run(1)
    nodes = [machine.running for machine in cluster.machines.values()]
    before = [(node.raft.commit, node.raft.term, node.raft.leader) for node in nodes]
    began = len(cluster.sent)
    cluster.run(1)
    kinds = [type(message) for _, _, message in cluster.sent[began:]]

    assert [(node.raft.commit, node.raft.term, node.raft.leader) for node in nodes] == before
    assert set(kinds) == {AppendRequest, AppendResponse}
    assert 18 <= kinds.count(AppendRequest) <= 22
    assert abs(kinds.count(AppendRequest) - kinds.count(AppendResponse)) <= 2


def test_a_disk_without_room_refuses_writes_and_recovers() -> None:
    """Reads go on, and writing resumes by itself; so do flushes."""
    node = SingleNode(
        Settings(store=StoreSettings(segment_bytes=64 << 10, memtable_bytes_max=2_000))
    ).open()
    node.full = True
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
    statuses = [node.ask("update", "kv/a", {"b": "x" * 10_000}).status for _ in range(20)]
    assert statuses[0] == 204
    assert statuses[-1] == 503
    assert node.ask("read", "kv/a").status == 200
    assert {report.text for report in node.reports} >= {
        "the log cannot be extended",
        "the store could not be flushed",
    }

    node.full = False
    node.pass_time(2)
    assert node.ask("update", "kv/a", {"b": "2"}).status == 204
    assert node.base.meta.index > 0


def test_a_batch_that_nobody_waits_for_changes_nothing() -> None:
    """A driver may say twice that it is durable."""
    node = SingleNode().open()
    before = node.node.raft.log.stable_index
    node.turn(events.LogWritten(1), events.LogWritten(10**6))

    assert node.node.raft.log.stable_index == before
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
