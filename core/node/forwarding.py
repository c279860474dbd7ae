"""Requests that a member passes on to the leader, seen from both ends."""

from typing import Final

import msgspec

from core.node.waiting import Waiting

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
        if incarnation not in self._senders and len(self._senders) >= SENDERS_MAX:
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
