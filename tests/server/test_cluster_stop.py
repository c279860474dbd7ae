"""A node that is told to stop hands over and says goodbye, so that no client is left in doubt."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sim.checker.linearizability import check_linearizable
from tests.server.load import Load
from tests.server.test_cluster import Cluster, wait

pytestmark = pytest.mark.slow

WRITES = 100
GAP_S_MAX = 1.0
"""Far less than it takes to miss a leader and to elect another."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    try:
        cluster.found()
        yield cluster
    finally:
        cluster.stop()


def test_the_leader_is_stopped_under_load(cluster: Cluster) -> None:
    """Whatever it does not do any more it says it did not do, and the rest goes through.

    No server can help it if a request meets the end of an idle connection; that is all that may
    leave a client in doubt.
    """
    token = cluster.servers["one"].client.token
    with Load([server.url for server in cluster.servers.values()], token) as load:
        wait(lambda: len(load.acknowledged_ns(0)) >= WRITES)
        leader = cluster.leader()
        told_ns = time.monotonic_ns()
        code = cluster.servers[leader].stop()
        wait(lambda: len(load.acknowledged_ns(told_ns)) >= WRITES)

    assert code == 0
    assert load.unexpected == []
    in_doubt = [error.__cause__ for error in load.unknown]
    assert [each for each in in_doubt if not isinstance(each, requests.ConnectionError)] == []
    assert check_linearizable(load.history) == []
    assert load.longest_gap_s(told_ns) < GAP_S_MAX
