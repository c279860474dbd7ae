"""Membership and leadership as operators change them, on real nodes."""

from functools import partial

import pytest

from core import events
from core.node.administration import STEP_DOWN_PAUSE_NS
from core.request import Response
from core.settings import Settings, StoreSettings
from tests.core.node.cluster import Cluster
from tests.core.node.single import decoded, errors


@pytest.fixture
def cluster() -> Cluster:
    """Three open members, of which the first leads."""
    return Cluster().open()


PATH = "sys/storage/raft/remove-peer"


def remove(cluster: Cluster, server: str, name: str = "n1") -> Response:
    return cluster.request(name, "update", PATH, {"server_id": server})


def test_a_member_is_removed_by_id_or_label(cluster: Cluster) -> None:
    """The rest goes on; the last voter stays."""
    assert remove(cluster, "n3").status == 204
    assert remove(cluster, "n2-label").status == 204
    configuration = cluster.machines["n1"].running.raft.configuration
    assert (configuration.incoming, list(configuration.members)) == (("n1",), ["n1"])
    last = remove(cluster, "n1")
    assert (last.status, errors(last)) == (400, ["the last voter cannot be removed"])
    unknown = remove(cluster, "n3")
    assert errors(unknown) == ["no member is called 'n3'"]
    assert cluster.request("n1", "update", "kv/a", {"b": "2"}).status == 204


def test_a_leader_may_remove_itself(cluster: Cluster) -> None:
    """The others choose another, and it knows that it belongs no more."""
    assert remove(cluster, "n1", "n2").status == 204
    cluster.run(5, lambda: cluster.leader in ("n2", "n3"))
    assert cluster.request("n2", "update", "kv/a", {"b": "2"}).status == 204
    cluster.run(1)
    assert cluster.request("n1", "read", "sys/health").status == 530
    shown = decoded(cluster.request("n1", "read", "sys/seal-status"))
    assert shown["removed_from_cluster"] is True
    assert decoded(cluster.request("n1", "read", "sys/health"))["removed_from_cluster"] is True


def test_one_membership_change_at_a_time(cluster: Cluster) -> None:
    """The second is refused until the first is committed."""
    for machine in cluster.machines.values():
        machine.held = (events.LogWritten,)
    first = cluster.ask("n1", "update", PATH, {"server_id": "n3"})
    second = remove(cluster, "n2")
    assert (second.status, second.headers) == (503, {"Retry-After": "1"})
    for name in cluster.machines:
        cluster.release(name)
    assert cluster.answer(first).status == 204


def test_who_joins_takes_nobody_for_removed() -> None:
    """It is told all members, and then takes in a log that begins with fewer."""
    cluster = Cluster(4)
    cluster.init()
    for name in ("n2", "n3"):
        cluster.join(name)
        cluster.unseal(name)
        cluster.run(5, partial(cluster.votes, name))
    assert cluster.request("n1", "update", "sys/step-down").status == 204
    cluster.run(5, lambda: cluster.leader in ("n2", "n3"))
    cluster.join("n4")
    cluster.unseal("n4")
    cluster.run(5, partial(cluster.votes, "n4"))

    assert cluster.votes("n4")
    assert [machine.removed for machine in cluster.machines.values()] == [[]] * 4


def test_a_removal_counts_once_it_is_committed(cluster: Cluster) -> None:
    """A leader that cannot commit it may yet be overruled."""
    cluster.isolate("n1")
    attempt = cluster.ask("n1", "update", PATH, {"server_id": "n3"})
    cluster.run(0.3)
    assert "n3" not in cluster.machines["n1"].running.raft.configuration.members
    assert cluster.machines["n1"].removed == []
    leader = cluster.successor()
    cluster.cut.clear()
    assert cluster.answer(attempt).status == 500
    cluster.run(1)
    assert "n3" in cluster.machines["n1"].running.raft.configuration.members

    assert remove(cluster, "n1", leader).status == 204
    cluster.run(1)
    assert [cluster.machines[name].removed for name in ("n2", "n3")] == [["n1"]] * 2


def test_a_leader_of_two_can_remove_itself() -> None:
    """The other hears from it that this is committed before it takes over alone."""
    cluster = Cluster(2).open()

    assert remove(cluster, "n1").status == 204
    cluster.run(3, lambda: cluster.leader == "n2")
    assert cluster.request("n2", "update", "kv/a", {"b": "2"}).status == 204


def test_a_removal_is_seen_in_a_snapshot_too() -> None:
    """Its entry is cut from every log by then."""
    small = StoreSettings(memtable_bytes_max=2_000, trailing_bytes_max=1_000, log_bytes_max=4_000)
    cluster = Cluster(4, Settings(store=small)).open()
    for _ in range(10):
        assert cluster.request("n1", "update", "kv/a", {"b": "x" * 500}).status == 204
    cluster.run(1)
    cluster.crash("n3")
    assert remove(cluster, "n4").status == 204
    for number in range(20):
        assert cluster.request("n1", "update", f"kv/{number}", {"b": "x" * 500}).status == 204
    cluster.start("n3")
    cluster.unseal("n3")
    cluster.run(5)

    assert "a snapshot was installed" in cluster.machines["n3"].reports
    assert cluster.machines["n3"].removed == ["n4"]


def test_a_removed_member_never_joins_again(cluster: Cluster) -> None:
    """Its id is refused even when it has forgotten everything; what comes again is another."""
    assert remove(cluster, "n3").status == 204
    cluster.crash("n3")
    fresh = Cluster(3)
    cluster.machines["n3"].disk = fresh.machines["n3"].disk
    cluster.start("n3")
    assert cluster.join("n3").status == 200
    cluster.unseal("n3")
    cluster.run(5)

    assert not cluster.votes("n3")
    assert "could not join the cluster" in cluster.machines["n3"].reports


def test_a_leader_that_stepped_down_holds_back(cluster: Cluster) -> None:
    """Alone it leads again after the pause."""
    assert cluster.request("n1", "update", "sys/step-down").status == 204
    cluster.run(1, lambda: cluster.leader in ("n2", "n3"))
    assert cluster.leader in ("n2", "n3")

    alone = Cluster(1)
    alone.init()
    assert alone.request("n1", "update", "sys/step-down").status == 204
    alone.run(STEP_DOWN_PAUSE_NS / 1e9 - 1)
    assert alone.leader == ""
    alone.run(2)
    assert alone.leader == "n1"


def test_a_transfer_that_fails_is_given_up(cluster: Cluster) -> None:
    """The leader goes on with what waited meanwhile."""
    cluster.cut = {("n1", "n2"), ("n1", "n3")}
    down = cluster.ask("n1", "update", "sys/step-down")
    cluster.run(0.001)
    assert cluster.answer(down).status == 204
    write = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.2)
    assert not cluster.answered(write)
    cluster.cut.clear()

    assert cluster.answer(write).status == 204
