"""What leaves a node only after it is durable, and what a full log does."""

from core import events
from core.effects import Effect
from core.node.journal import Journal
from core.raft.entry import KIND_EMPTY, Entry, HardState
from core.raft.messages import AppendResponse, VoteResponse
from core.raft.state import Raft
from core.settings import RaftSettings, Settings, StoreSettings
from core.store.memory_base import MemoryBase
from core.wal.recovery import recover
from tests.core.barrier.helpers import SeededEntropy
from tests.core.node.cluster import Cluster
from tests.core.node.single import SingleNode

ELECTIONS_MAX = 100
"""More than the reserve of a log of this size has room for."""
SMALL = StoreSettings(segment_bytes=64 << 10)


def test_a_follower_acknowledges_what_is_durable() -> None:
    """Until then no answer of its own counts for the entry."""
    cluster = Cluster().open()
    cluster.machines["n1"].held = (events.LogWritten,)
    cluster.machines["n2"].held = (events.LogWritten,)
    cluster.cut = {("n1", "n3"), ("n3", "n1")}
    began = len(cluster.sent)
    write = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.05)
    index = cluster.machines["n1"].running.raft.log.last_index
    acknowledged = [
        message.index
        for sender, _, message in cluster.sent[began:]
        if sender == "n2" and isinstance(message, AppendResponse)
    ]
    assert cluster.machines["n2"].running.raft.log.last_index == index
    assert all(each < index for each in acknowledged)
    assert not cluster.answered(write)
    for name in ("n1", "n2"):
        cluster.release(name)
    assert cluster.answer(write).status == 204


def test_a_vote_leaves_when_it_is_durable() -> None:
    """A member that forgot it could vote twice in one term."""
    cluster = Cluster().open()
    for name in ("n2", "n3"):
        cluster.machines[name].held = (events.LogWritten,)
    cluster.crash("n1")
    began = len(cluster.sent)
    cluster.run(5)
    votes = [
        message
        for _, _, message in cluster.sent[began:]
        if isinstance(message, VoteResponse) and message.granted and not message.pre
    ]
    assert votes == []
    for name in ("n2", "n3"):
        cluster.release(name)
    cluster.run(5, lambda: cluster.leader)
    assert cluster.leader in ("n2", "n3")


def test_what_was_promised_in_an_older_term_is_not_said_any_more() -> None:
    """It may not be true by now: the entries behind it may have been replaced."""
    cluster = Cluster().open()
    cluster.machines["n3"].held = (events.LogWritten,)
    cluster.cut = {("n1", "n2"), ("n2", "n1")}
    lost = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.01)
    cluster.isolate("n1")
    began = len(cluster.sent)
    cluster.run(3)
    cluster.release("n3")
    cluster.run(3, lambda: cluster.machines["n3"].running.leads)
    older = [
        message
        for sender, receiver, message in cluster.sent[began:]
        if (sender, receiver) == ("n3", "n1") and isinstance(message, AppendResponse)
    ]
    assert older == []
    assert cluster.answered(lost)


def fill(node: SingleNode) -> None:
    """Write until nothing is taken any more, however small."""
    node.full = True
    for size in (10_000, 1_000, 1):
        statuses = [node.ask("update", "kv/a", {"b": "x" * size}).status for _ in range(12)]
        assert statuses[-1] == 503


def test_the_reserve_of_a_full_log_lets_a_leader_take_office() -> None:
    """Its own entries are small; clients' writes are refused until there is room again."""
    node = SingleNode(Settings(store=SMALL)).open()
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
    fill(node)
    before = node.node.raft.log.last_index
    for _ in range(3):
        assert node.ask("update", "sys/step-down").status == 204
        node.pass_time(12)
        assert node.node.leads
    assert node.node.raft.log.last_index == before + 3
    assert node.ask("read", "kv/a").status == 200
    assert node.ask("update", "kv/a", {"b": "x"}).status == 503
    node.full = False
    node.pass_time(2)
    assert node.ask("update", "kv/a", {"b": "x"}).status == 204


def test_a_log_without_any_room_stops_all_but_the_node() -> None:
    """Nothing rests on a term or an entry that could not be written; with room it goes on."""
    node = SingleNode(Settings(store=SMALL)).open()
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
    fill(node)
    for _ in range(ELECTIONS_MAX):
        if node.ask("update", "sys/step-down").status != 204:
            break
        node.pass_time(11)
    assert node.ask("read", "kv/a").status == 503
    assert node.ask("update", "kv/a", {"b": "x"}).status == 503
    raft = node.node.raft
    assert raft.log.stable_index < raft.log.last_index
    node.full = False
    node.pass_time(3)

    assert raft.log.stable_index == raft.log.last_index
    assert node.ask("update", "kv/a", {"b": "x"}).status == 204


def test_a_follower_without_room_catches_up_when_there_is_some() -> None:
    """It acknowledges nothing that it could not write, and the others go on."""
    cluster = Cluster(settings=Settings(store=SMALL)).open()
    cluster.machines["n3"].full = True
    for _ in range(20):
        assert cluster.request("n1", "update", "kv/a", {"b": "x" * 10_000}).status == 204
    cluster.run(1)
    leader, follower = (cluster.machines[name].running.raft for name in ("n1", "n3"))
    assert follower.log.stable_index < leader.commit
    assert "the log cannot be extended" in cluster.machines["n3"].reports
    cluster.machines["n3"].full = False
    cluster.run(5)

    assert follower.log.stable_index == leader.commit
    assert cluster.request("n3", "read", "kv/a").status == 200


def test_a_refused_segment_is_asked_for_again_after_a_pause() -> None:
    """Not in each turn: a full disk is busy enough."""
    node = SingleNode(Settings(store=SMALL)).open()
    node.full = True
    node.ask("update", "sys/mounts/kv", {"type": "kv"})
    for _ in range(12):
        node.ask("update", "kv/a", {"b": "x" * 10_000})
    refused = [each for each in node.reports if each.text == "the log cannot be extended"]
    node.pass_time(3.5)
    later = [each for each in node.reports if each.text == "the log cannot be extended"]
    assert refused[0].fields == {"reason": "no space left", "segment": refused[0].fields["segment"]}
    assert 3 <= len(later) - len(refused) <= 4


def test_the_end_of_a_void_batch_makes_nothing_durable() -> None:
    """Not even an entry that has come again: on disk it is still void."""
    raft = Raft("n1", RaftSettings(), SeededEntropy(1), MemoryBase(), HardState(), (), 0)
    journal = Journal(recover((), stamp=b"", segment_bytes=64 << 10).writer, 1)
    effects: list[Effect] = []
    journal.prepare(0, effects)
    journal.writer.segment_ready(1)
    raft.log.append(Entry(1, 1, KIND_EMPTY, 0))
    journal.write(raft, 0, effects)
    sequence = journal.void()
    raft.log.reset(0, 0)
    raft.log.append(Entry(1, 1, KIND_EMPTY, 0))
    journal.written(raft, sequence, 0)

    assert (0, 0) == (raft.log.stable_index, raft.log.handed_index)
