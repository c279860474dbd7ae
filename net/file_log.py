"""The log of one node on disk: its segment files, and the thread that writes them.

Owns what is done to the log, in the order in which the node asks. Must not know the base. A failure
is never tried again: after a failed sync the kernel may have dropped what was not written (Rebello
et al., ATC'20), so the node stops and recovers.
"""

from collections.abc import Iterator
from itertools import chain

from core import effects, events
from core.wal.recovery import Recovered, WalForeign, check_owner, recover
from net.data_directory import DataDirectory, DataDirectoryError
from net.segment_filling import SegmentFilling
from net.storage import Done
from net.wal_files import NoRoom, WalFiles
from net.worker import LoopCalls, Worker


class FileLog:
    """The log of one node.

    Attributes:
        files: its segments; only for the thread of `worker` once that was started.
        worker: does what is asked for below.
    """

    def __init__(self, directory: DataDirectory, loop: LoopCalls) -> None:
        """Open the log, and look whose it is: no base may be made or set aside beside another's.

        Raises:
            DataDirectoryError: it belongs to another node, or is gone.
            StorageFailed: it can't be read.
        """
        self._directory = directory
        self._stamp = directory.identity.node.encode()
        self._loop = loop
        self.files = WalFiles(directory.wal())
        self._segments = self._owned_segments()
        self._filling = SegmentFilling(self.files)
        self.worker = Worker("storage-log", loop, self._filling)

    def recover(self, segment_bytes: int, void_through: int, base_index: int) -> Recovered:
        """Return what the log says; what a torn write left behind is cleared first. Only once.

        Args:
            segment_bytes: the length of further segments.
            void_through: batches up to this sequence contribute no entries.
            base_index: the base holds what is up to this entry, or has held it.

        Raises:
            WalDamaged: what was durable can't be read.
            WalForeign: a later segment belongs to another node.
            StorageFailed: the log can't be read or written.
        """
        recovered = recover(
            self._segments,
            stamp=self._stamp,
            segment_bytes=segment_bytes,
            void_through=void_through,
            base_index=base_index,
        )
        if recovered.cut:
            self.files.write(recovered.cut)
            self.files.sync()
        return recovered

    def write(self, effect: effects.WriteLog, done: Done) -> None:
        """Have a batch written and made durable."""
        self.worker.put(lambda: self._write(effect, done))

    def prepare(self, effect: effects.PrepareSegment, done: Done) -> None:
        """Have a segment preallocated."""
        self.worker.put(lambda: self._prepare(effect, done))

    def drop(self, effect: effects.DropSegments) -> None:
        """Have segments deleted."""
        self.worker.put(lambda: self.files.drop(effect.below))

    def close(self) -> None:
        """Let go of the files; the thread has ended."""
        self.files.close()

    def _owned_segments(self) -> Iterator[tuple[int, bytes]]:
        """Return all segments, once the first one has shown whose they are."""
        segments = self.files.read_all()
        first = next(segments, None)
        if first is None:
            if self._directory.has_log:
                raise DataDirectoryError(
                    f"the log of {self._directory.path} is gone, and with it what this node has"
                    " voted for and acknowledged; remove the node from its cluster and let it"
                    " join with a new directory"
                )
            return segments
        try:
            check_owner(*first, stamp=self._stamp)
        except WalForeign as foreign:
            raise DataDirectoryError(f"{self._directory.path}: {foreign}") from None
        return chain((first,), segments)

    # -- in the thread ----------------------------------------------------------------------

    def _write(self, effect: effects.WriteLog, done: Done) -> None:
        self.files.write(effect.writes)
        self.files.sync()
        self._filling.written(effect.writes)
        self._loop.tell(done, events.LogWritten(effect.sequence))

    def _prepare(self, effect: effects.PrepareSegment, done: Done) -> None:
        event: events.Event = events.SegmentReady(effect.number)
        try:
            self.files.prepare(effect.number, effect.size)
            if not self._directory.has_log:
                self._directory.mark_log()
            self._filling.begin(effect.number, effect.size)
        except NoRoom as full:
            event = events.SegmentRefused(effect.number, str(full))
        self._loop.tell(done, event)
