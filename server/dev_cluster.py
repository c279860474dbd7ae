"""The dev cluster: real, durable nodes as processes on this machine, kept running and open.

Owns the children, their directory and the keys. Works through their API, like an operator with the
keys at hand. With a directory the cluster outlives this process; without one it ends with it.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click
import httpx
import msgspec
import trio

from net.durably import write_durably

NODES_MAX: Final = 7
PORT_DEFAULT: Final = 8200
PORT_STEP: Final = 10
SHARES: Final = 5
THRESHOLD: Final = 3
START_S_MAX: Final = 30.0
RESTART_PAUSE_S: Final = 0.2
STOP_S_MAX: Final = 15.0
POLL_S: Final = 0.05

_PR_SET_PDEATHSIG: Final = 1
_CHILD: Final = """
import sys
from server.cli import main
from server.dev_cluster import end_with_parent

end_with_parent(int(sys.argv[1]))
sys.exit(main(sys.argv[2:]))
"""
_OK: Final = (200, 204)


class DevClusterError(Exception):
    """The cluster can't be set up; the message says why."""


class Node(msgspec.Struct):
    """One child.

    Attributes:
        id: its label.
        api_addr: the URL where clients reach it.
        cluster_addr: the URL where the others do.
        data: its data directory.
        configuration: the file that starts it by hand too.
        process: the running process.
    """

    id: str
    api_addr: str
    cluster_addr: str
    data: Path
    configuration: Path
    process: subprocess.Popen[bytes] | None = None


class Keys(msgspec.Struct, frozen=True):
    """What opens the cluster; kept in `keys.json`."""

    root_token: str
    unseal_keys: list[str]


