"""What must be durable before what leaves.

Owns the writer of the log, the batch under way and the messages that wait for it. One batch is
under way at a time; what gathers meanwhile makes the next, so one sync serves many entries.
"""

from typing import Final

import msgspec

from core.effects import DropSegments, Effect, PrepareSegment, WriteLog
from core.moment import NEVER
from core.raft import dispatch
from core.raft.entry import KIND_WRITES, Entry
from core.raft.state import Outgoing, Raft
from core.wal.writer import BATCH_BYTES_MAX, WalFull, Writer

ROOM_MIN_BYTES: Final = 4 << 10
"""With less room than this in the log no further proposals are accepted."""

ENTRY_BYTES_MAX: Final = 3 << 20
"""The largest entry; it fits into one batch and one message."""


class _Batch(msgspec.Struct, frozen=True):
    """A batch under way.

    Attributes:
        sequence: names it.
        index: the last entry that the log had handed over; 0 if its entries are void.
        term: the term of that entry.
        since_ns: when it was handed to the driver (monotonic).
    """

    sequence: int
    index: int
    term: int
    since_ns: int


class Journal:
    """Hands staged entries and terms to the writer, and holds messages back until they are safe.

    Attributes:
        writer: where the next batch goes.
        held: messages that wait until something is durable.
        due_ns: when a refused segment is asked for again (monotonic).
    """

    __slots__ = ("_retry_ns", "_under_way", "_waits_for_term", "due_ns", "held", "writer")

    def __init__(self, writer: Writer, retry_ns: int) -> None:
        self.writer = writer
        self._under_way: _Batch | None = None
        self.held: list[Outgoing] = []
        self._waits_for_term = False
        self._retry_ns = retry_ns
        self.due_ns = NEVER

    # -- writing ----------------------------------------------------------------------------

    def write(self, raft: Raft, now_ns: int, effects: list[Effect]) -> None:
        """Begin the next batch, if there is something to write and none is under way."""
        log = raft.log
        staged = log.handed_index < log.last_index
        if not (staged or raft.hard_state_changed):
            return
        if raft.hard_state_changed:
            self._waits_for_term = True
        if self._under_way is not None:
            return
        handed_index = log.handed_index
        entries = self._take_entries(raft) if staged else ()
        hard_state = raft.hard_state() if raft.hard_state_changed else None
        if not entries and hard_state is None:
            return
        try:
            batch = self.writer.append(hard_state, entries)
        except WalFull:
            # Nothing leaves this node that rests on it, until there is a segment to write to.
            log.handed_index = handed_index
            return
        raft.hard_state_changed = False
        index = log.handed_index
        term = log.term_at(index) or 0
        self._under_way = _Batch(batch.sequence, index, term, now_ns)
        effects.append(WriteLog(batch.sequence, batch.writes))

    def _take_entries(self, raft: Raft) -> tuple[Entry, ...]:
        """Return what fits; a leader's own entries may use the reserve of a full log."""
        log = raft.log
        entries = log.unwritten(min(self.writer.room(), BATCH_BYTES_MAX))
        if not entries and log.entry(log.handed_index + 1).kind != KIND_WRITES:
            entries = log.unwritten(BATCH_BYTES_MAX)[:1]
            log.handed_index = entries[-1].index
        return entries

    def written(self, raft: Raft, sequence: int, now_ns: int) -> None:
        """Take note that the batch under way is durable."""
        batch = self._under_way
        if batch is None or batch.sequence != sequence:
            return
        self._under_way = None
        self._waits_for_term = raft.hard_state_changed
        self.writer.durable(sequence)
        dispatch.durable(raft, batch.index, batch.term, now_ns)

    def stalled_ns(self, now_ns: int) -> int:
        """Return for how long the batch under way has not become durable; 0 without one."""
        return 0 if self._under_way is None else now_ns - self._under_way.since_ns

    def void(self) -> int:
        """Return the last batch so far, as the entries of all these batches do not count any more.

        So the end of the one under way makes none durable, not even one that has come again.
        """
        if self._under_way is not None:
            self._under_way = msgspec.structs.replace(self._under_way, index=0, term=0)
        return self.writer.sequence

    # -- messages ---------------------------------------------------------------------------

    def release(self, raft: Raft) -> list[Outgoing]:
        """Return the messages that may leave now: those of this turn, and those held back."""
        gathered = raft.outbox
        if self.held:
            gathered = [*self.held, *gathered]
            self.held = []
        raft.outbox = []
        ready: list[Outgoing] = []
        for outgoing in gathered:
            if outgoing.when_durable:
                self._sort(raft, outgoing, ready)
            else:
                ready.append(outgoing)
        return ready

    def _sort(self, raft: Raft, outgoing: Outgoing, ready: list[Outgoing]) -> None:
        if outgoing.term < raft.term:
            # What was promised in an older term may not be true any more: its entries may have
            # been replaced. Nobody needs it.
            return
        if (
            self._waits_for_term
            or raft.hard_state_changed
            or outgoing.durable_index > raft.log.stable_index
        ):
            self.held.append(outgoing)
        else:
            ready.append(outgoing)

    # -- segments ---------------------------------------------------------------------------

    def has_room(self, size: int) -> bool:
        """Tell whether entries of `size` bytes can surely be written."""
        return size <= ENTRY_BYTES_MAX and self.writer.room() >= size + ROOM_MIN_BYTES

    def prepare(self, now_ns: int, effects: list[Effect]) -> None:
        """Ask for the next segment early; ask again for a refused one after a pause."""
        if now_ns < self.due_ns != NEVER:
            return
        self.due_ns = NEVER
        wanted = self.writer.wants_segment()
        if wanted is not None:
            effects.append(PrepareSegment(wanted.number, wanted.size))

    def refused(self, number: int, now_ns: int) -> None:
        """Take note that there is no room for that segment."""
        self.writer.segment_refused(number)
        self.due_ns = now_ns + self._retry_ns

    def drop(self, first_index_needed: int, effects: list[Effect]) -> None:
        """Delete the segments that hold nothing from `first_index_needed` on."""
        below = self.writer.droppable(first_index_needed)
        if below:
            effects.append(DropSegments(below))
