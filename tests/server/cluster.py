"""Three real processes that are one cluster, for tests: founded, opened, asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hvac

from tests.server.processes import ServerProcess, configure, free_port, wait

NAMES = ("one", "two", "three")
FAILOVER_S_MAX = 3.0


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


@contextmanager
def founded(directory: Path) -> Iterator[Cluster]:
    """Have a cluster that is open and complete, and end what is left of it."""
    cluster = Cluster(directory)
    try:
        cluster.found()
        yield cluster
    finally:
        cluster.stop()


def is_open(server: ServerProcess) -> bool:
    return not server.client.sys.is_sealed()


def knows_leader(server: ServerProcess) -> bool:
    return bool(server.client.sys.read_leader_status()["leader_address"])


def can_unseal(cluster: Cluster, name: str) -> bool:
    try:
        cluster.unseal(name)
    except hvac.exceptions.InvalidRequest:
        return False
    return True


def can_write(server: ServerProcess, name: str) -> bool:
    try:
        server.client.secrets.kv.v2.create_or_update_secret(name, {"v": name})
    except hvac.exceptions.VaultError:
        return False
    return True


def read(server: ServerProcess, name: str) -> object:
    answer = server.client.secrets.kv.v2.read_secret_version(name, raise_on_deleted_version=True)
    return answer["data"]["data"]
