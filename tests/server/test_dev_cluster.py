"""The dev cluster as its users meet it."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest

pytestmark = pytest.mark.slow

_HOLDFAST = (sys.executable, "-c", "import sys; from server.cli import main; sys.exit(main())")
PATIENCE_S = 20.0


class DevCluster:
    """`holdfast server -dev-cluster=3`, ready."""

    def __init__(self, directory: Path) -> None:
        with (directory / "parent.log").open("ab") as log:
            self.process = subprocess.Popen(
                (
                    *_HOLDFAST,
                    "server",
                    "-dev-cluster=3",
                    "-dev-cluster-port=0",
                    f"-dev-cluster-dir={directory / 'cluster'}",
                    "-format=json",
                ),
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        self.told: dict[str, Any] = json.loads(self.process.stdout.readline())

    def client(self, number: int) -> hvac.Client:
        return hvac.Client(self.told["nodes"][number]["api_addr"], token=self.told["root_token"])

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], DevCluster]]:
    clusters: list[DevCluster] = []

    def begin() -> DevCluster:
        clusters.append(DevCluster(tmp_path))
        return clusters[-1]

    yield begin
    for cluster in clusters:
        cluster.end()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def wait(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)  # another process gives no sign when it changes


def test_the_cluster_is_ready_survives_a_kill_and_opens_again(
    start: Callable[[], DevCluster], tmp_path: Path
) -> None:
    """A killed node is back by itself; with its directory the cluster starts again as it was."""
    cluster = start()
    kv = cluster.client(1).secrets.kv.v2
    kv.create_or_update_secret("a", {"b": "c"})
    keys = tmp_path / "cluster" / "keys.json"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert len(cluster.told["unseal_keys"]) == 5
    killed = cluster.told["nodes"][0]
    os.kill(killed["pid"], signal.SIGKILL)
    returned = cluster.client(0)

    def is_back() -> bool:
        try:
            return not returned.sys.is_sealed() and bool(
                returned.sys.read_leader_status()["leader_address"]
            )
        except (OSError, hvac.exceptions.VaultError):
            return False

    wait(lambda: not is_running(killed["pid"]))
    wait(is_back)
    read = returned.secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)
    assert read["data"]["data"] == {"b": "c"}

    cluster.process.send_signal(signal.SIGTERM)
    assert cluster.process.wait(PATIENCE_S) == 0
    again = start()
    assert again.told["root_token"] == cluster.told["root_token"]
    client = again.client(2)
    wait(lambda: bool(client.sys.read_leader_status()["leader_address"]))
    read = client.secrets.kv.v2.read_secret_version("a", raise_on_deleted_version=True)
    assert read["data"]["data"] == {"b": "c"}


def test_the_nodes_end_with_their_parent(start: Callable[[], DevCluster]) -> None:
    """Even if it is killed."""
    cluster = start()
    pids = [node["pid"] for node in cluster.told["nodes"]]
    cluster.process.kill()
    cluster.process.wait()

    wait(lambda: not any(is_running(pid) for pid in pids))
