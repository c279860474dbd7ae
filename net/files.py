"""Storage on disk: the log in segment files, the base in LMDB, and one thread for both.

Owns the thread and the order of its work: writes of the log come before anything else, also
between two steps of a flush. A failure is never tried again: after a failed sync the kernel may
have dropped what was not written (Rebello et al., ATC'20), so the node stops and recovers.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

import lmdb
import structlog
import trio

from core import effects, events
from core.events import Event
from core.store.base import BaseMeta
from net.data_directory import DataDirectory, write_durably
from net.lmdb_base import BaseDamaged, LmdbBase
from net.storage import Done, StorageEffect
from net.wal_files import NoRoom, StorageFailed, WalFiles

_NO_SPACE: Final = "No space left on device"
_log = structlog.get_logger("holdfast.storage")

Failed = Callable[[str], None]
"""Told, in the thread of the loop, that the storage can't go on."""


class FileStorage:
    """The storage of one node, on disk.

    Attributes:
        wal: the files of the log.
        base: the durable state.
    """

    def __init__(self, directory: DataDirectory) -> None:
        """Open the log and the base; a damaged base is set aside, to be rebuilt from the log."""
        self.wal = WalFiles(directory.wal())
        self._store = directory.store
        self._suspect = directory.store / "suspect"
        self._current = directory.store / "current"
        self._generation = int(self._current.read_text()) if self._current.exists() else 1
        self.base = self._open_base()
        write_durably(self._suspect, b"")
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._flush: Iterator[None] | None = None
        self._loop: trio.lowlevel.TrioToken | None = None
        self._failed: Failed = _ignore
        self._thread = Thread(target=self._work, name="storage", daemon=True)

    def start(self, failed: Failed) -> None:
        """Begin to work; call it in the thread of the loop.

        Args:
            failed: is told why the storage can't go on.
        """
        self._loop = trio.lowlevel.current_trio_token()
        self._failed = failed
        self._thread.start()

    def carry_out(self, effect: StorageEffect, done: Done) -> None:
        """Put it before the thread."""
        match effect:
            case effects.WriteLog():
                self._jobs.put(lambda: self._write_log(effect, done))
            case effects.PrepareSegment():
                self._jobs.put(lambda: self._prepare(effect, done))
            case effects.DropSegments():
                self._jobs.put(lambda: self.wal.drop(effect.below))
            case effects.FlushBase():
                self._jobs.put(lambda: self._begin_flush(effect, done))
            case effects.StageSnapshot():
                self._jobs.put(lambda: self._stage(effect, done))
            case effects.ReplaceBase():
                self._jobs.put(lambda: self._replace(effect, done))

    def close(self) -> None:
        """Finish what is under way; the base is known to be whole then."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self.wal.close()
        self.base.close()
        self._suspect.unlink(missing_ok=True)

    # -- in the thread ----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while True:
                job = self._next_job()
                if job is None:
                    return
                job()
        except (StorageFailed, OSError, lmdb.Error, BaseDamaged) as error:
            self._tell(self._failed, str(error))

    def _next_job(self) -> Callable[[], None] | None:
        """Return what to do next; None at the end. A flush goes on while nothing else waits."""
        while self._flush is not None:
            try:
                return self._jobs.get_nowait()
            except Empty:
                if next(self._flush, self) is self:
                    self._flush = None
        return self._jobs.get()

    def _write_log(self, effect: effects.WriteLog, done: Done) -> None:
        self.wal.write(effect.writes)
        self.wal.sync()
        self._tell(done, events.LogWritten(effect.sequence))

    def _prepare(self, effect: effects.PrepareSegment, done: Done) -> None:
        event: Event = events.SegmentReady(effect.number)
        try:
            self.wal.prepare(effect.number, effect.size)
        except NoRoom as error:
            event = events.SegmentRefused(effect.number, str(error))
        self._tell(done, event)

    def _begin_flush(self, effect: effects.FlushBase, done: Done) -> None:
        self._flush = self._flush_steps(effect, done)

    def _flush_steps(self, effect: effects.FlushBase, done: Done) -> Iterator[None]:
        index = effect.meta.index
        try:
            yield from self.base.merge(effect.meta, effect.changes.changes())
        except lmdb.Error as error:
            if _NO_SPACE not in str(error):
                raise
            self._tell(done, events.BaseFlushRefused(index, str(error)))
        else:
            self._tell(self._flushed, done, index)

    def _stage(self, effect: effects.StageSnapshot, done: Done) -> None:
        if effect.number == 0:
            shutil.rmtree(self._next, ignore_errors=True)
            self._next.mkdir(mode=0o700)
        incoming = LmdbBase(self._next)
        for _ in incoming.merge(BaseMeta(), effect.items):
            pass
        incoming.close()
        self._tell(done, events.SnapshotStaged(effect.snapshot, effect.number))

    def _replace(self, effect: effects.ReplaceBase, done: Done) -> None:
        incoming = LmdbBase(self._next)
        for _ in incoming.merge(effect.meta, ()):
            pass
        incoming.close()
        # From here on the next start opens the new base; this process does so in the loop.
        write_durably(self._current, str(self._generation + 1).encode())
        self._tell(self._replaced, done, effect.snapshot)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        self._loop.run_sync_soon(what, *arguments)

    # -- in the loop ------------------------------------------------------------------------

    def _flushed(self, done: Done, index: int) -> None:
        self.base.refresh()
        done(events.BaseFlushed(index))

    def _replaced(self, done: Done, snapshot: int) -> None:
        former = self._path
        self._generation += 1
        self.base.move_to(self._path)
        shutil.rmtree(former)
        done(events.BaseReplaced(snapshot))

    # -- opening ----------------------------------------------------------------------------

    @property
    def _path(self) -> Path:
        return self._store / f"base-{self._generation}"

    @property
    def _next(self) -> Path:
        return self._store / f"base-{self._generation + 1}"

    def _open_base(self) -> LmdbBase:
        path = self._path
        for other in self._store.glob("base-*"):
            if other != path:
                shutil.rmtree(other)
        path.mkdir(mode=0o700, exist_ok=True)
        try:
            base = LmdbBase(path)
            if self._suspect.exists():
                base.verify()
        except BaseDamaged as damage:
            _log.error("the base is damaged and is rebuilt from the log", reason=str(damage))
            aside = self._store / "damaged"
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            return self._open_base_anew(path)
        return base

    @staticmethod
    def _open_base_anew(path: Path) -> LmdbBase:
        path.mkdir(mode=0o700)
        base = LmdbBase(path)
        if base.meta != BaseMeta():
            raise StorageFailed("a new base is not empty")
        return base


def _ignore(_reason: str) -> None:
    """Nobody has asked to be told yet."""
