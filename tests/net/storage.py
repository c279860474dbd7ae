"""The storage of one node on disk, driven by hand."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from core import effects, events
from core.raft.entry import Entry, HardState
from core.store.base import BaseMeta
from core.store.memtable import Memtable
from core.wal.recovery import Recovered
from core.wal.writer import SEGMENT_BYTES_MIN, Writer
from net.data_directory import DataDirectory
from net.files import FileStorage
from net.storage import StorageEffect
from tests.core.wal.disk import entries

PATIENCE_S = 30.0


class Life:
    """One life of a storage: from a start to an end.

    Attributes:
        storage: it.
        recovered: what the log said.
        done: what the node was told.
        failures: why it can't go on.
    """

    def __init__(self, path: Path) -> None:
        self.directory = DataDirectory(path)
        self.done: list[events.Event] = []
        self.failures: list[str] = []
        self._told = trio.Event()
        try:
            self.storage = FileStorage(self.directory)
            self.recovered: Recovered = self.storage.recover(SEGMENT_BYTES_MIN)
        except BaseException:
            self.directory.close()
            raise

    @property
    def writer(self) -> Writer:
        return self.recovered.writer

    def start(self) -> None:
        self.storage.start(self._take_failure)

    def put(self, effect: StorageEffect) -> None:
        self.storage.carry_out(effect, self._take)

    def _take(self, event: events.Event) -> None:
        self.done.append(event)
        self._told.set()

    def _take_failure(self, reason: str) -> None:
        self.failures.append(reason)
        self._told.set()

    async def told(self, count: int) -> list[events.Event]:
        """Wait until the node has been told so much, or of a failure; return it all."""
        with trio.fail_after(PATIENCE_S):
            while len(self.done) < count and not self.failures:
                self._told = trio.Event()
                await self._told.wait()
        return self.done

    async def carry_out(self, *several: StorageEffect) -> list[events.Event]:
        """Carry out effects that the node is told about; return what it was told."""
        before = len(self.done)
        for effect in several:
            self.put(effect)
        return (await self.told(before + len(several)))[before:]

    async def append(self, *batch: Entry) -> None:
        """Write entries, durably, into a new segment if it has to be."""
        wanted = self.writer.wants_segment()
        if wanted is not None:
            await self.carry_out(effects.PrepareSegment(wanted.number, wanted.size))
            self.writer.segment_ready(wanted.number)
        written = self.writer.append(HardState(batch[-1].term, "a"), list(batch))
        await self.carry_out(effects.WriteLog(written.sequence, written.writes))
        self.writer.durable(written.sequence)

    async def fill(self, count: int) -> None:
        """Append entries one by one, each a third of a segment."""
        for entry in entries(1, count, size=SEGMENT_BYTES_MIN // 3):
            await self.append(entry)

    async def flush(self, meta: BaseMeta, **values: str) -> events.Event:
        """Flush these values; return what the node was told."""
        return (await self.carry_out(flushing(meta, **values)))[0]

    async def drop(self, first_index_needed: int) -> None:
        """Cut the log, and wait until that is done."""
        self.put(effects.DropSegments(self.writer.droppable(first_index_needed)))
        await self.carry_out(effects.WriteLog(0, ()))

    async def base_idle(self) -> None:
        """Wait until the thread of the base has nothing left to do."""
        idle = trio.Event()
        self.storage._file_base.worker.put(lambda: self.storage._loop.tell(idle.set))
        with trio.fail_after(PATIENCE_S):
            await idle.wait()

    def values(self) -> dict[bytes, bytes]:
        return dict(self.storage.base.iterate(b"", b"\xff"))

    def close(self) -> None:
        self.storage.close()
        self.directory.close()


def flushing(meta: BaseMeta, **values: str) -> effects.FlushBase:
    table = Memtable()
    for key, value in values.items():
        table.put(key.encode(), value.encode())
    return effects.FlushBase(meta, table)


@asynccontextmanager
async def living(path: Path) -> AsyncIterator[Life]:
    """Start a storage, and end it in order."""
    life = Life(path)
    life.start()
    try:
        yield life
    finally:
        life.close()


def killed(path: Path, times: int = 1) -> Path:
    """Return the directory as it is when its process is killed now."""
    copy = path.with_name(f"{path.name}-killed-{times}")
    shutil.copytree(path, copy)
    return copy


def damage(path: Path, value: bytes) -> None:
    """Change one bit of the base."""
    file = next((path / "store").glob("base-*/data.mdb"))
    content = bytearray(file.read_bytes())
    content[content.index(value)] ^= 1
    file.write_bytes(content)


async def install(life: Life, meta: BaseMeta) -> None:
    """Stage a snapshot after one that was given up, and put it in place."""
    await life.carry_out(
        effects.StageSnapshot(4, 0, [(b"given", b"up")]),
        effects.StageSnapshot(5, 0, [(b"b", b"2")]),
        effects.StageSnapshot(5, 1, [(b"c", b"3")]),
    )
    assert [events.BaseReplaced(5)] == await life.carry_out(effects.ReplaceBase(5, meta))


async def killed_after_a_flush(tmp_path: Path, *, cut: bool) -> Path:
    """Return the directory of a node that was killed; its log may be cut behind the base."""
    path = tmp_path / "data"
    async with living(path) as life:
        await life.fill(4)
        await life.flush(BaseMeta(3, 1), a="somewhat long")
        if cut:
            await life.drop(4)
        return killed(path)
