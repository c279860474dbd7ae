"""What a log says after a crash.

Owns the line between a torn tail, which is cut, and damage, which stops the node. Must not know
where the segments come from.

A torn tail is what the batch under way left behind when the node crashed: bytes behind the last
valid frame with no valid frame behind them. Anything else is damage, for what was durable and
acknowledged cannot be read any more; cutting it would lose committed entries (Alagappan et al.,
FAST'18). Damage is: a valid frame behind an invalid one; a frame that does not name the one before
it; a missing segment; a segment that is not as long as when it was prepared; a segment without a
frame when there is a later one; entries that connect neither to each other nor to the base; a
hard state that goes back.
"""

from collections.abc import Iterable, Sequence

import msgspec

from core.raft.entry import Entry, HardState
from core.wal.frame import (
    VERSION,
    Frame,
    Opening,
    Payload,
    decode_frame,
    decode_payload,
    find_frame,
)
from core.wal.writer import NO_DIGEST, Extent, Position, SegmentWrite, Writer, goes_back


class WalDamaged(Exception):
    """What was durable cannot be read any more; the node must recover from its peers.

    Attributes:
        number: the segment.
        offset: where in it.
        reason: what is wrong there.
    """

    def __init__(self, number: int, offset: int, reason: str) -> None:
        super().__init__(f"the log is damaged in segment {number} at byte {offset}: {reason}")
        self.number = number
        self.offset = offset
        self.reason = reason


class WalForeign(Exception):
    """This log belongs to another node or cluster."""


class Recovered(msgspec.Struct, frozen=True):
    """What a log says.

    Attributes:
        hard_state: the latest.
        entries: consecutive, the last writer of each index wins. They start at or before the
            entry behind the base, and reach the base at least; empty if they do not.
        writer: continues the log.
        cut: zeroes over a torn tail, empty if there is none. They must be durable before the
            writer is used: the next frame would cover a part of the torn one, and the two halves
            could make up a frame that was never acknowledged.
    """

    hard_state: HardState
    entries: list[Entry]
    writer: Writer
    cut: tuple[SegmentWrite, ...]


def check_owner(number: int, data: bytes, *, stamp: bytes) -> None:
    """Look whose log this is by the first frame of a segment alone, at the cost of that frame.

    A segment that does not say so passes: `recover` tells whether it is torn or damaged.

    Raises:
        WalForeign: the log carries another stamp.
    """
    frame = decode_frame(memoryview(data), number=number, offset=0)
    if frame is None or frame.version != VERSION:
        return
    try:
        opening = decode_payload(frame.payload).opening
    except msgspec.DecodeError:
        return
    if opening is not None:
        _check_stamp(opening, number, stamp)


def recover(
    segments: Iterable[tuple[int, bytes]],
    *,
    stamp: bytes,
    segment_bytes: int,
    void_through: int = 0,
    base_index: int = 0,
) -> Recovered:
    """Return what the log in `segments` says.

    Args:
        segments: numbers and bytes, in the order of numbers. All bytes must be durable: what a
            process that was killed left in a cache counts as acknowledged from now on. Taken
            one by one, so that not all need be in memory.
        stamp: the log must carry the same.
        segment_bytes: the length of segments that will be added.
        void_through: batches up to this sequence contribute hard states, but no entries.
        base_index: the state up to this entry is kept elsewhere.

    Raises:
        WalDamaged: what was durable cannot be read.
        WalForeign: the log carries another stamp.
    """
    scan = _Scan(stamp, void_through, base_index)
    for number, data in segments:
        scan.read_segment(number, data)
    return scan.finish(segment_bytes)


def _check_stamp(opening: Opening, number: int, stamp: bytes) -> None:
    if opening.stamp != stamp:
        raise WalForeign(f"segment {number} belongs to another node or cluster")


