"""Requests that were executed and whose answers wait for a commit."""

from core.check import check
from core.node.waiting import Uncommitted
from core.raft.entry import Entry
from core.raft.state import Raft


class CommitQueue:
    """Executed requests by the index of the entry that they wait for.

    Attributes:
        count: how many there are.
    """

    __slots__ = ("_by_index", "count")

    def __init__(self) -> None:
        self._by_index: dict[int, list[Uncommitted]] = {}
        self.count = 0

    def add(self, index: int, uncommitted: Uncommitted) -> None:
        """Let a request wait until the entry at `index` is applied."""
        self._by_index.setdefault(index, []).append(uncommitted)
        self.count += 1

    def applied(self, entry: Entry) -> list[Uncommitted]:
        """Return those that waited for this entry."""
        waited = self._by_index.pop(entry.index, [])
        for uncommitted in waited:
            check(uncommitted.term == entry.term, "another entry than the one that was awaited")
        self.count -= len(waited)
        return waited

    def take_uncommitted(self, raft: Raft) -> list[Uncommitted]:
        """Return those whose entries may never be committed now that leadership is lost.

        What is committed by now, such as the removal of this very leader, is about to be applied,
        and answered then.
        """
        committed: dict[int, list[Uncommitted]] = {}
        taken: list[Uncommitted] = []
        for index, waiting in self._by_index.items():
            if index <= raft.commit and raft.log.term_at(index) == waiting[0].term:
                committed[index] = waiting
            else:
                taken += waiting
        self._by_index = committed
        self.count -= len(taken)
        return taken

    def take_all(self) -> list[Uncommitted]:
        """Return all that wait."""
        everything = [each for waiting in self._by_index.values() for each in waiting]
        self._by_index.clear()
        self.count = 0
        return everything
