"""Storage on disk: the log in segment files, the base in LMDB, and one thread for both.

Owns the thread and the order of its work: between two short steps of a flush it writes the log.
A failure is never tried again: after a failed sync the kernel may have dropped what was not
written (Rebello et al., ATC'20), so the node stops and recovers.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Generator
from functools import partial
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Final

import structlog
import trio

from core import effects, events
from core.wal.recovery import Recovered, WalDamaged, WalForeign, recover
from core.wal.writer import SEGMENT_BYTES_MIN
from net import membership
from net.base_directory import BaseDirectory
from net.data_directory import DataDirectory, DataDirectoryError
from net.durably import NO_ROOM
from net.lmdb_base import SLICE_RECORDS_MAX, BaseFull
from net.storage import Done, StorageEffect
from net.wal_files import NoRoom, WalFiles

SCRUB_PAUSE_S: Final = 1.0
"""Between two steps of the scrub: a million records take half an hour."""
FLUSH_PAUSE_S: Final = 0.004
"""Between two steps of a flush, so that the loop keeps most of the time."""
RETRY_PAUSE_S: Final = 1.0
"""Before a snapshot is put in place again for which there was no room."""
LOAN_S_MAX: Final = 0.01
"""How long the loop waits for a step, or a step for the loop; both go on then."""

_log = structlog.get_logger("holdfast.storage")

Failed = Callable[[str], None]
"""Told, in the thread of the loop, that the storage can't go on."""


