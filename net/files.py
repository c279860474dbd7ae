"""Storage on disk: the log in segment files, the base in LMDB, a thread for each.

Owns both, from the start to the end. The log does not wait for the base: each thread does what it
is asked in that order, and neither knows how far the other is. A crash finds any state of the one
beside any state of the other. That both are good together is kept by

- the node (`core.node.upkeep`), which asks for one thing only once the other is reported. A flush
  goes as far as `LogWritten` has come. Segments are dropped after `BaseFlushed` or `BaseReplaced`.
  A snapshot takes the place of the base although a batch may be under way, but that one is void
  then (`void_through`) wherever a crash tears it, and the log takes no entries until
  `BaseReplaced`. In the simulator too the two end in any order.
- the thread of the log: a segment is there, and that there is a log is marked, before
  `SegmentReady`; what writes a segment comes before what drops it.
- the thread of the base: `store/current` tells of a flush or a snapshot before the node is told;
  a base that was replaced goes once the loop has left it.
- this module: the log is looked at before the base is touched, and read when it is known where
  the base stands; the base counts as whole once both threads have ended without a failure.
"""

import structlog

from core import effects
from core.store.base import Base
from core.wal.recovery import Recovered
from net import membership
from net.data_directory import DataDirectory, DataDirectoryError
from net.file_base import FileBase
from net.file_log import FileLog
from net.storage import Done, StorageEffect
from net.worker import Failed, LoopCalls

_log = structlog.get_logger("holdfast.storage")


class FileStorage:
    """The storage of one node, on disk; implements `net.storage.Storage`."""

    def __init__(self, directory: DataDirectory) -> None:
        """Open the log and the base; a damaged base is set aside, to be built anew.

        Raises:
            DataDirectoryError: log or base belong to another node, or the base can't be read.
            StorageFailed: the log can't be used.
        """
        self._directory = directory
        self._loop = LoopCalls()
        self._file_log = FileLog(directory, self._loop)
        self._file_base = FileBase(directory, self._loop)

    @property
    def base(self) -> Base:
        """The durable state."""
        return self._file_base.base

    def recover(self, segment_bytes: int) -> Recovered:
        """Return what the log says; what a torn write left behind is cleared first. Only once.

        Raises:
            WalDamaged: what was durable can't be read.
            WalForeign: the log belongs to another node.
            DataDirectoryError: the base is lost, and nobody else has what it held.
            StorageFailed: the log can't be read or written.
        """
        try:
            return self._recover(segment_bytes)
        except BaseException:
            self._file_base.close(whole=False)
            raise

    def _recover(self, segment_bytes: int) -> Recovered:
        meta, standing = self._file_base.meta, self._file_base.standing
        index = max(meta.index, standing.index)
        recovered = self._file_log.recover(segment_bytes, meta.void_through, index)
        if meta.index < standing.index:
            self._check_rebuildable(recovered, meta.index)
        return recovered

    def start(self, failed: Failed) -> None:
        """Begin to work; call it in the thread of the loop.

        Args:
            failed: is told, once, why the storage can't go on.
        """
        self._loop.open(failed)
        self._file_log.worker.start()
        self._file_base.worker.start()

    def carry_out(self, effect: StorageEffect, done: Done) -> None:
        """Put it before the thread that it concerns."""
        match effect:
            case effects.WriteLog():
                self._file_log.write(effect, done)
            case effects.PrepareSegment():
                self._file_log.prepare(effect, done)
            case effects.DropSegments():
                self._file_log.drop(effect)
            case effects.FlushBase():
                self._file_base.flush(effect, done)
            case effects.StageSnapshot():
                self._file_base.stage(effect, done)
            case effects.ReplaceBase():
                self._file_base.replace(effect, done)

    def close(self) -> None:
        """Finish what is under way; unless something has failed the base is known to be whole."""
        workers = (self._file_log.worker, self._file_base.worker)
        for worker in workers:
            worker.finish()
        for worker in workers:
            worker.join()
        self._loop.close()
        self._file_base.close(whole=not self._loop.has_failed)
        if not self._loop.has_failed:
            self._file_log.close()

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
