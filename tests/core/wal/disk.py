"""A log in memory: its segments byte for byte, what is not durable of them, and its writer."""

from collections.abc import Sequence

from core.raft.entry import KIND_WRITES, Entry, HardState
from core.wal.recovery import Recovered, recover
from core.wal.writer import SEGMENT_BYTES_MIN, SegmentRequest, SegmentWrite

STAMP = b"cluster 1, node 1"


def entries(first: int, count: int, *, term: int = 1, size: int = 100) -> list[Entry]:
    """Return consecutive entries whose data tells them apart."""
    return [
        Entry(
            index, term, KIND_WRITES, 1_000 + index, f"{index}/{term}/".encode().ljust(size, b"x")
        )
        for index in range(first, first + count)
    ]


class Disk:
    """Segments, each as its durable bytes, and the writes that a crash decides about."""

    def __init__(self, segment_bytes: int = SEGMENT_BYTES_MIN) -> None:
        self.segment_bytes = segment_bytes
        self.segments: dict[int, bytearray] = {}
        self.unsynced: tuple[SegmentWrite, ...] = ()

    def prepare(self, request: SegmentRequest | None) -> None:
        """Create the segment, if one is asked for."""
        if request is not None:
            self.segments[request.number] = bytearray(request.size)

    def write(self, writes: Sequence[SegmentWrite]) -> None:
        """Write, durably."""
        for write in writes:
            segment = self.segments[write.number]
            stop = write.offset + len(write.data)
            assert stop <= len(segment)
            segment[write.offset : stop] = write.data

    def drop(self, below: int) -> None:
        """Delete segments."""
        for number in [number for number in self.segments if number < below]:
            del self.segments[number]

    def recover(self, *, void_through: int = 0, base_index: int = 0) -> Recovered:
        """Return what the durable bytes say; a torn tail is cut from them."""
        recovered = recover(
            [(number, bytes(self.segments[number])) for number in sorted(self.segments)],
            stamp=STAMP,
            segment_bytes=self.segment_bytes,
            void_through=void_through,
            base_index=base_index,
        )
        self.write(recovered.cut)
        return recovered


class Log:
    """A disk and a writer that keep up with each other."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = Disk() if disk is None else disk
        self.writer = self.disk.recover().writer

    def prepare(self) -> None:
        """Prepare the next segment if the writer wants one."""
        request = self.writer.wants_segment()
        if request is not None:
            self.disk.prepare(request)
            self.writer.segment_ready(request.number)

    def append(
        self, added: Sequence[Entry] = (), hard_state: HardState | None = None
    ) -> tuple[SegmentWrite, ...]:
        """Append a batch, durably; return what was written."""
        self.prepare()
        batch = self.writer.append(hard_state, added)
        self.disk.write(batch.writes)
        self.writer.durable(batch.sequence)
        return batch.writes