class FileStorage:
    """The storage of one node, on disk.

    Attributes:
        wal: the files of the log.
    """

    def __init__(self, directory: DataDirectory) -> None:
        """Open the log and the base; a damaged base is set aside, to be built anew.

        Raises:
            DataDirectoryError: log or base belong to another node, or the base can't be read.
            StorageFailed: the log can't be used.
        """
        self.wal = WalFiles(directory.wal())
        self._directory = directory
        self._stamp = directory.identity.node.encode()
        self._check_owner()
        self._bases = BaseDirectory(directory.store, self._stamp)
        self.base = self._bases.base
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._flush: Generator[bool, None, None] | None = None
        self._computes = True
        self._step_due_s = 0.0
        self._scrubbed = b""
        self._scrub_due_s = time.monotonic() + SCRUB_PAUSE_S
        self._replacing = False
        self._again: Callable[[], None] | None = None
        self._again_due_s = 0.0
        self._loop: trio.lowlevel.TrioToken | None = None
        self._failed: Failed = _ignore
        self._has_failed = False
        self._closed = False
        self._thread = Thread(target=self._work, name="storage", daemon=True)

    def recover(self, segment_bytes: int) -> Recovered:
        """Return what the log says; what a torn write left behind is cleared first.

        Raises:
            WalDamaged: what was durable can't be read.
            WalForeign: the log belongs to another node.
            DataDirectoryError: the base is lost, and nobody else has what it held.
            StorageFailed: the log can't be read or written.
        """
        try:
            return self._recover(segment_bytes)
        except BaseException:
            self._bases.close(whole=False)
            raise

    def _recover(self, segment_bytes: int) -> Recovered:
        meta = self.base.meta
        standing = self._bases.standing
        recovered = recover(
            self.wal.read_all(),
            stamp=self._stamp,
            segment_bytes=segment_bytes,
            void_through=meta.void_through,
            base_index=max(meta.index, standing.index),
        )
        if meta.index < standing.index:
            self._check_rebuildable(recovered, meta.index)
        if recovered.cut:
            self.wal.write(recovered.cut)
            self.wal.sync()
        return recovered

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
        """Finish what is under way; unless something has failed the base is known to be whole."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._closed = True
        self._bases.close(whole=not self._has_failed)
        if not self._has_failed:
            self.wal.close()

    def _check_owner(self) -> None:
        """Refuse the log of another node before a base is made beside it, or set aside."""
        first = list(islice(self.wal.read_all(), 1))
        if not first and self._directory.has_log:
            raise DataDirectoryError(
                f"the log of {self._directory.path} is gone, and with it what this node has voted"
                " for and acknowledged; remove the node from its cluster and let it join with a"
                " new directory"
            )
        try:
            recover(first, stamp=self._stamp, segment_bytes=SEGMENT_BYTES_MIN)
        except WalForeign as foreign:
            raise DataDirectoryError(f"{self._directory.path}: {foreign}") from None
        except WalDamaged:
            pass  # which `recover` says again, or not: it knows where the base stands

    def _check_rebuildable(self, recovered: Recovered, base_index: int) -> None:
        entries = recovered.entries
        if entries and entries[0].index <= base_index + 1:
            return
        node = self._directory.identity.node
        members = membership.load(self._directory.path).configuration.members
        others = [each for each in members if each != node]
        if not others:
            raise DataDirectoryError(
                f"the base of {self._directory.path} is damaged, and no other member has what it"
                " held; what is left of it was set aside"
            )
        if not entries:
            # Without entries consensus could not know how much it has promised to keep.
            raise DataDirectoryError(
                f"the base of {self._directory.path} is damaged, and the log has nothing since;"
                " remove this node from its cluster and let it join with a new directory"
            )
        _log.error("the base is lost and is fetched from another member", since=entries[0].index)

    # -- in the thread ----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                job()
        except Exception as error:  # noqa: BLE001 -- a node without its storage must not live on
            self._has_failed = True
            self._tell(self._failed, str(error) or repr(error))
        if self._flush is not None:
            # Its transaction ends in the thread that began it.
            self._flush.close()

    def _next_job(self) -> Callable[[], None] | None:
        """Return what to do next, None at the end; now and then a flush or the scrub goes on."""
        while True:
            due_s, go_on = self._next_step()
            pause_s = due_s - time.monotonic()
            if pause_s > 0:
                try:
                    return self._jobs.get(timeout=pause_s)
                except Empty:
                    pass
            go_on()

    def _next_step(self) -> tuple[float, Callable[[], None]]:
        """Return what goes on unless there is a job, and when."""
        if self._again is not None:
            return self._again_due_s, self._again
        if self._flush is not None:
            return self._step_due_s, partial(self._go_on, self._flush)
        return self._scrub_due_s, self._scrub

    def _write_log(self, effect: effects.WriteLog, done: Done) -> None:
        self.wal.write(effect.writes)
        self.wal.sync()
        self._tell(done, events.LogWritten(effect.sequence))

    def _prepare(self, effect: effects.PrepareSegment, done: Done) -> None:
        event: events.Event = events.SegmentReady(effect.number)
        try:
            self.wal.prepare(effect.number, effect.size)
            if not self._directory.has_log:
                self._directory.mark_log()
        except (NoRoom, OSError) as error:
            if isinstance(error, OSError) and error.errno not in NO_ROOM:
                raise
            event = events.SegmentRefused(effect.number, str(error))
        self._tell(done, event)

    def _begin_flush(self, effect: effects.FlushBase, done: Done) -> None:
        self._flush = self._flush_steps(effect, done)
        self._computes = True
        self._step_due_s = time.monotonic() + FLUSH_PAUSE_S

    def _go_on(self, flush: Generator[bool, None, None]) -> None:
        """Take the next step of a flush, with the interpreter to itself if it computes.

        LMDB gives the interpreter up around each record, and a busy loop would give it back after
        a millisecond or more: a flush would take a minute and hold up the log as well.
        """
        lent, returned = Event(), Event()
        if self._computes:
            self._tell(self._lend, lent, returned)
            lent.wait(LOAN_S_MAX)
        try:
            self._computes = next(flush)
        except StopIteration:
            self._flush = None
        finally:
            returned.set()
        self._step_due_s = time.monotonic() + FLUSH_PAUSE_S

    def _flush_steps(self, effect: effects.FlushBase, done: Done) -> Generator[bool, None, None]:
        index = effect.meta.index
        try:
            yield from self.base.merge(effect.meta, effect.changes.changes())
            # Without room for this the base stands there already. As it is not read anew, that
            # does not show; the same changes come again.
            self._bases.flushed(effect.meta)
        except BaseFull as full:
            self._tell(done, events.BaseFlushRefused(index, str(full)))
        else:
            self._tell(self._flushed, done, index)

    def _stage(self, effect: effects.StageSnapshot, done: Done) -> None:
        snapshot, number = effect.snapshot, effect.number
        event: events.Event = events.SnapshotStaged(snapshot, number)
        try:
            self._bases.stage(effect.items, anew=number == 0)
        except BaseFull as full:
            event = events.SnapshotRefused(snapshot, number, str(full))
        self._tell(done, event)

    def _replace(self, effect: effects.ReplaceBase, done: Done) -> None:
        self._replacing = True
        self._again = None
        try:
            former = self._bases.replace(effect.meta)
        except BaseFull as full:
            # The whole snapshot is here, so there is nothing that the node could do about it.
            _log.error("the snapshot cannot take the place of the base yet", reason=str(full))
            self._again = partial(self._replace, effect, done)
            self._again_due_s = time.monotonic() + RETRY_PAUSE_S
        else:
            self._tell(self._replaced, former, done, effect.snapshot)

    def _remove(self, former: Path) -> None:
        shutil.rmtree(former)
        self._replacing = False

    def _scrub(self) -> None:
        """Look at some more records; while the loop changes its base there may be none."""
        self._scrub_due_s = time.monotonic() + SCRUB_PAUSE_S
        if not self._replacing:
            self._scrubbed = self.base.scrub(self._scrubbed, SLICE_RECORDS_MAX)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        # After the end of the loop nobody is left to be told.
        with contextlib.suppress(trio.RunFinishedError):
            self._loop.run_sync_soon(self._call, what, *arguments)

    # -- in the loop ------------------------------------------------------------------------

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        """Do what the thread wants done here; what is raised must not end the loop itself."""
        if self._closed:
            return
        try:
            what(*arguments)
        except Exception as error:  # noqa: BLE001 -- as in the thread
            self._has_failed = True
            self._failed(str(error) or repr(error))

    def _lend(self, lent: Event, returned: Event) -> None:
        lent.set()
        returned.wait(LOAN_S_MAX)

    def _flushed(self, done: Done, index: int) -> None:
        self.base.refresh()
        done(events.BaseFlushed(index))

    def _replaced(self, former: Path, done: Done, snapshot: int) -> None:
        self.base.move_to(self._bases.path)
        self._jobs.put(lambda: self._remove(former))
        done(events.BaseReplaced(snapshot))


def _ignore(_reason: str) -> None:
    """Nobody has asked to be told yet."""
