"""A real node, driven as in production, asked without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio

from core.moment import NANOSECONDS_PER_SECOND
from core.node.info import NodeInfo
from core.node.member import Node
from core.request import Operation, Request, Response
from core.settings import RaftSettings, Settings, StoreSettings
from core.wal.writer import SEGMENT_BYTES_MIN
from net import system
from net.data_directory import DataDirectory
from net.driver import Driver
from net.files import FileStorage
from net.http.application import answer
from net.memory import MemoryStorage
from net.peers import Peers
from net.storage import Storage

PATIENCE_S = 30.0
SETTINGS = Settings(
    raft=RaftSettings(
        heartbeat_ns=NANOSECONDS_PER_SECOND // 100,
        election_timeout_min_ns=NANOSECONDS_PER_SECOND // 20,
        election_timeout_max_ns=NANOSECONDS_PER_SECOND // 10,
    ),
    store=StoreSettings(
        segment_bytes=SEGMENT_BYTES_MIN,
        memtable_bytes_max=SEGMENT_BYTES_MIN // 4,
        trailing_bytes_max=SEGMENT_BYTES_MIN // 4,
    ),
)


class Driven:
    """A node and its driver.

    Attributes:
        driver: it.
        token: what its requests carry.
        keys: what opens it.
    """

    def __init__(self, path: Path | None = None, *, listens: bool = False) -> None:
        """Make a node in memory, or with what it keeps in the directory `path`.

        One that `listens` keeps its credentials and its membership there too.
        """
        self.token = ""
        self.keys: list[str] = []
        self.files: FileStorage | None = None
        self.peers: Peers | None = None
        self._directory: DataDirectory | None = None
        storage: Storage = MemoryStorage()
        name = "n1"
        if path is not None:
            self._directory = DataDirectory(path)
            storage = self.files = FileStorage(self._directory)
            name = self._directory.identity.node
            if listens:
                self.peers = Peers("127.0.0.1:0", path)
        recovered = storage.recover(SETTINGS.store.segment_bytes)
        info = NodeInfo(name, "one", "127.0.0.1:8201", "http://127.0.0.1:8200")
        entropy = system.SystemEntropy()
        node = Node(info, SETTINGS, entropy, storage.base, recovered, system.now())
        self.driver = Driver(node, storage, self.peers, int(PATIENCE_S * NANOSECONDS_PER_SECOND))

    def start(self) -> None:
        """Let its storage work."""
        if self.files is not None:
            self.files.start(self.driver.fail)

    def close(self) -> None:
        self.driver.audit_files.reopen()
        self.driver.close()
        if self._directory is not None:
            self._directory.close()

    async def ask(
        self,
        operation: Operation,
        path: str,
        body: dict[str, Any] | None = None,
    ) -> Response:
        """Ask and wait for the answer."""
        raw = msgspec.json.encode(body) if body is not None else b""
        request = Request(operation, path, self.token, raw)
        with trio.fail_after(PATIENCE_S):
            return await answer(self.driver, request)

    async def told(
        self, operation: Operation, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask and wait for an answer that is no error; return its body."""
        response = await self.ask(operation, path, body)
        assert response.status in {200, 204}, response.body
        decoded: dict[str, Any] = msgspec.json.decode(response.body) if response.body else {}
        return decoded

    async def initialise(self) -> None:
        """Begin a cluster of one, open it, mount KV at `secret/`."""
        body = await self.told("update", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.keys, self.token = body["keys"], body["root_token"]
        await self.unseal()
        mount = {"type": "kv", "options": {"version": "1"}}
        await self.told("update", "sys/mounts/secret", mount)

    async def unseal(self) -> None:
        """Open it, and wait until it leads."""
        assert not (await self.told("update", "sys/unseal", {"key": self.keys[0]}))["sealed"]
        with trio.fail_after(PATIENCE_S):
            while not self.driver.node.leads:  # noqa: ASYNC110 -- nothing tells it
                await trio.sleep(0.005)


@asynccontextmanager
async def running(driven: Driven) -> AsyncIterator[Driven]:
    """Run a node, and end it in order."""
    driven.start()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driven.driver.run)
            if driven.peers is not None:
                name = driven.driver.node.info.node
                nursery.start_soon(driven.peers.run, name, driven.driver.post)
            yield driven
            nursery.cancel_scope.cancel()
    finally:
        driven.close()
