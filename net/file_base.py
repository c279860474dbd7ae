"""The base of one node on disk: LMDB in its directory, and the thread that changes it.

Owns the steps of that thread: a flush goes on between jobs, a scrub while there is nothing else.
Must not know the log.
"""

import shutil
import time
from collections.abc import Generator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

import structlog

from core import effects, events
from core.store.base import BaseMeta
from net.base_directory import BaseDirectory, Standing
from net.data_directory import DataDirectory
from net.lmdb_base import SLICE_RECORDS_MAX, BaseFull, LmdbBase
from net.storage import Done
from net.worker import Job, LoopCalls, Worker

SCRUB_PAUSE_S: Final = 1.0
"""Between two steps of the scrub: a million records take half an hour."""
FLUSH_PAUSE_S: Final = 0.004
"""Between two steps of a flush, so that the loop keeps most of the time."""
RETRY_PAUSE_S: Final = 1.0
"""Before a snapshot is put in place again for which there was no room."""
LOAN_S_MAX: Final = 0.01
"""How long the loop waits for a step, or a step for the loop; both go on then."""

_log = structlog.get_logger("holdfast.storage")


class FileBase:
    """The base of one node and the work on it; a `net.worker.Background`.

    Attributes:
        base: for the loop to read.
        worker: does what is asked for below.
    """

    def __init__(self, directory: DataDirectory, loop: LoopCalls) -> None:
        """Open the base; a damaged one is set aside, to be built anew.

        Raises:
            DataDirectoryError: it belongs to another node, or can't be read.
        """
        self._loop = loop
        self._bases = BaseDirectory(directory.store, directory.identity.node.encode())
        self.base: LmdbBase = self._bases.base
        self.worker = Worker("storage-base", loop, self)
        self._flush: Generator[bool, None, None] | None = None
        self._computes = True
        self._step_due_s = 0.0
        self._scrubbed = b""
        self._scrub_due_s = time.monotonic() + SCRUB_PAUSE_S
        self._replacing = False
        self._again: Job | None = None
        self._again_due_s = 0.0

    @property
    def meta(self) -> BaseMeta:
        """Where the base stands."""
        return self.base.meta

    @property
    def standing(self) -> Standing:
        """Where it stood at least, even if it was lost."""
        return self._bases.standing

    def flush(self, effect: effects.FlushBase, done: Done) -> None:
        """Have changes merged, step by step."""
        self.worker.put(lambda: self._begin_flush(effect, done))

    def stage(self, effect: effects.StageSnapshot, done: Done) -> None:
        """Have a chunk of a snapshot kept aside."""
        self.worker.put(lambda: self._stage(effect, done))

    def replace(self, effect: effects.ReplaceBase, done: Done) -> None:
        """Have a staged snapshot put in place."""
        self.worker.put(lambda: self._replace(effect, done))

    def close(self, *, whole: bool) -> None:
        """Let go of it; the next start may trust one that is `whole`. The thread has ended."""
        self._bases.close(whole=whole)

    # -- in the thread ----------------------------------------------------------------------

    def next_step(self) -> tuple[float, Job]:
        """Return what goes on unless there is a job, and when."""
        if self._again is not None:
            return self._again_due_s, self._again
        if self._flush is not None:
            return self._step_due_s, partial(self._go_on, self._flush)
        return self._scrub_due_s, self._scrub

    def end(self) -> None:
        """Give up a flush that is under way: its transaction ends in the thread that began it."""
        if self._flush is not None:
            self._flush.close()

    def _begin_flush(self, effect: effects.FlushBase, done: Done) -> None:
        self._flush = self._flush_steps(effect, done)
        self._computes = True
        self._step_due_s = time.monotonic() + FLUSH_PAUSE_S

    def _go_on(self, flush: Generator[bool, None, None]) -> None:
        """Take the next step of a flush, with the interpreter to itself if it computes.

        LMDB gives the interpreter up around each record, and a busy loop would give it back after
        a millisecond or more: a flush would take a minute. The thread of the log need not lend
        it: it is in system calls nearly all the time, and gets it at the next record.
        """
        lent, returned = Event(), Event()
        if self._computes:
            self._loop.tell(_lend, lent, returned)
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
            self._loop.tell(done, events.BaseFlushRefused(index, str(full)))
        else:
            self._loop.tell(self._flushed, done, index)

    def _stage(self, effect: effects.StageSnapshot, done: Done) -> None:
        snapshot, number = effect.snapshot, effect.number
        event: events.Event = events.SnapshotStaged(snapshot, number)
        try:
            self._bases.stage(effect.items, anew=number == 0)
        except BaseFull as full:
            event = events.SnapshotRefused(snapshot, number, str(full))
        self._loop.tell(done, event)

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
            self._loop.tell(self._replaced, former, done, effect.snapshot)

    def _remove(self, former: Path) -> None:
        shutil.rmtree(former)
        self._replacing = False

    def _scrub(self) -> None:
        """Look at some more records; while the loop changes its base there may be none."""
        self._scrub_due_s = time.monotonic() + SCRUB_PAUSE_S
        if not self._replacing:
            self._scrubbed = self.base.scrub(self._scrubbed, SLICE_RECORDS_MAX)

    # -- in the loop ------------------------------------------------------------------------

    def _flushed(self, done: Done, index: int) -> None:
        self.base.refresh()
        done(events.BaseFlushed(index))

    def _replaced(self, former: Path, done: Done, snapshot: int) -> None:
        self.base.move_to(self._bases.path)
        self.worker.put(lambda: self._remove(former))
        done(events.BaseReplaced(snapshot))


def _lend(lent: Event, returned: Event) -> None:
    """Wait in the loop until a step was taken."""
    lent.set()
    returned.wait(LOAN_S_MAX)
