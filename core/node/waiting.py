"""Requests that wait, and what they wait for."""

import msgspec

from core.request import Request
from core.vault.outcome import Outcome
from core.vault.plan import Plan


class Waiting(msgspec.Struct):
    """A request on its way to its answer.

    Attributes:
        request: what is asked.
        plan: how the vault understands it.
        deadline_ns: when the client stops waiting (monotonic).
        handle: names the answer, if the request came to this node.
        peer: the member that forwarded it, or empty.
        incarnation: as in its `Forward`.
        call: as in its `Forward`.
        audited: its audit record as a request has been written.
        since_ns: when it arrived.
        unwritable: audit files that could not be written to when its record was.
    """

    request: Request
    plan: Plan
    deadline_ns: int
    handle: int = 0
    peer: str = ""
    incarnation: int = 0
    call: int = 0
    audited: bool = False
    since_ns: int = 0
    unwritable: tuple[str, ...] = ()

    def due_ns(self, patience_ns: int) -> int:
        """Return when to stop waiting for a leader that can serve it (monotonic)."""
        return min(self.deadline_ns, self.since_ns + patience_ns)


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
        asked_ns: when it was asked for (monotonic).
    """

    waiting: list[Waiting]
    asked_ns: int
