"""The dev cluster as its users meet it."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests

from net.tls import read_certificates, read_identity
from tests.server.processes import HOLDFAST, PATIENCE_S, PipedProcess, ending, wait

pytestmark = pytest.mark.slow

RESTART_S_MAX = 1.0
KEYS = {"nodes", "root_token", "unseal_keys", "ca_cert"}
NODE_KEYS = {"id", "api_addr", "cluster_addr", "pid", "data"}


def quiet_port() -> int:
    """Return a port behind which those of three nodes are free, and stay so between two starts.

    They are below those that the kernel gives to whoever asks for any. Processes that test beside
    this one begin elsewhere.
    """
    begin = 10_000 + os.getpid() * 40 % 20_000
    for port in range(begin, begin + 2_000, 40):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for number in (port + 10 * node + role for node in (1, 2, 3) for role in (0, 1)):
                probe = stack.enter_context(socket.socket())
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", number))
            return port
    raise AssertionError("no quiet ports")


def begin(directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start `holdfast server` with what would lead it astray in the environment."""
    astray = {"VAULT_API_ADDR": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
    with (directory / "parent.log").open("ab") as log:
        return subprocess.Popen(
            (*HOLDFAST, "server", *arguments),
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **astray, "TMPDIR": str(directory)},
        )


class DevCluster(PipedProcess):
    """`holdfast server -dev-cluster=…` on free ports, ready; its process is the parent.

    Attributes:
        told: what it has printed.
        trusted: what a client is to verify by.
    """

    def __init__(self, directory: Path, *arguments: str) -> None:
        place = f"-dev-cluster-dir={directory / 'cluster'}"
        port = f"-dev-cluster-port={quiet_port()}"
        super().__init__(begin(directory, port, "-format=json", place, *arguments))
        line = self.line()
        if not line:
            self.end()
            raise AssertionError((directory / "parent.log").read_text())
        self.told: dict[str, Any] = json.loads(line)
        self.trusted = self.told["ca_cert"] or True

    def client(self, number: int) -> hvac.Client:
        told = self.told
        session = requests.Session()
        session.trust_env = False
        session.verify = self.trusted
        url = told["nodes"][number]["api_addr"]
        return hvac.Client(url, token=told["root_token"], session=session)

    def is_back(self, number: int) -> bool:
        """Tell whether a node is open and knows its leader."""
        client = self.client(number)
        try:
            leader = client.sys.read_leader_status()["leader_address"]
            return not client.sys.is_sealed() and bool(leader)
        except (OSError, hvac.exceptions.VaultError):
            return False


Start = Callable[..., DevCluster]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ending(partial(DevCluster, tmp_path)) as begin_one:
        yield begin_one


def kill(pid: int) -> None:
    """End a process as a power cut would, and wait until it has."""
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    select.select([descriptor], [], [], PATIENCE_S)
    os.close(descriptor)


def value_of(client: hvac.Client, name: str) -> dict[str, str]:
    read = client.secrets.kv.v2.read_secret_version(name, raise_on_deleted_version=True)
    values: dict[str, str] = read["data"]["data"]
    return values


@pytest.mark.parametrize("tls", [(), ("-dev-tls",)])
def test_the_cluster_survives_a_kill_and_opens_again(
    start: Start, tmp_path: Path, tls: tuple[str, ...]
) -> None:
    """A killed node is back by itself; with its directory the cluster starts again as it was."""
    cluster = start("-dev-cluster=3", *tls)
    told = cluster.told
    cluster.client(1).secrets.kv.v2.create_or_update_secret("a", {"b": "c"})
    kill(told["nodes"][0]["pid"])
    killed_at = time.monotonic()
    log = tmp_path / "parent.log"
    wait(lambda: b"node-1 has ended and starts again as " in log.read_bytes())
    away_s = time.monotonic() - killed_at
    wait(lambda: cluster.is_back(0))
    read = value_of(cluster.client(0), "a")
    ended = cluster.stop()
    again = start("-dev-cluster=3", *tls)
    read_again = [value_of(again.client(number), "a") for number in range(3)]

    assert {"b": "c"} == read
    assert [{"b": "c"}] * 3 == read_again
    assert away_s < RESTART_S_MAX
    assert (0, b"") == ended
    assert told["root_token"] == again.told["root_token"]
    assert told["ca_cert"] == again.told["ca_cert"]
    assert [node["api_addr"] for node in told["nodes"]] == [
        node["api_addr"] for node in again.told["nodes"]
    ]


