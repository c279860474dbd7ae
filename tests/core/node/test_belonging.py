"""Who was removed finds out, serves nobody any more, and remembers it."""

import pytest

from core import events
from core.node.messages import Inquiry, Removed
from core.request import Response
from core.vault.answers import REMOVED
from tests.core.node.cluster import Cluster
from tests.core.node.single import decoded

PATH = "sys/storage/raft/remove-peer"


@pytest.fixture
def cluster() -> Cluster:
    """Three open members, of which the first leads."""
    return Cluster().open()


def remove(cluster: Cluster, server: str, name: str = "n1") -> Response:
    return cluster.request(name, "update", PATH, {"server_id": server})


def health(cluster: Cluster, name: str) -> int:
    return cluster.request(name, "read", "sys/health").status


def inquiries(cluster: Cluster) -> list[tuple[str, str]]:
    return [
        (sender, receiver)
        for sender, receiver, message in cluster.sent
        if isinstance(message, Inquiry)
    ]


@pytest.mark.parametrize("name", ["n1", "n3"], ids=["the leader", "a follower"])
def test_a_node_that_is_asked_to_remove_itself_says_that_it_was_done(
    cluster: Cluster, name: str
) -> None:
    assert remove(cluster, name, name).status == 204

    cluster.run(1)
    assert health(cluster, name) == 530


def test_a_removed_node_serves_nobody_and_has_forgotten_its_keys(cluster: Cluster) -> None:
    assert remove(cluster, "n3").status == 204
    cluster.run(0.5)

    assert cluster.machines["n3"].running.sealed
    stale = {"x-holdfast-read": "stale"}
    join = {"leader_api_addr": "http://n1:8200"}
    refusals = [
        cluster.request("n3", "read", "kv/a", headers=stale),
        cluster.request("n3", "update", "kv/a", {"b": "2"}),
        cluster.request("n3", "read", "sys/leader"),
        cluster.request("n3", "update", "sys/unseal", {"key": cluster.keys[0]}),
        cluster.request("n3", "update", "sys/storage/raft/join", join),
    ]
    assert refusals == [REMOVED] * 5
    shown = decoded(cluster.request("n3", "read", "sys/seal-status"))
    assert (shown["removed_from_cluster"], shown["sealed"]) == (True, True)
    assert "this node was removed from its cluster" in cluster.machines["n3"].reports


def test_a_removed_node_knows_it_after_a_restart(cluster: Cluster) -> None:
    """It asks nobody for anything any more."""
    assert remove(cluster, "n3").status == 204
    cluster.run(0.5)
    cluster.crash("n3")
    cluster.start("n3")
    cluster.sent.clear()
    cluster.run(10)

    assert health(cluster, "n3") == 530
    assert cluster.unseal("n3") == REMOVED
    assert [message for sender, _, message in cluster.sent if sender == "n3"] == []


def test_a_voter_that_was_cut_off_is_told_by_whom_it_asks_for_votes(cluster: Cluster) -> None:
    cluster.isolate("n3")
    assert remove(cluster, "n3").status == 204
    cluster.run(10)
    assert health(cluster, "n3") == 474
    cluster.cut.clear()
    cluster.run(2)

    assert health(cluster, "n3") == 530
    cluster.sent.clear()
    cluster.run(5)
    assert [message for sender, _, message in cluster.sent if sender == "n3"] == []


def test_a_sealed_node_that_was_down_asks_and_is_told(cluster: Cluster) -> None:
    """It does not campaign, and would hear of nobody."""
    cluster.crash("n3")
    assert remove(cluster, "n3").status == 204
    cluster.run(10)
    cluster.start("n3")
    assert health(cluster, "n3") == 503
    cluster.run(5)

    assert health(cluster, "n3") == 530
    assert [receiver for sender, receiver in inquiries(cluster) if sender == "n3"] == ["n1", "n2"]


def test_who_hears_a_leader_asks_nobody(cluster: Cluster) -> None:
    cluster.run(10)

    assert inquiries(cluster) == []


def test_who_hears_none_asks_and_goes_on(cluster: Cluster) -> None:
    """No answer means that it belongs."""
    cluster.crash("n1")
    cluster.crash("n2")
    cluster.run(10)
    assert {("n3", "n1"), ("n3", "n2")} == set(inquiries(cluster))
    cluster.start("n1")
    cluster.unseal("n1")
    cluster.run(5)

    assert cluster.request("n3", "read", "kv/a").status == 200


def test_a_stranger_is_not_believed(cluster: Cluster) -> None:
    cluster.deliver("n3", events.Received("n4", Removed()))
    cluster.run(0.5)

    assert health(cluster, "n3") == 429


def test_who_belongs_to_nothing_believes_nobody() -> None:
    cluster = Cluster(2)
    cluster.init()
    cluster.deliver("n2", events.Received("n1", Removed()))
    cluster.run(0.5)

    assert health(cluster, "n2") == 501
    assert cluster.join("n2").status == 200


def test_what_the_leader_was_asked_is_still_answered(cluster: Cluster) -> None:
    """It may be the very request that removed the node."""
    write = cluster.ask("n3", "update", "kv/a", {"b": "2"})
    cluster.run(0.0005)
    cluster.deliver("n3", events.Received("n2", Removed()))
    cluster.run(0.0002)
    assert health(cluster, "n3") == 530
    assert not cluster.machines["n3"].running.sealed
    assert cluster.request("n3", "read", "kv/a") == REMOVED

    assert cluster.answer(write).status == 204
    assert cluster.machines["n3"].running.sealed


def test_what_waits_for_a_leader_is_refused(cluster: Cluster) -> None:
    cluster.crash("n1")
    cluster.crash("n2")
    cluster.run(1.2)
    read = cluster.ask("n3", "read", "kv/a")
    cluster.run(0.01)
    cluster.deliver("n3", events.Received("n2", Removed()))

    assert cluster.answer(read) == REMOVED


def test_a_leader_that_is_told_steps_down(cluster: Cluster) -> None:
    """It was cut off when it was removed, and has not noticed yet."""
    cluster.isolate("n1")
    successor = cluster.successor()
    cluster.run(0.1)
    cluster.deliver("n1", events.Received(successor, Removed()))
    cluster.run(0.1)

    assert health(cluster, "n1") == 530
    assert not cluster.machines["n1"].running.leads
