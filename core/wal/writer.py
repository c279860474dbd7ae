"""Where the next batch goes, and when another segment is needed.

Owns the place at which the log is continued. Must not know whether a write has happened before
it is told so, nor what entries mean.

The log is a row of segments of equal size, numbered from 1. A batch lies in one of them as a
whole; one that does not fit any more opens the next, with the hard state repeated, so that old
segments can be dropped whatever they hold. Only one batch is under way at a time, so a frame says
by its sequence that all before it are durable: behind a torn frame there is never a valid one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from core.check import check
from core.raft.entry import NODE_BYTES_MAX, Entry, HardState
from core.wal.frame import (
    ALIGNMENT_BYTES,
    DIGEST_BYTES,
    FRAME_OVERHEAD_BYTES_MAX,
    STAMP_BYTES_MAX,
    Opening,
    Payload,
    encode_frame,
    encode_payload,
    frame_bytes,
)

BATCH_BYTES_MAX: Final = 4 << 20
"""Entries in one batch, each counted with its `ENTRY_OVERHEAD_BYTES_MAX`."""

SEGMENT_BYTES_MIN: Final = 32 << 10
SEGMENT_BYTES_MAX: Final = 1 << 30

RESERVE_SHARE: Final = 64
"""One part in this many of a segment is kept free of clients' entries, for what a node must write
on a full disk too: terms, votes, and the first entry of a leader."""

PREPARE_BYTES: Final = 2 * BATCH_BYTES_MAX
"""The next segment is asked for when the current one has less room than this."""

NO_DIGEST: Final = bytes(DIGEST_BYTES)
"""What the very first frame names as the one before it."""


class WalFull(Exception):
    """There is no room for this batch before the next segment is prepared."""


class SegmentWrite(msgspec.Struct, frozen=True):
    """Bytes to be written into segment `number` at `offset`."""

    number: int
    offset: int
    data: bytes


class SegmentRequest(msgspec.Struct, frozen=True):
    """A segment of `size` zero bytes to be preallocated, whatever there was of that number."""

    number: int
    size: int


class Batch(msgspec.Struct, frozen=True):
    """What makes one batch durable, once it is written and synced."""

    sequence: int
    writes: tuple[SegmentWrite, ...]


class Extent(msgspec.Struct):
    """A segment that was opened.

    Attributes:
        number: which.
        index_max: the greatest index of the entries in it, or 0.
    """

    number: int
    index_max: int = 0


class Position(msgspec.Struct, frozen=True):
    """Where a log ends.

    Attributes:
        extents: the segments that were opened and are still there, in order; the last is current.
        capacity: the length of the current segment, in bytes.
        offset: where its last frame stops.
        sequence: no batch so far has a greater one.
        digest: of the last frame.
        hard_state: the latest.
    """

    extents: Sequence[Extent] = ()
    capacity: int = 0
    offset: int = 0
    sequence: int = 0
    digest: bytes = NO_DIGEST
    hard_state: HardState = HardState()


def goes_back(before: HardState, after: HardState) -> bool:
    """Tell whether `after` forgets a term, or a vote in the same term."""
    if after.term == before.term:
        return before.vote not in ("", after.vote)
    return after.term < before.term


class Writer:
    """Turns hard states and entries into writes.

    Attributes:
        sequence: the number of the last batch.
    """

    __slots__ = (
        "_capacity",
        "_digest",
        "_durable_number",
        "_durable_sequence",
        "_extents",
        "_hard_state",
        "_number",
        "_offset",
        "_opening",
        "_prepared",
        "_requested",
        "_reserve",
        "_segment_bytes",
        "sequence",
    )

    def __init__(self, stamp: bytes, segment_bytes: int, position: Position) -> None:
        """Continue a log at `position`; the bytes behind it must be zero, durably.

        Args:
            stamp: says whose log this is, in at most `STAMP_BYTES_MAX` bytes.
            segment_bytes: the length of further segments.
            position: where the log ends.
        """
        check(len(stamp) <= STAMP_BYTES_MAX, "the stamp of the log is too long")
        check(SEGMENT_BYTES_MIN <= segment_bytes <= SEGMENT_BYTES_MAX, "segments of no such size")
        check(segment_bytes % ALIGNMENT_BYTES == 0, "segments are aligned")
        self._segment_bytes = segment_bytes
        self._opening = Opening(stamp, segment_bytes)
        self._reserve = segment_bytes // RESERVE_SHARE + FRAME_OVERHEAD_BYTES_MAX
        self._extents = deque(position.extents)
        self._number = self._extents[-1].number if self._extents else 0
        self._capacity = position.capacity
        self._offset = position.offset
        self._digest = position.digest
        self._hard_state = position.hard_state
        self.sequence = position.sequence
        self._durable_sequence = self.sequence
        self._durable_number = self._number
        self._requested = False
        self._prepared = False

    # Batches

    def append(self, hard_state: HardState | None, entries: Sequence[Entry]) -> Batch:
        """Return the next batch; the one before it must be durable.

        Raises:
            WalFull: it does not fit into what is prepared; nothing has changed.
            InvariantBroken: the batch before is not durable, or this one makes no sense.
        """
        check(self._durable_sequence == self.sequence, "one batch is under way at a time")
        check(hard_state is not None or entries, "an empty batch")
        if hard_state is not None:
            check(not goes_back(self._hard_state, hard_state), "the hard state goes back")
            check(len(hard_state.vote.encode()) <= NODE_BYTES_MAX, "the name in a vote is too long")
        if entries:
            run = entries[-1].index - entries[0].index + 1
            check(run == len(entries), "the entries of a batch are consecutive")
        payload = encode_payload(Payload(hard_state, entries))
        size = frame_bytes(payload)
        check(size <= BATCH_BYTES_MAX + FRAME_OVERHEAD_BYTES_MAX, "the batch is too large")
        if self._offset + size > self._capacity:
            payload = self._open_segment(hard_state or self._hard_state, entries)
        return self._advance(payload, hard_state, entries)

    def durable(self, sequence: int) -> None:
        """Take note that all writes of that batch, which is the last, are durable."""
        check(sequence == self.sequence, "only the last batch is under way")
        self._durable_sequence = sequence
        self._durable_number = self._number

    def room(self) -> int:
        """Return how many bytes of entries the next batch surely takes, the reserve left aside.

        An entry counts as its data and `ENTRY_OVERHEAD_BYTES_MAX`. What must be written on a
        full disk too does not ask, and takes from the reserve.
        """
        left = self._segment_bytes if self._prepared else self._capacity - self._offset
        return left - self._reserve if left > self._reserve else 0

    # Segments

    def wants_segment(self) -> SegmentRequest | None:
        """Return a segment to prepare, or None; the same is not asked for twice unless refused.

        It is asked for only when the current segment is surely opened, so a segment that exists
        tells that the one before it was not empty.
        """
        if self._requested or self._prepared or self._durable_number != self._number:
            return None
        if self.room() >= PREPARE_BYTES:
            return None
        self._requested = True
        return SegmentRequest(self._number + 1, self._segment_bytes)

    def segment_ready(self, number: int) -> None:
        """Take note that the segment asked for is there, all zero, durably."""
        check(self._requested and number == self._number + 1, "nobody asked for this segment")
        self._requested = False
        self._prepared = True

    def segment_refused(self, number: int) -> None:
        """Take note that there is no room for the segment asked for; it will be wanted again."""
        check(self._requested and number == self._number + 1, "nobody asked for this segment")
        self._requested = False

    def droppable(self, first_index_needed: int) -> int:
        """Return the number below which segments may be dropped, or 0 if there are no new ones.

        They hold no entry from `first_index_needed` on, and what follows them is durable.
        """
        below = 0
        while (
            self._extents
            and self._extents[0].number < self._durable_number
            and self._extents[0].index_max < first_index_needed
        ):
            below = self._extents.popleft().number + 1
        return below

    def _open_segment(self, hard_state: HardState, entries: Sequence[Entry]) -> bytes:
        """Make the prepared segment the current one; return what its first frame carries."""
        payload = encode_payload(Payload(hard_state, entries, self._opening))
        if not self._prepared or frame_bytes(payload) > self._segment_bytes:
            raise WalFull
        self._prepared = False
        self._number += 1
        self._capacity = self._segment_bytes
        self._offset = 0
        self._extents.append(Extent(self._number))
        return payload

    def _advance(
        self, payload: bytes, hard_state: HardState | None, entries: Sequence[Entry]
    ) -> Batch:
        """Return the batch with this payload, and stand behind it."""
        self.sequence += 1
        data = encode_frame(
            payload,
            number=self._number,
            offset=self._offset,
            sequence=self.sequence,
            previous=self._digest,
        )
        write = SegmentWrite(self._number, self._offset, data)
        self._digest = data[:DIGEST_BYTES]
        self._offset += len(data)
        if hard_state is not None:
            self._hard_state = hard_state
        if entries:
            extent = self._extents[-1]
            extent.index_max = max(extent.index_max, entries[-1].index)
        return Batch(self.sequence, (write,))
