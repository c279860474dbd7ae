"""Reads that wait for a read index: on followers, and on a leader without a lease.

Reads gather into a batch; one question confirms it. While one batch is asked for, the next
gathers. A confirmed batch waits until the state has been applied up to its index.
"""

from collections.abc import Iterable

from core.effects import Effect, Send
from core.node.waiting import ReadBatch, Waiting
from core.raft import reads
from core.raft.messages import ReadIndexRequest
from core.raft.state import NEVER, ConfirmedRead, Raft
from core.settings import Settings


class ReadQueue:
    """The waiting reads of one node.

    Attributes:
        count: how many there are.
    """

    __slots__ = ("_asked", "_confirmed", "_gathering", "_last_batch", "_settings", "count")

    def __init__(self, settings: Settings, incarnation: int) -> None:
        """Begin with no reads.

        Args:
            settings: limits and timeouts.
            incarnation: batches are numbered from here, so that a late answer to a question of
                an earlier life confirms nothing in this one.
        """
        self._settings = settings
        self._gathering: list[Waiting] = []
        self._asked: dict[int, ReadBatch] = {}
        self._confirmed: list[tuple[int, list[Waiting]]] = []
        self._last_batch = incarnation
        self.count = 0

    def add(self, waiting: Waiting) -> None:
        """Let a read wait for the next batch."""
        self._gathering.append(waiting)
        self.count += 1

    def ask(self, raft: Raft, now_ns: int, effects: list[Effect]) -> None:
        """Ask for what has gathered, unless a question is under way; repeat an old question."""
        retry_ns = self._settings.raft.election_timeout_min_ns
        for number, asked in list(self._asked.items()):
            if now_ns - asked.asked_ns >= retry_ns:
                # The question or its answer was lost; a read does no harm if asked again.
                del self._asked[number]
                self._gathering = asked.waiting + self._gathering
        if not self._gathering or self._asked or not raft.leader:
            return
        limit = self._settings.requests.read_index_batch_max
        batch, self._gathering = self._gathering[:limit], self._gathering[limit:]
        self._last_batch += 1
        self._asked[self._last_batch] = ReadBatch(batch, now_ns)
        if raft.leadership is not None:
            reads.request(raft, "", self._last_batch, now_ns)
        else:
            effects.append(Send(raft.leader, ReadIndexRequest(self._last_batch)))

    def confirmed(self, read: ConfirmedRead) -> None:
        """Take note that a batch may be run once its index has been applied."""
        batch = self._asked.pop(read.batch, None)
        if batch is not None:
            self._confirmed.append((read.index, batch.waiting))

    def refused(self, batch: int) -> list[Waiting]:
        """Return the reads of a batch that could not be confirmed."""
        asked = self._asked.pop(batch, None)
        return self._let_go([] if asked is None else asked.waiting)

    def ready(self, applied_index: int) -> list[Waiting]:
        """Return the reads whose index has been applied."""
        if not self._confirmed:
            return []
        ready = [
            waiting
            for index, batch in self._confirmed
            if index <= applied_index
            for waiting in batch
        ]
        self._confirmed = [each for each in self._confirmed if each[0] > applied_index]
        return self._let_go(ready)

    def take_asked(self) -> list[Waiting]:
        """Return the reads that were asked of a leader that is none any more."""
        asked = [waiting for batch in self._asked.values() for waiting in batch.waiting]
        self._asked.clear()
        return self._let_go(asked)

    def take_all(self) -> list[Waiting]:
        """Return all reads that wait."""
        waiting = self._gathering + self.take_asked()
        waiting += [each for _, batch in self._confirmed for each in batch]
        self._gathering = []
        self._confirmed = []
        self.count = 0
        return waiting

    def overdue(self, now_ns: int, patience_ns: int) -> list[Waiting]:
        """Return the reads that nobody waits for any more, or that no leader confirms."""
        overdue: list[Waiting] = []

        def split(batch: list[Waiting]) -> list[Waiting]:
            overdue.extend(each for each in batch if now_ns >= each.due_ns(patience_ns))
            return [each for each in batch if now_ns < each.due_ns(patience_ns)]

        self._gathering = split(self._gathering)
        for batch in self._asked.values():
            batch.waiting = split(batch.waiting)
        self._confirmed = [(index, split(batch)) for index, batch in self._confirmed]
        return self._let_go(overdue)

    def deadline_ns(self, patience_ns: int) -> int:
        """Return when a question must be repeated or a read is overdue."""
        due_ns = NEVER
        retry_ns = self._settings.raft.election_timeout_min_ns
        for batch in self._asked.values():
            due_ns = min(due_ns, batch.asked_ns + retry_ns)
        for waiting in self._all():
            due_ns = min(due_ns, waiting.due_ns(patience_ns))
        return due_ns

    def _all(self) -> Iterable[Waiting]:
        yield from self._gathering
        for batch in self._asked.values():
            yield from batch.waiting
        for _, confirmed in self._confirmed:
            yield from confirmed

    def _let_go(self, waiting: list[Waiting]) -> list[Waiting]:
        self.count -= len(waiting)
        return waiting