def test_programs_are_told_all_they_need(start: Start, tmp_path: Path) -> None:
    cluster = start("-dev-cluster=2", "-dev-tls", "-dev-tls-san=vault.example.com")
    told = cluster.told
    place = tmp_path / "cluster"
    keys = place / "keys.json"

    assert KEYS == told.keys()
    assert [NODE_KEYS] * 2 == [node.keys() for node in told["nodes"]]
    assert ["node-1", "node-2"] == [node["id"] for node in told["nodes"]]
    assert [str(place / "node-1"), str(place / "node-2")] == [
        node["data"] for node in told["nodes"]
    ]
    assert str(place / "ca.pem") == told["ca_cert"]
    assert 0o600 == stat.S_IMODE(keys.stat().st_mode)
    assert {name: told[name] for name in ("root_token", "unseal_keys")} == json.loads(
        keys.read_bytes()
    )
    assert 5 == len(told["unseal_keys"])
    for node in told["nodes"]:
        shown = read_identity(place / f"{node['id']}-cert.pem", place / f"{node['id']}-key.pem")
        shown.chain[0].verify_directly_issued_by(read_certificates(place / "ca.pem")[0])
        answer = requests.get(
            f"{node['api_addr']}/v1/sys/health", verify=told["ca_cert"], timeout=PATIENCE_S
        )
        assert answer.json()["sealed"] is False


def test_all_vote_when_it_is_ready(start: Start) -> None:
    """So any one of them may die from then on."""
    cluster = start("-dev-cluster=3")
    read = cluster.client(0).read("sys/storage/raft/configuration")
    kill(cluster.told["nodes"][0]["pid"])

    def is_written() -> bool:
        try:
            cluster.client(2).secrets.kv.v2.create_or_update_secret("a", {"b": "c"})
        except hvac.exceptions.VaultError:
            return False
        return True

    wait(is_written)

    assert [True] * 3 == [server["voter"] for server in read["data"]["config"]["servers"]]


