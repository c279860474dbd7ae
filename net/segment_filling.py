"""What the thread of the log does while it has nothing to write: it writes zeros ahead.

Owns how far that has come, in the segment that was prepared last. Must not know what the log says.
Where a block was written before, the sync of a batch has nothing but its content to wait for, which
takes a third less time than on a block that is only allocated.
"""

import time
from collections.abc import Sequence
from typing import Final

from core.wal.writer import SegmentWrite
from net.wal_files import WalFiles
from net.worker import Job

STEP_BYTES: Final = 128 << 10
"""So much at once, as a batch may come at any moment and would have to wait."""
PAUSE_S: Final = 0.000_5
"""Between two steps; a segment is full after a tenth of a second."""
_IDLE_S: Final = 3_600.0


class SegmentFilling:
    """Fills the latest segment behind the end of the log; a `net.worker.Background`."""

    __slots__ = ("_due_s", "_files", "_number", "_offset", "_size")

    def __init__(self, files: WalFiles) -> None:
        """Fill segments of `files`, in the thread that they belong to."""
        self._files = files
        self._number = 0
        self._offset = 0
        self._size = 0
        self._due_s = 0.0

    def begin(self, number: int, size: int) -> None:
        """Begin with a segment that was just prepared; the one before stays as it is."""
        self._number = number
        self._offset = 0
        self._size = size
        self._due_s = time.monotonic() + PAUSE_S

    def written(self, writes: Sequence[SegmentWrite]) -> None:
        """Go on behind what the log has written itself."""
        for write in writes:
            if write.number == self._number:
                self._offset = max(self._offset, write.offset + len(write.data))

    def next_step(self) -> tuple[float, Job]:
        """Return when there is something to fill, and how."""
        due_s = self._due_s if self._offset < self._size else time.monotonic() + _IDLE_S
        return due_s, self._fill

    def end(self) -> None:
        """Leave it as it is."""

    def _fill(self) -> None:
        size = min(STEP_BYTES, self._size - self._offset)
        goes_on = size > 0 and self._files.fill(self._number, self._offset, size)
        self._offset = self._offset + size if goes_on else self._size
        self._due_s = time.monotonic() + PAUSE_S
