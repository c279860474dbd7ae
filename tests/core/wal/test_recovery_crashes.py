"""Whatever happens, and wherever a crash falls, the log says what a simple model says."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.raft.entry import Entry, HardState
from core.wal.frame import ENTRY_OVERHEAD_BYTES_MAX
from core.wal.recovery import Recovered
from core.wal.writer import SegmentWrite
from tests.core.wal.disk import Disk, entries


class Model:
    """What a log must say: the acknowledged hard state and entries, and where the base stands."""

    def __init__(self) -> None:
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self.base_index = 0
        self.void_through = 0

    @property
    def last_index(self) -> int:
        return max(self.base_index, self.entries[-1].index if self.entries else 0)

    def take(self, hard_state: HardState | None, added: Sequence[Entry]) -> None:
        """A batch is acknowledged."""
        if hard_state is not None:
            self.hard_state = hard_state
        if added:
            self.entries = [entry for entry in self.entries if entry.index < added[0].index]
            self.entries += added

    def replace_base(self, index: int) -> None:
        """The base is ahead of the log from now on, so the log holds nothing any more."""
        self.base_index = index
        self.entries = []


class Plan(NamedTuple):
    """What to append.

    Attributes:
        full: no further segment is prepared before.
        back: how many of the last entries to replace.
        length: how many entries.
        size: a part of the room there is for each, from 0 to 1.
        elected: with a new term.
    """

    full: bool
    back: int
    length: int
    size: float
    elected: bool


plans = st.builds(
    Plan, st.booleans(), st.integers(0, 6), st.integers(0, 4), st.floats(0, 1), st.booleans()
)

pieces = st.lists(
    st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=4, unique_by=lambda cut: cut[0]
)
"""Where a write is cut, and which of the pieces before each cut reach the disk."""


def survivors(write: SegmentWrite, cuts: list[tuple[float, bool]]) -> list[SegmentWrite]:
    """Return the pieces of `write` that a crash leaves."""
    left: list[SegmentWrite] = []
    start = 0
    for share, kept in sorted(cuts):
        stop = round(share * len(write.data))
        if kept:
            left.append(SegmentWrite(write.number, write.offset + start, write.data[start:stop]))
        start = stop
    return left


class Crashes(RuleBasedStateMachine):
    """One log under batches, resets, dropped segments and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.model = Model()
        self.needed = 1
        self.writer = self.recover().writer

    def recover(self) -> Recovered:
        return self.disk.recover(
            void_through=self.model.void_through, base_index=self.model.base_index
        )

    @rule(plans=st.lists(plans, min_size=1, max_size=8))
    def append(self, plans: list[Plan]) -> None:
        """Append batches, one after another, each durable before the next."""
        for plan in plans:
            hard_state, added = self.planned(plan)
            if added or hard_state:
                batch = self.writer.append(hard_state, added)
                self.disk.write(batch.writes)
                self.writer.durable(batch.sequence)
                self.model.take(hard_state, added)

    @rule(plan=plans, crash=pieces, reset=st.booleans())
    def crash_in_append(self, plan: Plan, crash: list[tuple[float, bool]], *, reset: bool) -> None:
        """Crash before a batch is acknowledged; perhaps the base has just been replaced."""
        hard_state, added = self.planned(plan)
        if not added and hard_state is None:
            return
        batch = self.writer.append(hard_state, added)
        for write in batch.writes:
            self.disk.write(survivors(write, crash))
        if reset:
            self.replace_base(batch.sequence)
        recovered = self.recover()
        # With the base replaced, the sequence tells nothing: it is never below what is void.
        if reset and hard_state == recovered.hard_state:
            self.model.take(hard_state, ())
        elif not reset and recovered.writer.sequence == batch.sequence:
            self.model.take(hard_state, added)
        self.compare(recovered)
        self.writer = recovered.writer

    def planned(self, plan: Plan) -> tuple[HardState | None, list[Entry]]:
        """Return the batch of a plan, of what there is room for; it may be empty."""
        self.prepare(room=not plan.full)
        share_bytes = int(plan.size * self.writer.room()) // 4 - ENTRY_OVERHEAD_BYTES_MAX
        if share_bytes < 0:
            return None, []
        model = self.model
        first = max(model.last_index + 1 - plan.back, model.base_index + 1)
        term = model.hard_state.term + plan.elected
        hard_state = HardState(term, "a") if plan.elected else None
        return hard_state, entries(first, plan.length, term=term, size=share_bytes)

    def replace_base(self, void_through: int) -> None:
        """The base is replaced, and all that the log holds is void."""
        self.model.replace_base(self.model.last_index + 3)
        self.model.void_through = void_through

    @rule(ahead=st.integers(0, 3))
    def lose_all_entries(self, ahead: int) -> None:
        """A snapshot is installed; or the base flushed ahead of what is durable in the log."""
        if ahead == 0:
            self.replace_base(self.writer.sequence)
        else:
            self.model.replace_base(self.model.last_index + ahead)

    @rule(share=st.floats(0, 1), trailing=st.integers(0, 5))
    def flush(self, share: float, trailing: int) -> None:
        """The base moves on, and segments go that only a lagging follower could need."""
        span = self.model.last_index - self.model.base_index
        self.model.base_index += round(share * span)
        self.needed = max(self.needed, self.model.base_index + 1 - trailing)
        self.disk.drop(self.writer.droppable(self.needed))

    def prepare(self, *, room: bool) -> None:
        """Prepare a segment if the writer wants one; or find no room for it."""
        request = self.writer.wants_segment()
        if request is None:
            return
        if room:
            self.disk.prepare(request)
            self.writer.segment_ready(request.number)
        else:
            self.writer.segment_refused(request.number)

    @rule(share=st.floats(0, 1))
    def crash_in_prepare(self, share: float) -> None:
        """Crash with a part of the segment created."""
        request = self.writer.wants_segment()
        if request is not None:
            self.disk.segments[request.number] = bytearray(round(share * request.size))
            self.writer = self.recover().writer

    @invariant()
    def recovered_equals_model(self) -> None:
        self.compare(self.recover())

    def compare(self, recovered: Recovered) -> None:
        assert self.model.hard_state == recovered.hard_state
        expected = self.model.entries
        if expected and expected[-1].index < self.model.base_index:
            expected = []
        found = recovered.entries
        assert expected[len(expected) - len(found) :] == found
        if expected:
            assert found[0].index <= max(expected[0].index, self.needed)
        assert () == self.recover().cut


TestCrashes = pytest.mark.slow(Crashes.TestCase)
TestCrashes.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
