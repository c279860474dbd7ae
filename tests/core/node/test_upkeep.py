"""What moves down to the base, what is cut from the log, and what is swept."""

import pytest

from core.node.upkeep import SWEEP_INTERVAL_NS
from core.settings import Settings, StoreSettings
from tests.core.node.cluster import Cluster
from tests.core.node.single import SingleNode, decoded

SMALL = StoreSettings(
    segment_bytes=64 << 10,
    memtable_bytes_max=4_000,
    trailing_bytes_max=2_000,
    log_bytes_max=16_000,
)


@pytest.fixture
def cluster() -> Cluster:
    """One open member that flushes often, after many writes."""
    cluster = Cluster(1, Settings(store=SMALL)).open()
    for number in range(100):
        body = {"b": str(number) * 500}
        assert cluster.request("n1", "update", f"kv/{number % 10}", body).status == 204
    return cluster


def test_what_is_applied_moves_down_and_the_log_is_cut(cluster: Cluster) -> None:
    """So neither memory nor disk grow with the number of writes."""
    node = cluster.machines["n1"].running

    assert node.store.base.meta.index > node.store.applied_index - 20
    assert node.store.memtable_bytes < 2 * SMALL.memtable_bytes_max
    assert node.raft.log.bytes < SMALL.log_bytes_max
    assert len(cluster.machines["n1"].disk.segments()) <= 3


def test_a_member_starts_from_its_base_and_the_log_behind_it(cluster: Cluster) -> None:
    """Nothing that was acknowledged is missing."""
    cluster.crash("n1")
    cluster.start("n1")
    assert cluster.machines["n1"].running.store.applied_index > 0
    cluster.unseal("n1")
    cluster.run(3, lambda: cluster.leader)

    for number in range(90, 100):
        data = decoded(cluster.request("n1", "read", f"kv/{number % 10}"))["data"]
        assert data == {"b": str(number) * 500}


def test_a_follower_sweeps_nothing() -> None:
    """What is over is removed by the leader, once in a while; until then it opens nothing."""
    cluster = Cluster().open()
    made = cluster.request("n1", "update", "auth/token/create", {"ttl": "2s"})
    token = decoded(made)["auth"]["client_token"]
    cluster.run(1.9)
    assert cluster.request("n2", "read", "auth/token/lookup-self", token=token).status == 200
    before = [machine.running.raft.log.last_index for machine in cluster.machines.values()]
    cluster.run(2 * SWEEP_INTERVAL_NS / 1e9)
    after = [machine.running.raft.log.last_index for machine in cluster.machines.values()]

    assert cluster.request("n2", "read", "auth/token/lookup-self", token=token).status == 403
    assert [index - 1 for index in after] == before


def test_a_refused_flush_is_tried_again_after_a_pause() -> None:
    """Not in each turn; what is applied meanwhile waits for the next one."""
    node = SingleNode(Settings(store=SMALL)).open()
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
    node.full = True
    for _ in range(10):
        node.ask("update", "kv/a", {"b": "x" * 1_000})
    refused = [each.text for each in node.reports].count("the store could not be flushed")
    node.pass_time(3.5)
    later = [each.text for each in node.reports].count("the store could not be flushed")
    assert (refused, 3 <= later - refused <= 4) == (1, True)
    node.full = False
    node.pass_time(1.5)

    assert node.base.meta.index == node.node.store.applied_index
