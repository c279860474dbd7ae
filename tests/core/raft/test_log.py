"""The log in memory against a plain list, and the few things that a list cannot say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.check import InvariantBroken
from core.raft.entry import KIND_WRITES, Entry
from core.raft.log import ENTRY_OVERHEAD_BYTES, Log


def entry(index: int, term: int, size: int = 0) -> Entry:
    return Entry(index, term, KIND_WRITES, 0, bytes(size))


def log_of(*terms: int, start: int = 0, start_term: int = 0) -> Log:
    return Log(start, start_term, [entry(start + 1 + i, term) for i, term in enumerate(terms)])


class LogModel(RuleBasedStateMachine):
    """A log beside a list of all entries that were ever in it, from index 1 on."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log(0, 0, ())
        self.terms = [0]
        self.sizes = [0]
        self.start = 0
        self.stable = 0
        self.handed = 0
        self.under_way: list[tuple[int, int]] = []

    @property
    def last(self) -> int:
        return len(self.terms) - 1

    @initialize(start=st.integers(0, 5), term=st.integers(0, 3))
    def begin(self, start: int, term: int) -> None:
        self.reset(start, term)

    @rule(more=st.integers(0, 2), size=st.integers(0, 300))
    def append(self, more: int, size: int) -> None:
        self.terms.append(self.terms[-1] + more)
        self.sizes.append(size)
        self.log.append(entry(self.last, self.terms[-1], size))

    @precondition(lambda self: self.last > self.start)
    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(self.start + 1, self.last))
        del self.terms[index:], self.sizes[index:]
        self.stable = min(self.stable, index - 1)
        self.handed = min(self.handed, index - 1)
        self.log.truncate(index)

    @rule(bytes_max=st.integers(0, 1000))
    def hand(self, bytes_max: int) -> None:
        entries = self.log.unwritten(bytes_max)
        indices = [each.index for each in entries]

        assert list(range(self.handed + 1, self.handed + 1 + len(entries))) == indices
        assert sum(len(each.data) + ENTRY_OVERHEAD_BYTES for each in entries) <= bytes_max
        self.handed += len(entries)
        if entries:
            self.under_way.append((entries[-1].index, entries[-1].term))

    @precondition(lambda self: self.under_way)
    @rule()
    def written(self) -> None:
        index, term = self.under_way.pop(0)
        self.log.written(index, term)
        if self.stable < index <= self.last and self.terms[index] == term:
            self.stable = index
            self.handed = max(self.handed, index)

    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, self.stable))
        self.log.compact(index)
        self.start = max(self.start, index)

    @rule(index=st.integers(0, 30), term=st.integers(0, 9))
    def reset(self, index: int, term: int) -> None:
        self.terms = [0] * index + [term]
        self.sizes = [0] * (index + 1)
        self.start = self.stable = self.handed = index
        self.under_way.clear()
        self.log.reset(index, term)

    @rule(index=st.integers(0, 40), term=st.integers(0, 9))
    def look_back(self, index: int, term: int) -> None:
        found = [
            (each, self.terms[each])
            for each in range(self.start + 1, min(index, self.last) + 1)
            if self.terms[each] <= term
        ]

        expected = found[-1] if found else (self.start, self.terms[self.start])
        assert expected == self.log.last_index_with_term_at_most(index, term)

    @rule(bytes_max=st.integers(0, 2000))
    def oldest_beyond(self, bytes_max: int) -> None:
        kept = {
            index: sum(size + ENTRY_OVERHEAD_BYTES for size in self.sizes[index + 1 :])
            for index in range(self.start, self.last + 1)
        }

        enough = [index for index, size in kept.items() if size >= bytes_max]
        assert max(enough, default=self.start) == self.log.oldest_beyond(bytes_max)

    @precondition(lambda self: self.last > self.start)
    @rule(data=st.data(), bytes_max=st.integers(0, 1000))
    def slice(self, data: st.DataObject, bytes_max: int) -> None:
        start = data.draw(st.integers(self.start + 1, self.last))
        indices = [each.index for each in self.log.slice(start, bytes_max)]
        size = sum(self.sizes[index] + ENTRY_OVERHEAD_BYTES for index in indices)

        assert list(range(start, start + len(indices))) == indices
        assert len(indices) == 1 or 0 < size <= bytes_max
        following = start + len(indices)
        if following <= self.last:
            assert size + self.sizes[following] + ENTRY_OVERHEAD_BYTES > bytes_max

    @invariant()
    def equals_the_list(self) -> None:
        log = self.log

        assert (self.start, self.terms[self.start]) == (log.start_index, log.start_term)
        assert (self.last, self.terms[-1]) == (log.last_index, log.last_term)
        assert (self.stable, self.handed) == (log.stable_index, log.handed_index)
        window = log.between(self.start + 1, self.last)
        assert self.terms[self.start + 1 :] == [each.term for each in window]
        assert log.bytes == sum(len(each.data) + ENTRY_OVERHEAD_BYTES for each in window)
        for index in range(self.last + 3):
            expected = self.terms[index] if self.start <= index <= self.last else None
            assert expected == log.term_at(index)


test_log_equals_a_list = pytest.mark.slow(LogModel.TestCase)


def test_an_entry_is_found_by_its_index() -> None:
    log = log_of(1, 1, 2, start=4)

    assert entry(7, 2) == log.entry(7)


@pytest.mark.parametrize("index", [4, 8])
def test_an_entry_outside_the_window_is_not_there(index: int) -> None:
    with pytest.raises(InvariantBroken):
        log_of(1, 1, 2, start=4).entry(index)


def test_entries_follow_each_other() -> None:
    log = log_of(1, 2)

    with pytest.raises(InvariantBroken):
        log.append(entry(4, 2))
    with pytest.raises(InvariantBroken):
        log.append(entry(3, 1))


def test_what_was_cut_cannot_be_had() -> None:
    """Bug 21: who needs it gets a snapshot, not something else."""
    log = log_of(1, 1, 1, start=4)

    with pytest.raises(InvariantBroken):
        log.slice(4, 100)
    with pytest.raises(InvariantBroken):
        log.between(4, 6)
    with pytest.raises(InvariantBroken):
        log.truncate(4)


def test_only_durable_entries_are_cut() -> None:
    """Bug 34: a base never stands ahead of the durable log."""
    log = log_of(1)
    log.append(entry(2, 1))

    with pytest.raises(InvariantBroken):
        log.compact(2)


def replaced_while_written(term: int) -> Log:
    """Return a log whose entry 2.1 gave way to one of `term` while the disk was busy with it."""
    log = log_of(1)
    log.append(entry(2, 1))
    log.unwritten(1000)
    log.truncate(2)
    log.append(entry(2, term))
    log.written(2, 1)
    return log


def test_an_entry_that_was_replaced_is_not_durable() -> None:
    """Bug 24: the disk speaks of an entry that stands there no more."""
    log = replaced_while_written(2)

    assert (1, 1) == (log.stable_index, log.handed_index)


def test_an_entry_that_came_back_is_durable_and_not_written_again() -> None:
    """Bug 24, the other way round: cut and received again while the disk was busy with it."""
    log = replaced_while_written(1)

    assert (2, 2) == (log.stable_index, log.handed_index)
    log.compact(2)
    assert () == log.unwritten(1000)


@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_the_term_counts_before_the_index(
    last_index: int, last_term: int, own_index: int, own_term: int
) -> None:
    """Paper 5.4.1, bug 15."""
    log = Log(own_index, own_term, ())

    expected = last_term > own_term or (last_term == own_term and last_index >= own_index)
    assert expected == log.is_up_to_date(last_index, last_term)
