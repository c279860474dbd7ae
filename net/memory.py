"""Storage that ends with the process: `storage "inmem"`, and the dev server.

Nothing is written anywhere, so everything is as durable at once as it will ever be.
"""

from core import effects, events
from core.store.base import BaseMeta
from core.store.memory_base import MemoryBase
from core.wal.recovery import Recovered, recover
from net.storage import Done, StorageEffect


class MemoryStorage:
    """The storage of one node, in memory."""

    def __init__(self) -> None:
        self.base = MemoryBase()
        self._staged: list[tuple[bytes, bytes]] = []

    def recover(self, segment_bytes: int) -> Recovered:
        """Return what an empty log says."""
        return recover((), stamp=b"", segment_bytes=segment_bytes)

    def carry_out(self, effect: StorageEffect, done: Done) -> None:
        """Do it at once."""
        match effect:
            case effects.WriteLog():
                done(events.LogWritten(effect.sequence))
            case effects.PrepareSegment():
                done(events.SegmentReady(effect.number))
            case effects.FlushBase():
                self.base.flush(effect.meta, effect.changes.values.items())
                done(events.BaseFlushed(effect.meta.index))
            case effects.StageSnapshot():
                if effect.number == 0:
                    self._staged = []
                self._staged += effect.items
                done(events.SnapshotStaged(effect.snapshot, effect.number))
            case effects.ReplaceBase():
                self._replace(effect.meta)
                done(events.BaseReplaced(effect.snapshot))
            case effects.DropSegments():
                pass  # there are none

    def _replace(self, meta: BaseMeta) -> None:
        self.base.replace(meta, self._staged)
        self._staged = []

    def close(self) -> None:
        """Let go of everything."""
