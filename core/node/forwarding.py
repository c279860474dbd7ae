"""Requests that a member passes on to the leader, seen from both ends."""

from typing import Final

import msgspec

from core.effects import Effect, Send
from core.moment import NEVER
from core.node.messages import Forward, Forwarded
from core.node.waiting import Waiting
from core.raft.state import Raft
from core.request import Response
from core.settings import Settings
from core.vault import answers

FORWARDED_BYTES_MAX: Final = 6 << 20
"""The longest body of a request, or of its answer, that is passed on between members. Whatever an
engine stores fits, in any spelling; a longer message would be taken for damage."""
SEEN_CALLS_MAX: Final = 16_384
"""Calls of one sender that are remembered one by one; older ones count as seen."""
SENDERS_MAX: Final = 256
"""Incarnations of senders that are remembered."""


class Call(msgspec.Struct):
    """A request that the leader was asked to execute.

    Attributes:
        waiting: the request.
        leader: whom it was sent to.
        term: the term in which that one led.
        due_ns: when to stop waiting: nobody knows then whether it was executed.
    """

    waiting: Waiting
    leader: str
    term: int
    due_ns: int


class Calls:
    """Requests of this node that its leader was asked to execute.

    Attributes:
        due_ns: when `take_overdue` has something to do, or earlier (monotonic).
    """

    __slots__ = ("_calls", "_incarnation", "_last_call", "_settings", "due_ns")

    def __init__(self, settings: Settings, incarnation: int) -> None:
        """Begin with no calls; `incarnation` tells those of this life from those of others."""
        self._settings = settings
        self._incarnation = incarnation
        self._last_call = 0
        self._calls: dict[int, Call] = {}
        self.due_ns = NEVER

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._calls)

    @property
    def full(self) -> bool:
        """Whether no more may be under way."""
        return len(self._calls) >= self._settings.requests.forwarded_max

    def send(self, waiting: Waiting, raft: Raft, now_ns: int, effects: list[Effect]) -> None:
        """Pass a request on to the leader."""
        leader = raft.leader
        self._last_call += 1
        due_ns = min(waiting.deadline_ns, now_ns + self._settings.leader_patience_ns)
        self._calls[self._last_call] = Call(waiting, leader, raft.term, due_ns)
        self.due_ns = min(self.due_ns, due_ns)
        message = Forward(
            self._incarnation,
            self._last_call,
            waiting.deadline_ns - now_ns,
            waiting.request.forwarded(raft.node),
        )
        effects.append(Send(leader, message))

    def answered(self, incarnation: int, call: int) -> Call | None:
        """Return the call that an answer belongs to, if it still waits."""
        return self._calls.pop(call, None) if incarnation == self._incarnation else None

    def leader_changed(self, leader: str, now_ns: int) -> None:
        """Give a former leader little time to answer: it may be gone."""
        due_ns = now_ns + self._settings.raft.election_timeout_min_ns
        for call in self._calls.values():
            if call.leader != leader:
                call.due_ns = min(call.due_ns, due_ns)
                self.due_ns = min(self.due_ns, call.due_ns)

    def take_overdue(self, now_ns: int) -> list[Waiting]:
        """Return the requests that have waited too long for their answers."""
        overdue = [number for number, call in self._calls.items() if now_ns >= call.due_ns]
        taken = [self._calls.pop(number).waiting for number in overdue]
        self.due_ns = min((call.due_ns for call in self._calls.values()), default=NEVER)
        return taken

    def take_all(self) -> list[Waiting]:
        """Return all requests that wait for their answers."""
        everything = [call.waiting for call in self._calls.values()]
        self._calls.clear()
        self.due_ns = NEVER
        return everything


class SeenCalls:
    """Tells a call that arrives for the first time from one that arrives again.

    A transport may deliver a message twice and out of order. A call is named for ever by the
    sender's incarnation and a counter; one that is too old to be remembered counts as seen, so
    that nothing is ever executed twice.
    """

    __slots__ = ("_senders",)

    def __init__(self) -> None:
        self._senders: dict[int, tuple[dict[int, None], int]] = {}

    def is_new(self, incarnation: int, call: int) -> bool:
        """Tell whether this call was never seen, and remember it."""
        seen, floor = self._senders.get(incarnation, ({}, 0))
        if call <= floor or call in seen:
            return False
        seen[call] = None
        if len(seen) > SEEN_CALLS_MAX:
            floor = self._raise_floor(seen, floor)
        # Whoever has been silent for longest is forgotten, so those come first.
        self._senders.pop(incarnation, None)
        if len(self._senders) >= SENDERS_MAX:
            del self._senders[next(iter(self._senders))]
        self._senders[incarnation] = (seen, floor)
        return True

    @staticmethod
    def _raise_floor(seen: dict[int, None], floor: int) -> int:
        """Forget the older half one by one; return the call up to which all count as seen."""
        for call in sorted(seen)[: SEEN_CALLS_MAX // 2]:
            del seen[call]
            floor = call
        return floor


def answer(waiting: Waiting, response: Response, *, audited: bool) -> Send:
    """Return the answer to a request that another member has passed on."""
    if len(response.body) > FORWARDED_BYTES_MAX:
        response = answers.ANSWER_TOO_LARGE
    return Send(waiting.peer, Forwarded(waiting.incarnation, waiting.call, response), audited)


def decline(waiting: Waiting) -> Send:
    """Hand a request back to the member that passed it on; it was not executed.

    That member waits for the next leader as well as this node could, which may be stopping.
    """
    return Send(waiting.peer, Forwarded(waiting.incarnation, waiting.call, None))
