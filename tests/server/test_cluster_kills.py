"""Nodes are killed under concurrent clients: nothing acknowledged is lost, and no read is stale."""

import time
from collections import Counter
from functools import partial

import pytest

from core.moment import NANOSECONDS_PER_SECOND
from sim.checker.history import Operation
from sim.checker.linearizability import check_linearizable
from tests.server.cluster import FAILOVER_S_MAX, NAMES, Cluster, is_open, knows_leader
from tests.server.load import KEYS, Load, answered
from tests.server.processes import wait

pytestmark = pytest.mark.slow

VICTIMS = ("leader", "follower", "leader")
WRITES_BETWEEN_KILLS = 100


def kill(cluster: Cluster, office: str, load: Load) -> float:
    """Kill the leader or a follower; return the seconds until a write was acknowledged."""
    leader = cluster.leader()
    name = leader if office == "leader" else next(each for each in NAMES if each != leader)
    killed_ns = time.monotonic_ns()
    cluster.servers[name].kill()
    wait(lambda: bool(load.acknowledged_ns(killed_ns)))
    resumed_s = (load.acknowledged_ns(killed_ns)[0] - killed_ns) / NANOSECONDS_PER_SECOND
    back = cluster.start(name)
    cluster.unseal(name)
    opened_ns = time.monotonic_ns()
    wait(partial(is_open, back))
    wait(partial(knows_leader, back))
    wait(partial(load.was_served_by, back.url, opened_ns))
    wait(lambda: len(load.acknowledged_ns(opened_ns)) >= WRITES_BETWEEN_KILLS)
    return resumed_s


def read_everywhere(cluster: Cluster) -> list[Operation]:
    """Read all keys at each node, as it were by one more client."""
    return [
        answered(
            server.client,
            Operation(client="last", key=key, kind="read", invoked_ns=time.monotonic_ns()),
        )
        for server in cluster.servers.values()
        for key in KEYS
    ]


def test_kills_under_load_lose_nothing(cluster: Cluster) -> None:
    """Reads, writes, check-and-set and new tokens at all nodes, of eight clients at once."""
    urls = [server.url for server in cluster.servers.values()]
    token = cluster.servers["one"].client.token
    with Load(urls, token) as load:
        wait(lambda: len(load.acknowledged_ns(0)) >= WRITES_BETWEEN_KILLS)
        resumed_s = [kill(cluster, victim, load) for victim in VICTIMS]
    history = load.history + read_everywhere(cluster)

    assert load.unexpected == []
    assert max(resumed_s) < FAILOVER_S_MAX
    assert check_linearizable(history) == []
    made = Counter((each.key, each.version) for each in history if each.kind != "read")
    assert [each for each, times in made.items() if each[1] is not None and times > 1] == []
    for server in cluster.servers.values():
        for created in load.tokens:
            assert server.client.auth.token.lookup(created)["data"]["policies"] == ["default"]
    assert_each_kind_took_part(history)


def assert_each_kind_took_part(history: list[Operation]) -> None:
    """A history without matches, mismatches and reads of each would say little."""
    matched = [each for each in history if each.kind == "cas" and each.version is not None]
    missed = [
        each
        for each in history
        if each.kind == "cas" and each.version is None and each.returned_ns is not None
    ]
    reads = [each for each in history if each.kind == "read" and each.version]
    assert min(len(matched), len(missed), len(reads)) > 10
