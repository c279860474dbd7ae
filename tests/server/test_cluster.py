"""Three real processes: joining, any node answers, and the leader killed again and again."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests

from tests.server.processes import ServerProcess, configure, free_port

pytestmark = pytest.mark.slow

NAMES = ("one", "two", "three")
ROUNDS = 10
FAILOVER_S_MAX = 3.0
PATIENCE_S = 20.0


class Cluster:
    """Three nodes and what opens them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = {name: free_port() for name in NAMES}
        leader = f"http://127.0.0.1:{self._ports['one']}"
        self._files = {
            name: configure(directory, port, name, "" if name == "one" else leader)
            for name, port in self._ports.items()
        }
        self.servers: dict[str, ServerProcess] = {}
        self._seal: dict[str, Any] = {}

    def start(self, name: str) -> ServerProcess:
        log = self._directory / f"{name}.log"
        server = ServerProcess(self._ports[name], f"-config={self._files[name]}", log=log)
        self.servers[name] = server
        return server

    def found(self) -> None:
        """Initialise the first, let the others join."""
        for name in NAMES:
            self.start(name)
        first = self.servers["one"]
        self._seal = first.client.sys.initialize(secret_shares=3, secret_threshold=2)
        self.unseal("one")
        first.leads()
        first.client.sys.enable_secrets_engine("kv", "secret", options={"version": "2"})
        for name in NAMES[1:]:
            wait(partial(self._was_challenged, name))
            self.unseal(name)
        wait(lambda: len([server for server in self.members() if server["voter"]]) == 3)
        for name in NAMES[1:]:
            wait(partial(is_open, self.servers[name]))

    def _was_challenged(self, name: str) -> bool:
        """Tell whether a joiner knows how many shares the cluster wants."""
        status = self.servers[name].client.sys.read_seal_status()
        return bool(status["t"] == 2)

    def unseal(self, name: str) -> None:
        client = self.servers[name].client
        client.sys.submit_unseal_keys(self._seal["keys"][:2])
        client.token = self._seal["root_token"]

    def members(self) -> list[dict[str, Any]]:
        read = self.servers["one"].client.read("sys/storage/raft/configuration")
        servers: list[dict[str, Any]] = read["data"]["config"]["servers"]
        return servers

    def leader(self) -> str:
        leading: list[str] = []

        def found() -> bool:
            leading[:] = [
                name
                for name, server in self.servers.items()
                if server.client.sys.read_leader_status()["is_self"]
            ]
            return len(leading) == 1

        wait(found)
        return leading[0]

    def stop(self) -> None:
        for server in self.servers.values():
            if server.process.poll() is None:
                server.kill()


def wait(met: Callable[[], bool]) -> None:
    """Wait until something holds that can only be polled."""
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)  # another process gives no sign when it changes


def is_open(server: ServerProcess) -> bool:
    return not server.client.sys.is_sealed()


def knows_leader(server: ServerProcess) -> bool:
    return bool(server.client.sys.read_leader_status()["leader_address"])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    try:
        cluster.found()
        yield cluster
    finally:
        cluster.stop()


def read(server: ServerProcess, name: str) -> object:
    answer = server.client.secrets.kv.v2.read_secret_version(name, raise_on_deleted_version=True)
    return answer["data"]["data"]


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


def test_a_killed_leader_is_replaced_and_comes_back(cluster: Cluster) -> None:
    """Writes resume soon, nothing acknowledged is lost, and the killed node catches up."""
    acknowledged: dict[str, int] = {}
    for number in range(ROUNDS):
        killed = cluster.leader()
        survivor = next(server for name, server in cluster.servers.items() if name != killed)
        cluster.servers[killed].kill()
        began = time.monotonic()
        name = f"round-{number}"
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
    """It says so itself, and the others go on."""
    leader = cluster.leader()
    removed = next(name for name in NAMES if name not in (leader, "one"))
    client = cluster.servers[leader].client
    client.write_data("sys/storage/raft/remove-peer", data={"server_id": removed})

    assert removed not in [server["node_id"] for server in cluster.members()]
    client.secrets.kv.v2.create_or_update_secret("after", {"a": "b"})
    assert read(cluster.servers[leader], "after") == {"a": "b"}
