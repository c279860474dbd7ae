"""The dev cluster: real, durable nodes as processes on this machine, kept running and open.

Owns the children and what is told of them. Works through their API, like an operator with the keys
at hand. With a directory the cluster outlives this process; without one it ends with it.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import httpx
import trio

from server.config.configuration import LogLevel
from server.dev_layout import DevClusterError, Keys, Layout, Node, Options, locked
from server.ports import is_free
from server.shell import export_lines

SHARES: Final = 5
THRESHOLD: Final = 3
START_S_MAX: Final = 30.0
RESTART_PAUSE_S: Final = 0.2
SHORT_LIFE_S: Final = 2.0
SHORT_LIVES_MAX: Final = 5
"""A node that ends so often so soon after its start will not do better: all ends."""
STOP_S_MAX: Final = 15.0
POLL_S: Final = 0.05
PATIENCE_S: Final = 5.0
"""How long one request may take."""
LOG_TAIL_BYTES_MAX: Final = 1000

_CHILD: Final = """
import sys
from server.cli import main
from server.parent import end_with_parent

end_with_parent(int(sys.argv[1]))
sys.exit(main(sys.argv[2:]))
"""
# They would win over the configuration files, and all nodes would take themselves for one.
_OVERRIDES: Final = frozenset(
    {"VAULT_API_ADDR", "VAULT_CLUSTER_ADDR", "VAULT_RAFT_NODE_ID", "VAULT_RAFT_PATH"}
)
_ROOT: Final = Path(__file__).resolve().parents[1]
_OK: Final = 200
_SERVER_FAULT: Final = 500

Announce = Callable[["DevCluster"], None]


class DevCluster:
    """A cluster of processes."""

    def __init__(self, layout: Layout, log_level: LogLevel | None, *, keeps_keys: bool) -> None:
        """Get ready to run.

        Args:
            layout: the nodes, and what is there of them.
            log_level: what they log; None: what their configuration says.
            keeps_keys: write what opens them into the directory, for a second start.

        Raises:
            DevClusterError: somebody listens where a node is to, and would be taken for it.
        """
        self.layout = layout
        self._keeps_keys = keeps_keys
        for node in layout.nodes:
            for url in (node.api_addr, node.cluster_addr):
                host, _, port = url.partition("://")[2].rpartition(":")
                if not is_free(host, int(port)):
                    raise DevClusterError(f"{node.id} cannot listen on {host}:{port}: it is in use")
        self._extra = (f"-log-level={log_level}",) if log_level else ()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keys = layout.keys
        self._keyed = trio.Event()
        self._is_open = False
        self._failure = ""
        verified = ssl.create_default_context(cafile=layout.authority_file)
        # A proxy from the environment must not come between this machine and itself.
        self._client = httpx.AsyncClient(verify=verified, timeout=PATIENCE_S, trust_env=False)

    # -- running ----------------------------------------------------------------------------

    async def run(self, announce: Announce) -> None:
        """Start all nodes, open them, say so, and keep them so until a signal.

        Raises:
            DevClusterError: they do not come up.
        """
        try:
            async with self._client, trio.open_nursery() as nursery:
                everything = nursery.cancel_scope
                nursery.start_soon(self._heed_signals, everything)
                for node in self.layout.nodes:
                    nursery.start_soon(self._keep, node, everything)
                try:
                    with trio.fail_after(START_S_MAX):
                        await self._open()
                except (DevClusterError, trio.TooSlowError) as error:
                    self._failure = str(error) or f"not ready after {START_S_MAX} s"
                    everything.cancel()
                else:
                    self._is_open = True
                    announce(self)
        finally:
            self._stop()
        if self._failure:
            raise DevClusterError(self._failure)

    async def _heed_signals(self, everything: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                everything.cancel()
                return

    async def _keep(self, node: Node, everything: trio.CancelScope) -> None:
        """Run a node and open it, again and again."""
        short_lives = 0
        while True:
            process = self._start(node)
            started_s = trio.current_time()
            async with trio.open_nursery() as life:
                life.start_soon(self._unseal, node)
                await _end_of(process)
                life.cancel_scope.cancel()
            is_short = trio.current_time() - started_s < SHORT_LIFE_S
            short_lives = short_lives + 1 if is_short else 0
            if not self._is_open or short_lives >= SHORT_LIVES_MAX:
                self._failure = f"{node.id} has ended:\n{_tail(node.log)}"
                everything.cancel()
            await trio.sleep(RESTART_PAUSE_S)

    def _start(self, node: Node) -> subprocess.Popen[bytes]:
        # From this thread: the kernel ends a child when the thread ends that has started it.
        command = ("server", f"-config={node.configuration}", *self._extra)
        with node.log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 -- our own interpreter and program
                (sys.executable, "-P", "-c", _CHILD, str(os.getpid()), *command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(),
            )
        if self._is_open:
            click.echo(f"{node.id} has ended and starts again as {process.pid}", err=True)
        self._processes[node.id] = process
        return process

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_S_MAX
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # -- opening ----------------------------------------------------------------------------

    async def _open(self) -> None:
        """Initialise the cluster if it is new, and wait until all of it is ready for use."""
        first = self.layout.nodes[0]
        is_new = self._keys is None
        if is_new:
            await self._answer(first, "sys/seal-status")
            shares = {"secret_shares": SHARES, "secret_threshold": THRESHOLD}
            made = await self._ask("PUT", first, "sys/init", shares)
            if made is None or made.status_code != _OK:
                reason = made.text.strip() if made is not None else "no answer"
                raise DevClusterError(f"{first.id} can't be initialised: {reason}")
            said = _decoded(made)
            self._keys = Keys(said["root_token"], said["keys_base64"])
            if self._keeps_keys:
                self.layout.keep(self._keys)
        self._keyed.set()
        for node in self.layout.nodes:
            await _until(partial(self._is_ready, node))
        if is_new:
            await _until(self._is_mounted)
        await _until(self._have_votes)

    async def _is_mounted(self) -> bool:
        """Mount KV version 2, and tell whether it is: there is no telling after a 5xx."""
        mount = {"type": "kv", "options": {"version": "2"}}
        response = await self._ask("PUT", self.layout.nodes[0], "sys/mounts/secret", mount)
        # A 400 says that an earlier attempt has succeeded.
        return response is not None and response.status_code < _SERVER_FAULT

    async def _is_ready(self, node: Node) -> bool:
        """Tell whether a node is open and knows a leader; one that was removed never will."""
        health = await self._answer(node, "sys/health")
        if health.get("ha_connection_healthy") or "removed_from_cluster" in health:
            return True
        # One that was away when it was removed does not know.
        return not health.get("sealed", True) and await self._is_left_out(node)

    async def _is_left_out(self, node: Node) -> bool:
        """Tell whether the others say that a node is no member."""
        servers = await self._members()
        return bool(servers) and all(server["node_id"] != node.id for server in servers)

    async def _have_votes(self) -> bool:
        """Tell whether those that are new have caught up, so that any one may die."""
        voters = {server["node_id"] for server in await self._members() if server["voter"]}
        return self.layout.added <= voters

    async def _members(self) -> list[dict[str, Any]]:
        """Return the members of the cluster, as the first node knows them that does."""
        for node in self.layout.nodes:
            response = await self._ask("GET", node, "sys/storage/raft/configuration")
            body = _decoded(response) if response is not None else {}
            if "data" in body:
                servers: list[dict[str, Any]] = body["data"]["config"]["servers"]
                return servers
        return []

    async def _unseal(self, node: Node) -> None:
        """Give a node its shares until it is open; a joiner first waits to be challenged."""
        await self._keyed.wait()
        assert self._keys is not None
        while True:
            status = await self._answer(node, "sys/seal-status")
            if not status.get("sealed", True) or "removed_from_cluster" in status:
                return
            if status.get("t") == THRESHOLD:
                for key in self._keys.unseal_keys[:THRESHOLD]:
                    await self._ask("PUT", node, "sys/unseal", {"key": key})
            await trio.sleep(POLL_S)

    async def _answer(self, node: Node, path: str) -> dict[str, Any]:
        """Wait until a node answers; return what it says."""
        while True:
            response = await self._ask("GET", node, path)
            if response is not None:
                return _decoded(response)
            await trio.sleep(POLL_S)

    async def _ask(
        self, method: str, node: Node, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response | None:
        """Return the response of a node, or None if there is none."""
        headers = {"X-Vault-Token": self._keys.root_token} if self._keys is not None else {}
        url = f"{node.api_addr}/v1/{path}"
        try:
            return await self._client.request(method, url, json=body, headers=headers)
        except httpx.TransportError:
            return None

    # -- telling ----------------------------------------------------------------------------

    def announce_json(self) -> None:
        """Tell programs of the cluster, in one line."""
        assert self._keys is not None
        authority = self.layout.authority_file
        described = {
            "nodes": [
                {
                    "id": node.id,
                    "api_addr": node.api_addr,
                    "cluster_addr": node.cluster_addr,
                    "pid": self._processes[node.id].pid,
                    "data": str(node.data),
                }
                for node in self.layout.nodes
            ],
            "root_token": self._keys.root_token,
            "unseal_keys": self._keys.unseal_keys,
            "ca_cert": str(authority) if authority is not None else None,
        }
        click.echo(json.dumps(described))

    def announce_table(self) -> None:
        """Tell people of the cluster."""
        assert self._keys is not None
        exports = {"VAULT_ADDR": self.layout.nodes[0].api_addr}
        if self.layout.authority_file is not None:
            exports["VAULT_CACERT"] = str(self.layout.authority_file)
        exports["VAULT_TOKEN"] = self._keys.root_token
        nodes = "\n".join(
            f"    {node.id}  {node.api_addr}  kill -9 {self._processes[node.id].pid}"
            for node in self.layout.nodes
        )
        click.echo(
            "The dev cluster runs until Ctrl-C. A node that is killed starts again by itself:"
            f"\n\n{nodes}\n\nThese let the other commands reach it:\n\n{export_lines(exports)}\n"
            f"\nRoot Token: {self._keys.root_token}"
            f"\n{'Data and keys' if self._keeps_keys else 'Data'}: {self.layout.directory}\n"
        )


def run(directory: Path | None, options: Options, log_level: LogLevel | None, form: str) -> None:
    """Run a dev cluster until a signal says to stop.

    Args:
        directory: where it keeps what it keeps; None: in a directory that ends with it.
        options: what it is like.
        log_level: what its nodes log; None: what their configuration says.
        form: how to tell of it, `table` or `json`.

    Raises:
        DevClusterError: it can't be set up.
    """
    announce = DevCluster.announce_json if form == "json" else DevCluster.announce_table
    keeps_keys = directory is not None
    with ExitStack() as stack:
        if directory is None:
            temporary = tempfile.TemporaryDirectory(prefix="holdfast-")
            directory = Path(stack.enter_context(temporary))
        # Before anything is laid out: who runs there would find other files than its own.
        stack.enter_context(locked(directory))
        layout = Layout(directory, options)
        trio.run(DevCluster(layout, log_level, keeps_keys=keeps_keys).run, announce)


async def _until(met: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await met():
            return
        await trio.sleep(POLL_S)


async def _end_of(process: subprocess.Popen[bytes]) -> None:
    descriptor = os.pidfd_open(process.pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    process.wait()


def _environment() -> dict[str, str]:
    """Return that of the nodes, who find the same program as this process, and no proxy."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _OVERRIDES and not name.lower().endswith("_proxy")
    }
    places = [str(_ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(places)}


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES_MAX))
        return file.read().decode(errors="replace").strip()


def _decoded(response: httpx.Response) -> dict[str, Any]:
    decoded: dict[str, Any] = response.json() if response.content else {}
    return decoded