class _Scan:
    """Reads segments one by one and remembers what they said."""

    def __init__(self, stamp: bytes, void_through: int, base_index: int) -> None:
        self._stamp = stamp
        self._void_through = void_through
        self._base_index = base_index
        self._number = 0
        self._extents: list[Extent] = []
        self._capacity = 0
        self._offset = 0
        self._sequence = 0
        self._digest = NO_DIGEST
        self._hard_state = HardState()
        self._entries: list[Entry] = []
        self._cut: list[SegmentWrite] = []

    def read_segment(self, number: int, data: bytes) -> None:
        """Read all frames of the next segment, and see that nothing is behind them."""
        if self._number and number != self._number + 1:
            raise WalDamaged(number, 0, "segments before it are missing")
        if self._number and not self._is_opened(self._number):
            raise WalDamaged(self._number, 0, "it has no frame, yet there is a later segment")
        self._number = number
        view = memoryview(data)
        stop = 0
        while (frame := decode_frame(view, number=number, offset=stop)) is not None:
            self._take(frame, stop, len(data))
            stop = frame.stop
        if not data.startswith(bytes(len(data) - stop), stop):
            behind = find_frame(data, number=number, start=stop)
            if behind is not None:
                raise WalDamaged(number, stop, f"no valid frame, yet there is one at {behind}")
            torn_bytes = len(data.rstrip(b"\0")) - stop
            self._cut.append(SegmentWrite(number, stop, bytes(torn_bytes)))

    def finish(self, segment_bytes: int) -> Recovered:
        """Return what all segments say together."""
        if self._number > 1 and not self._extents:
            # Those before it were dropped, so it was opened.
            raise WalDamaged(self._number, 0, "the log starts without a valid frame")
        if self._entries and self._entries[-1].index < self._base_index:
            self._entries = []
        position = Position(
            extents=self._extents,
            capacity=self._capacity,
            offset=self._offset,
            # A batch that was lost may have been the last of those that are void.
            sequence=max(self._sequence, self._void_through),
            digest=self._digest,
            hard_state=self._hard_state,
        )
        writer = Writer(self._stamp, segment_bytes, position)
        return Recovered(self._hard_state, self._entries, writer, tuple(self._cut))

    def _is_opened(self, number: int) -> bool:
        return bool(self._extents) and self._extents[-1].number == number

    def _take(self, frame: Frame, offset: int, capacity: int) -> None:
        """Remember what `frame` says, which is at `offset` of the current segment."""
        payload = self._decode(frame, offset)
        self._check_opening(payload.opening, offset, capacity)
        self._check_order(frame, offset)
        if payload.opening is not None:
            self._extents.append(Extent(self._number))
            self._capacity = capacity
        self._offset = frame.stop
        self._sequence = frame.sequence
        self._digest = frame.digest
        if payload.hard_state is not None:
            if goes_back(self._hard_state, payload.hard_state):
                raise WalDamaged(self._number, offset, "the hard state goes back")
            self._hard_state = payload.hard_state
        if payload.entries and frame.sequence > self._void_through:
            self._take_entries(payload.entries, offset)

    def _decode(self, frame: Frame, offset: int) -> Payload:
        if frame.version != VERSION:
            raise WalDamaged(self._number, offset, f"its format {frame.version} is not known here")
        try:
            return decode_payload(frame.payload)
        except msgspec.DecodeError as error:
            raise WalDamaged(self._number, offset, f"its payload: {error}") from error

    def _check_opening(self, opening: Opening | None, offset: int, capacity: int) -> None:
        if (opening is not None) != (offset == 0):
            raise WalDamaged(self._number, offset, "only the first frame opens a segment")
        if opening is None:
            return
        _check_stamp(opening, self._number, self._stamp)
        if opening.segment_bytes != capacity:
            reason = f"it ends here, and had {opening.segment_bytes} bytes"
            raise WalDamaged(self._number, capacity, reason)

    def _check_order(self, frame: Frame, offset: int) -> None:
        if self._cut:
            torn = self._cut[0]
            reason = f"no valid frame, yet there is one in segment {self._number}"
            raise WalDamaged(torn.number, torn.offset, reason)
        if self._extents and frame.previous != self._digest:
            raise WalDamaged(self._number, offset, "it does not follow the frame before it")
        if frame.sequence <= self._sequence:
            raise WalDamaged(self._number, offset, "its sequence does not ascend")

    def _take_entries(self, entries: Sequence[Entry], offset: int) -> None:
        """Put `entries` in the place of all that was known from the first of them on."""
        first, last = entries[0].index, entries[-1].index
        if last - first + 1 != len(entries):
            raise WalDamaged(self._number, offset, "its entries are not consecutive")
        known = self._entries
        if known and known[0].index <= first <= known[-1].index + 1:
            del known[first - known[0].index :]
            known.extend(entries)
        elif first <= self._base_index + 1:
            # What lies between is in the base: it was applied before it was durable here.
            self._entries = list(entries)
        else:
            raise WalDamaged(self._number, offset, f"entries are missing before {first}")
        extent = self._extents[-1]
        extent.index_max = max(extent.index_max, last)
