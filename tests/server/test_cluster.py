"""Three real processes: any node answers, and the leader is killed again and again."""

import time
from functools import partial

import hvac
import pytest
import requests

from tests.server.cluster import FAILOVER_S_MAX, NAMES, Cluster, is_open, knows_leader, read
from tests.server.processes import PATIENCE_S, wait

pytestmark = pytest.mark.slow

ROUNDS = 10
REPETITIONS = (0, *(pytest.param(number, marks=pytest.mark.soak) for number in range(1, 11)))


def test_any_node_answers(cluster: Cluster) -> None:
    """What is written at one is read at another right away, and a follower is a standby."""
    for number, writer in enumerate(cluster.servers.values()):
        writer.client.secrets.kv.v2.create_or_update_secret("shared", {"number": number})
        for reader in cluster.servers.values():
            assert read(reader, "shared") == {"number": number}
    leader = cluster.leader()
    for name, server in cluster.servers.items():
        health = requests.get(f"{server.url}/v1/sys/health", timeout=5)
        assert health.status_code == (200 if name == leader else 429)
        assert health.json()["performance_standby"] is False
    follower = next(server for name, server in cluster.servers.items() if name != leader)
    headers = {
        "X-Vault-Token": follower.client.token,
        "X-Vault-No-Request-Forwarding": "true",
    }
    url = f"{follower.url}/v1/secret/data/shared"
    answer = requests.post(
        url, json={"data": {}}, headers=headers, timeout=5, allow_redirects=False
    )
    assert answer.status_code == 307
    assert answer.headers["Location"] == f"{cluster.servers[leader].url}/v1/secret/data/shared"


@pytest.mark.parametrize("repetition", REPETITIONS)
def test_a_killed_leader_is_replaced_and_comes_back(cluster: Cluster, repetition: int) -> None:
    """Writes resume soon, nothing acknowledged is lost, and the killed node catches up."""
    acknowledged: dict[str, int] = {}
    for number in range(ROUNDS):
        killed = cluster.leader()
        survivor = next(server for name, server in cluster.servers.items() if name != killed)
        cluster.servers[killed].kill()
        began = time.monotonic()
        name = f"round-{repetition}-{number}"
        while True:
            try:
                survivor.client.secrets.kv.v2.create_or_update_secret(name, {"number": number})
            except hvac.exceptions.VaultError:
                assert time.monotonic() - began < PATIENCE_S
                continue
            break
        resumed_s = time.monotonic() - began
        acknowledged[name] = number
        assert resumed_s < FAILOVER_S_MAX
        back = cluster.start(killed)
        cluster.unseal(killed)
        wait(partial(is_open, back))
        wait(partial(knows_leader, back))
        for secret, value in acknowledged.items():
            assert read(back, secret) == {"number": value}


def test_a_removed_node_is_out(cluster: Cluster) -> None:
    """The others do not count it any more, and go on."""
    leader = cluster.leader()
    removed = next(name for name in NAMES if name not in (leader, "one"))
    client = cluster.servers[leader].client
    client.write_data("sys/storage/raft/remove-peer", data={"server_id": removed})

    assert removed not in [server["node_id"] for server in cluster.members()]
    client.secrets.kv.v2.create_or_update_secret("after", {"a": "b"})
    assert read(cluster.servers[leader], "after") == {"a": "b"}