class DevCluster:
    """A cluster of processes."""

    def __init__(self, count: int, directory: Path, port: int) -> None:
        """Lay out `count` nodes in `directory`, from the port on; 0 takes free ports."""
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._nodes = [self._lay_out(number, port) for number in range(1, count + 1)]
        self._keys: Keys | None = None
        self._client = httpx.AsyncClient(timeout=5.0)
        self._stopping = False

    def _lay_out(self, number: int, port: int) -> Node:
        name = f"node{number}"
        file = self._directory / f"{name}.json"
        if file.exists():
            known = json.loads(file.read_text())
            api_addr, cluster_addr = known["api_addr"], known["cluster_addr"]
        else:
            api, peers = _ports(number, port)
            api_addr, cluster_addr = f"http://127.0.0.1:{api}", f"https://127.0.0.1:{peers}"
        node = Node(name, api_addr, cluster_addr, self._directory / name, file)
        storage: dict[str, Any] = {"path": str(node.data), "node_id": name}
        if number > 1:
            storage["retry_join"] = [{"leader_api_addr": self._first_address(node)}]
        listener = {
            "address": api_addr.removeprefix("http://"),
            "cluster_address": cluster_addr.removeprefix("https://"),
            "tls_disable": True,
        }
        text = {
            "storage": {"raft": storage},
            "listener": {"tcp": listener},
            "api_addr": api_addr,
            "cluster_addr": cluster_addr,
            "disable_mlock": True,
        }
        write_durably(file, json.dumps(text, indent=2).encode())
        return node

    def _first_address(self, node: Node) -> str:
        first = self._directory / "node1.json"
        return str(json.loads(first.read_text())["api_addr"]) if first.exists() else node.api_addr

    # -- running ----------------------------------------------------------------------------

    async def run(self, form: str) -> None:
        """Start all nodes, open them, say so, and keep them so until a signal."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heed_signals, nursery.cancel_scope)
            try:
                for node in self._nodes:
                    self._start(node)
                with trio.fail_after(START_S_MAX):
                    await self._open()
                self._announce(form)
                for node in self._nodes:
                    nursery.start_soon(self._keep, node)
                await trio.sleep_forever()
            except trio.TooSlowError:
                raise DevClusterError(f"the nodes do not answer; see {self._directory}") from None
            finally:
                self._stop()

    async def _heed_signals(self, everything: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                everything.cancel()
                return

    def _start(self, node: Node) -> None:
        log = self._directory / f"{node.id}.log"
        with log.open("ab") as output:
            parent = str(os.getpid())
            node.process = subprocess.Popen(  # noqa: S603 -- our own interpreter and program
                (sys.executable, "-c", _CHILD, parent, "server", f"-config={node.configuration}"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _stop(self) -> None:
        self._stopping = True
        running = [node.process for node in self._nodes if node.process is not None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()

    async def _keep(self, node: Node) -> None:
        """Start a node again whenever it has died, and open it."""
        while not self._stopping:
            assert node.process is not None
            await trio.to_thread.run_sync(node.process.wait, abandon_on_cancel=True)
            await trio.sleep(RESTART_PAUSE_S)
            self._start(node)
            await self._unseal(node)

    # -- opening ----------------------------------------------------------------------------

    async def _open(self) -> None:
        first = self._nodes[0]
        file = self._directory / "keys.json"
        await self._answers(first)
        fresh = not file.exists()
        if fresh:
            shares = {"secret_shares": SHARES, "secret_threshold": THRESHOLD}
            made = await self._call(first, "sys/init", shares)
            self._keys = Keys(made["root_token"], made["keys_base64"])
            write_durably(file, msgspec.json.encode(self._keys))
        else:
            self._keys = msgspec.json.decode(file.read_bytes(), type=Keys)
        for node in self._nodes:
            await self._unseal(node)
        if fresh:
            mount = {"type": "kv", "options": {"version": "2"}}
            await self._call(first, "sys/mounts/secret", mount)

    async def _answers(self, node: Node) -> dict[str, Any]:
        """Wait until a node listens; return its seal status."""
        while True:
            try:
                response = await self._client.get(f"{node.api_addr}/v1/sys/seal-status")
            except httpx.HTTPError:
                await trio.sleep(POLL_S)
            else:
                status: dict[str, Any] = response.json()
                return status

    async def _unseal(self, node: Node) -> None:
        """Give a node its shares until it is open; a joiner first waits to be challenged."""
        assert self._keys is not None
        while not self._stopping:
            status = await self._answers(node)
            if not status["sealed"]:
                return
            if status["t"] == THRESHOLD:
                for key in self._keys.unseal_keys[:THRESHOLD]:
                    await self._client.put(f"{node.api_addr}/v1/sys/unseal", json={"key": key})
            await trio.sleep(4 * POLL_S)

    async def _call(self, node: Node, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"X-Vault-Token": self._keys.root_token} if self._keys is not None else {}
        url = f"{node.api_addr}/v1/{path}"
        response = await self._client.put(url, json=body, headers=headers)
        if response.status_code not in _OK:
            raise DevClusterError(f"{path}: {response.text.strip()}")
        decoded: dict[str, Any] = response.json() if response.content else {}
        return decoded

    # -- telling ----------------------------------------------------------------------------

    def _announce(self, form: str) -> None:
        assert self._keys is not None
        if form == "json":
            click.echo(json.dumps(self._described()))
        else:
            lines = [f"  {node.id}  {node.api_addr}" for node in self._nodes]
            click.echo(
                "The dev cluster runs; press Ctrl-C to stop it, or kill one node to see what"
                " happens:\n\n"
                + "\n".join(
                    f"{line}  kill -9 {node.process.pid}"
                    for line, node in zip(lines, self._nodes, strict=True)
                    if node.process is not None
                )
                + f"\n\n    $ export VAULT_ADDR='{self._nodes[0].api_addr}'"
                f"\n    $ export VAULT_TOKEN='{self._keys.root_token}'\n"
            )
        sys.stdout.flush()

    def _described(self) -> dict[str, Any]:
        assert self._keys is not None
        return {
            "nodes": [
                {
                    "id": node.id,
                    "api_addr": node.api_addr,
                    "cluster_addr": node.cluster_addr,
                    "pid": node.process.pid if node.process is not None else 0,
                    "data": str(node.data),
                }
                for node in self._nodes
            ],
            "root_token": self._keys.root_token,
            "unseal_keys": self._keys.unseal_keys,
            "ca_cert": None,
        }


def run(count: int, directory: str, port: int, form: str) -> None:
    """Run a dev cluster until a signal says to stop.

    Raises:
        DevClusterError: it can't be set up.
    """
    if directory:
        cluster = DevCluster(count, Path(directory).absolute(), port)
        trio.run(cluster.run, form)
        return
    with tempfile.TemporaryDirectory(prefix="holdfast-") as temporary:
        trio.run(DevCluster(count, Path(temporary), port).run, form)


def _ports(number: int, port: int) -> tuple[int, int]:
    if port:
        return port + PORT_STEP * number, port + PORT_STEP * number + 1
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process, a child, when its parent dies, however that comes."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
