"""A node that is told to stop hands over and says goodbye, so that no client is left in doubt."""

import time

import pytest

from sim.checker.linearizability import check_linearizable
from tests.server.cluster import NAMES, Cluster
from tests.server.load import Load
from tests.server.processes import wait

pytestmark = pytest.mark.slow

WRITES = 100
GAP_S_MAX = 1.0
"""Far less than it takes to miss a leader and to elect another."""


@pytest.mark.parametrize("office", ["leader", "follower"])
def test_a_node_is_stopped_under_load(cluster: Cluster, office: str) -> None:
    """Whatever it does not do any more it says it did not do, and the rest goes through."""
    token = cluster.servers["one"].client.token
    with Load([server.url for server in cluster.servers.values()], token) as load:
        wait(lambda: len(load.acknowledged_ns(0)) >= WRITES)
        leader = cluster.leader()
        name = leader if office == "leader" else next(each for each in NAMES if each != leader)
        told_ns = time.monotonic_ns()
        code = cluster.servers[name].stop()
        wait(lambda: len(load.acknowledged_ns(told_ns)) >= WRITES)

    assert code == 0
    assert load.unexpected == []
    assert load.unknown == []
    assert check_linearizable(load.history) == []
    assert load.longest_gap_s(told_ns) < GAP_S_MAX
