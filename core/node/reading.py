"""Reads that wait for a read index.

Reads gather in batches, and one question confirms a batch. While one batch is asked for, the next
gathers. A confirmed batch waits until the state has been applied up to its index.
"""

from core.effects import Effect, Send
from core.moment import NEVER
from core.node.waiting import ReadBatch, Waiting
from core.raft import reads
from core.raft.messages import ReadIndexRequest
from core.raft.state import ConfirmedRead, Raft
from core.settings import Settings


class ReadQueue:
    """The waiting reads of one node.

    Attributes:
        count: how many there are.
        due_ns: when `tick` has something to do, or earlier (monotonic).
    """

    __slots__ = (
        "_asked",
        "_confirmed",
        "_gathering",
        "_last_batch",
        "_settings",
        "count",
        "due_ns",
    )

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
        self.due_ns = NEVER

    def add(self, waiting: Waiting) -> None:
        """Let a read wait for the next batch."""
        self._gathering.append(waiting)
        self.count += 1
        self.due_ns = min(self.due_ns, waiting.due_ns)

    def ask(self, raft: Raft, now_ns: int, effects: list[Effect]) -> None:
        """Ask for what has gathered, unless a question is under way."""
        if not self._gathering or self._asked or not raft.leader:
            return
        limit = self._settings.requests.read_index_batch_max
        batch, self._gathering = self._gathering[:limit], self._gathering[limit:]
        self._last_batch += 1
        asked = ReadBatch(batch, now_ns + self._settings.raft.election_timeout_min_ns)
        self._asked[self._last_batch] = asked
        self.due_ns = min(self.due_ns, asked.retry_ns)
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
        ready = [
            waiting
            for index, batch in self._confirmed
            if index <= applied_index
            for waiting in batch
        ]
        self._confirmed = [each for each in self._confirmed if each[0] > applied_index]
        return self._let_go(ready)

    def take_all(self) -> list[Waiting]:
        """Return all reads that wait."""
        waiting = self._gathering
        for asked in self._asked.values():
            waiting += asked.waiting
        for _, confirmed in self._confirmed:
            waiting += confirmed
        self._gathering = []
        self._asked.clear()
        self._confirmed = []
        self.due_ns = NEVER
        return self._let_go(waiting)

    def tick(self, now_ns: int) -> list[Waiting]:
        """Ask again what went unanswered; return the reads that have waited too long.

        The question or its answer was lost, and a read does no harm if asked again.
        """
        overdue: list[Waiting] = []
        self.due_ns = NEVER

        def in_time(batch: list[Waiting]) -> list[Waiting]:
            overdue.extend(each for each in batch if now_ns >= each.due_ns)
            kept = [each for each in batch if now_ns < each.due_ns]
            self.due_ns = min(self.due_ns, min((each.due_ns for each in kept), default=NEVER))
            return kept

        for number, asked in list(self._asked.items()):
            asked.waiting = in_time(asked.waiting)
            if now_ns >= asked.retry_ns:
                del self._asked[number]
                self._gathering = asked.waiting + self._gathering
            else:
                self.due_ns = min(self.due_ns, asked.retry_ns)
        self._gathering = in_time(self._gathering)
        self._confirmed = [(index, in_time(batch)) for index, batch in self._confirmed]
        return self._let_go(overdue)

    def _let_go(self, waiting: list[Waiting]) -> list[Waiting]:
        self.count -= len(waiting)
        return waiting
