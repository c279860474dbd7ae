"""Requests that wait, and what they wait for."""

from collections import deque

import msgspec

from core.moment import NEVER
from core.request import Request
from core.vault.outcome import Outcome
from core.vault.plan import Plan


class Waiting(msgspec.Struct):
    """A request on its way to its answer.

    Attributes:
        request: what is asked.
        plan: how the vault understands it.
        deadline_ns: when the client stops waiting (monotonic).
        due_ns: when to stop waiting for a leader that can serve it (monotonic).
        handle: names the answer, if the request came to this node.
        peer: the member that forwarded it, or empty.
        incarnation: as in its `Forward`.
        call: as in its `Forward`.
        audited: its audit record as a request has been written.
        unwritable: audit files that could not be written to when its record was.
    """

    request: Request
    plan: Plan
    deadline_ns: int
    due_ns: int
    handle: int = 0
    peer: str = ""
    incarnation: int = 0
    call: int = 0
    audited: bool = False
    unwritable: tuple[str, ...] = ()


class WaitingQueue:
    """Requests in the order in which they began to wait.

    Attributes:
        waiting: all of them.
        due_ns: none of them is overdue before this (monotonic). It may be early, since requests
            leave without a search for the next; `take_overdue` makes it exact.
    """

    __slots__ = ("due_ns", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        self.due_ns = NEVER

    def add(self, waiting: Waiting) -> None:
        """Let a request wait."""
        self.waiting.append(waiting)
        self.due_ns = min(self.due_ns, waiting.due_ns)

    def take_all(self) -> deque[Waiting]:
        """Return all of them."""
        taken, self.waiting = self.waiting, deque()
        self.due_ns = NEVER
        return taken

    def take_overdue(self, now_ns: int) -> list[Waiting]:
        """Return those that have waited too long."""
        overdue: list[Waiting] = []
        for waiting in self.take_all():
            if now_ns >= waiting.due_ns:
                overdue.append(waiting)
            else:
                self.add(waiting)
        return overdue


class Uncommitted(msgspec.Struct):
    """A request that was executed; its answer waits for a commit.

    Attributes:
        waiting: the request.
        outcome: what it came to.
        term: the term of the entry that it waits for.
        wrote: that entry is its own.
    """

    waiting: Waiting
    outcome: Outcome
    term: int
    wrote: bool


class ReadBatch(msgspec.Struct):
    """Reads that share one confirmation.

    Attributes:
        waiting: the requests.
        retry_ns: when it is asked for again (monotonic).
    """

    waiting: list[Waiting]
    retry_ns: int