def test_people_are_told_how_to_use_and_to_stop_it(tmp_path: Path) -> None:
    """Without a directory nothing of it is left."""
    process = begin(tmp_path, "-dev-cluster=1", "-dev-tls", "-dev-cluster-port=0")
    assert process.stdout is not None
    said = ""
    while "Data: " not in said:
        line = process.stdout.readline().decode()
        if not line:
            process.wait()
            raise AssertionError((tmp_path / "parent.log").read_text())
        said += line
    keys = list(tmp_path.rglob("keys.json"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)

    listed = re.search(r"node-1  (https://127\.0\.0\.1:\d+)  kill -9 \d+\n", said)
    assert listed is not None
    assert f"$ export VAULT_ADDR='{listed[1]}'" in said
    assert f"$ export VAULT_CACERT='{tmp_path}/holdfast-" in said
    assert "$ export VAULT_TOKEN='" in said
    assert "Root Token: " in said
    assert [] == keys
    assert 0 == process.returncode
    assert ["parent.log"] == [file.name for file in tmp_path.iterdir()]


@pytest.mark.parametrize("tls", [(), ("-dev-tls",)])
def test_a_node_is_started_by_hand_too(start: Start, tmp_path: Path, tls: tuple[str, ...]) -> None:
    """From its configuration file, and opened with the keys."""
    cluster = start("-dev-cluster=1", *tls)
    cluster.client(0).secrets.kv.v2.create_or_update_secret("a", {"b": "c"})
    ended = cluster.stop()
    by_hand = begin(tmp_path, f"-config={tmp_path / 'cluster' / 'node-1.json'}")
    client = cluster.client(0)

    def is_open() -> bool:
        try:
            return not client.sys.submit_unseal_keys(cluster.told["unseal_keys"][:3])["sealed"]
        except (OSError, hvac.exceptions.VaultError):
            return False

    wait(is_open)
    wait(lambda: cluster.is_back(0))
    read = value_of(client, "a")
    by_hand.send_signal(signal.SIGTERM)
    by_hand.communicate(timeout=PATIENCE_S)

    assert ((0, b""), {"b": "c"}, 0) == (ended, read, by_hand.returncode)


def test_a_removed_member_does_not_keep_the_others(start: Start) -> None:
    cluster = start("-dev-cluster=3")
    kill(cluster.told["nodes"][2]["pid"])
    cluster.client(0).write("sys/storage/raft/remove-peer", server_id="node-3")
    cluster.stop()
    again = start("-dev-cluster=3")

    again.client(0).secrets.kv.v2.create_or_update_secret("a", {"b": "c"})

    assert {"b": "c"} == value_of(again.client(1), "a")


def test_a_cluster_grows_with_a_later_start(start: Start, tmp_path: Path) -> None:
    """What was there stays; who is new has a vote once it is ready. It does not shrink so."""
    cluster = start("-dev-cluster=1")
    cluster.client(0).secrets.kv.v2.create_or_update_secret("a", {"b": "c"})
    cluster.stop()
    grown = start("-dev-cluster=3")
    read = grown.client(1).read("sys/storage/raft/configuration")
    values = [value_of(grown.client(number), "a") for number in range(3)]
    grown.stop()
    smaller = begin(tmp_path, "-dev-cluster=2", f"-dev-cluster-dir={tmp_path / 'cluster'}")
    said, _ = smaller.communicate(timeout=PATIENCE_S)

    assert [("node-1", True), ("node-2", True), ("node-3", True)] == [
        (server["node_id"], server["voter"]) for server in read["data"]["config"]["servers"]
    ]
    assert [{"b": "c"}] * 3 == values
    assert (cluster.told["root_token"], cluster.told["nodes"][0]["api_addr"]) == (
        grown.told["root_token"],
        grown.told["nodes"][0]["api_addr"],
    )
    assert (1, b"") == (smaller.returncode, said)
    assert "has a cluster of 3 nodes: give -dev-cluster=3" in (tmp_path / "parent.log").read_text()


def test_the_nodes_end_with_their_parent(start: Start) -> None:
    """Even if it is killed."""
    cluster = start("-dev-cluster=3")
    nodes = [os.pidfd_open(node["pid"]) for node in cluster.told["nodes"]]
    cluster.process.kill()
    cluster.process.wait()
    ended = [select.select([node], [], [], PATIENCE_S)[0] for node in nodes]
    for node in nodes:
        os.close(node)

    assert [[node] for node in nodes] == ended


def test_nothing_is_started_where_somebody_else_listens(tmp_path: Path) -> None:
    """Whoever that is would be taken for a node, initialised, and handed the keys."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = begin(tmp_path, "-dev-cluster=1", f"-dev-cluster-port={port - 10}")
        said, _ = process.communicate(timeout=PATIENCE_S)

    log = (tmp_path / "parent.log").read_text()
    assert (1, b"") == (process.returncode, said)
    assert f"node-1 cannot listen on 127.0.0.1:{port}: it is in use" in log
    assert not (tmp_path / "cluster" / "node-1").exists()


def test_a_node_that_cannot_start_is_told_at_once(start: Start, tmp_path: Path) -> None:
    """With what it has said; the directory it was said in may be gone."""
    start("-dev-cluster=1").stop()
    (tmp_path / "cluster" / "node-1" / "identity.json").write_text("{}")
    process = begin(tmp_path, "-dev-cluster=1", f"-dev-cluster-dir={tmp_path / 'cluster'}")
    said, _ = process.communicate(timeout=PATIENCE_S)

    assert (1, b"") == (process.returncode, said)
    assert "node-1 has ended:\n" in (tmp_path / "parent.log").read_text()


def test_one_dev_cluster_runs_in_a_directory(start: Start, tmp_path: Path) -> None:
    cluster = start("-dev-cluster=1")
    process = begin(tmp_path, "-dev-cluster=1", f"-dev-cluster-dir={tmp_path / 'cluster'}")
    said, _ = process.communicate(timeout=PATIENCE_S)

    assert (1, b"") == (process.returncode, said)
    assert "a dev cluster runs in " in (tmp_path / "parent.log").read_text()
    assert cluster.is_back(0)


def test_a_node_that_ends_again_and_again_ends_all(start: Start, tmp_path: Path) -> None:
    """It would start for ever, and nobody would look."""
    cluster = start("-dev-cluster=1")
    (tmp_path / "cluster" / "node-1.json").write_text("{}")
    kill(cluster.told["nodes"][0]["pid"])
    cluster.process.wait(PATIENCE_S)

    assert 1 == cluster.process.returncode
    assert "node-1 has ended:\n" in (tmp_path / "parent.log").read_text()


def test_a_cluster_that_was_initialised_by_others_is_not_opened(
    start: Start, tmp_path: Path
) -> None:
    cluster = start("-dev-cluster=1")
    cluster.stop()
    (tmp_path / "cluster" / "keys.json").unlink()
    process = begin(tmp_path, "-dev-cluster=1", f"-dev-cluster-dir={tmp_path / 'cluster'}")
    said, _ = process.communicate(timeout=PATIENCE_S)

    assert (1, b"") == (process.returncode, said)
    assert "node-1 can't be initialised: " in (tmp_path / "parent.log").read_text()
