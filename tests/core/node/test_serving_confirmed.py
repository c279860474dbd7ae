"""What only looked on is answered by a leader that surely leads, be it a refusal or no news."""

from core.raft.entry import KIND_EMPTY
from core.settings import RaftSettings, Settings
from core.vault import answers
from tests.core.node.cluster import Cluster

UNKNOWN = {"token": "hvs.aaaaaaaaaaaaaaaaaaaaaaaa"}


def test_a_deposed_leader_does_not_answer_from_what_it_knew() -> None:
    """Another leader makes and uses a token meanwhile that the old one would call unknown."""
    cluster = Cluster().open()
    cluster.isolate("n1")
    cluster.run(0.6)
    revocation = cluster.ask("n1", "update", "auth/token/revoke", UNKNOWN)
    refusal = cluster.ask("n1", "update", "kv/a", {"b": "1"}, token="hvs.unknown")
    cluster.run(0.2)

    assert not cluster.answered(revocation)
    assert not cluster.answered(refusal)
    assert {cluster.answer(handle).status for handle in (revocation, refusal)} == {503}


def test_a_leader_without_a_lease_confirms_by_an_entry() -> None:
    """Asked again once it was cut off for so long that its lease has passed."""
    cluster = Cluster().open()
    node = cluster.machines["n1"].running
    cluster.isolate("n1")
    cluster.run(0.48)
    refusal = cluster.ask("n1", "update", "auth/token/revoke", UNKNOWN)
    cluster.run(0.001)
    last = node.raft.log.entry(node.raft.log.last_index)
    cluster.cut.clear()

    assert last.kind == KIND_EMPTY
    assert cluster.answer(refusal).status == 204


def test_a_leader_without_a_lease_and_without_room_refuses_what_only_looked_on() -> None:
    """It may lead no more, and has no room for the entry that would tell."""
    settings = Settings(raft=RaftSettings(uncommitted_bytes_max=4_000))
    cluster = Cluster(settings=settings).open()
    cluster.isolate("n1")
    cluster.run(0.48)
    leadership = cluster.machines["n1"].running.raft.leadership
    assert leadership is not None
    leadership.uncommitted_bytes = 4_001
    refusal = cluster.ask("n1", "update", "auth/token/revoke", UNKNOWN)
    cluster.run(0.001)

    assert cluster.answer(refusal) == answers.NO_ROOM


def test_a_lease_is_renewed_long_before_its_end() -> None:
    """What a driver has to ask again, since the lease ended on the way, is recorded twice."""
    cluster = Cluster().open()
    lease_ns = RaftSettings().lease_ns
    left_ns = []
    for _ in range(100):
        cluster.run(0.013)
        read = cluster.ask("n1", "read", "kv/a")
        assert cluster.answer(read).status == 200
        left_ns.append(cluster.effect(read).lease_until_ns - cluster.time_ns)

    assert min(left_ns) > lease_ns // 3


def test_a_leader_with_a_lease_answers_at_once() -> None:
    """Without an entry."""
    cluster = Cluster().open()
    log = cluster.machines["n1"].running.raft.log
    last_index = log.last_index
    refusal = cluster.ask("n1", "update", "auth/token/revoke", UNKNOWN)
    cluster.run(0.001)

    assert cluster.answered(refusal)
    assert log.last_index == last_index
