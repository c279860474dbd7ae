"""The beginning of a cluster, whenever it is interrupted."""

import pytest

from core import events
from core.node.info import NodeInfo
from tests.core.node.cluster import Cluster
from tests.core.node.single import decoded, errors

ONE = {"secret_shares": 1, "secret_threshold": 1}


@pytest.mark.parametrize("count", range(12))
def test_an_initialisation_may_be_interrupted_anywhere(count: int) -> None:
    """After a restart it has either happened as a whole or can be done again."""
    cluster = Cluster(1)
    handle = cluster.ask("n1", "update", "sys/init", ONE)
    steps = iter(range(count))
    cluster.run(5, lambda: next(steps, None) is None)
    answered = cluster.answered(handle)
    cluster.crash("n1")
    cluster.start("n1")
    begun = decoded(cluster.request("n1", "read", "sys/init"))["initialized"]
    assert begun or not answered
    cluster.run(1)
    assert begun or not cluster.machines["n1"].running.leads
    if answered:
        cluster.keys = decoded(cluster.answer(handle))["keys"]
        assert decoded(cluster.unseal("n1"))["sealed"] is False
    elif begun:
        again = cluster.request("n1", "update", "sys/init", ONE)
        assert errors(again) == ["Vault is already initialized"]
    else:
        cluster.init()
        assert cluster.request("n1", "read", "sys/mounts").status == 200


def test_a_cluster_is_not_begun_twice_at_once() -> None:
    """Nor joined to another meanwhile."""
    cluster = Cluster(1)
    cluster.machines["n1"].held = (events.LogWritten,)
    first = cluster.ask("n1", "update", "sys/init", ONE)
    second = cluster.request("n1", "update", "sys/init", ONE)
    join = cluster.join("n1")

    assert errors(second) == ["initialization is already under way"]
    assert errors(join) == ["this node belongs to a cluster already"]
    assert not cluster.answered(first)
    cluster.release("n1")
    assert cluster.answer(first).status == 200


def test_a_cluster_has_begun_when_all_of_it_is_durable() -> None:
    """Whatever else happens meanwhile; nobody can open it before."""
    cluster = Cluster(1)
    handle = cluster.ask("n1", "update", "sys/init", ONE)
    cluster.run(5, lambda: cluster.leader)
    cluster.machines["n1"].held = (events.LogWritten,)
    cluster.run(1)
    assert cluster.request("n1", "read", "sys/health").status == 501
    assert cluster.request("n1", "update", "sys/unseal", {"key": "11" * 32}).status == 400
    assert not cluster.answered(handle)
    cluster.release("n1")
    assert cluster.answer(handle).status == 200


def test_a_cluster_is_called_as_configured_or_after_its_id() -> None:
    """Status shows either."""
    shown = []
    for name in ("mine", ""):
        cluster = Cluster(1)
        info = cluster.machines["n1"].info
        cluster.machines["n1"].info = NodeInfo(
            info.node, info.name, info.cluster_address, info.api_address, name
        )
        cluster.crash("n1")
        cluster.start("n1")
        cluster.init()
        body = decoded(cluster.request("n1", "read", "sys/seal-status"))
        shown.append((body["cluster_name"], f"holdfast-cluster-{body['cluster_id'][:8]}"))

    assert shown[0][0] == "mine"
    assert shown[1][0] == shown[1][1]
