"""Arithmetic of majorities, also of two at once (Raft paper, section 6)."""

from collections.abc import Mapping, Sequence
from enum import Enum


class Vote(Enum):
    """How an election stands."""

    PENDING = "pending"
    WON = "won"
    LOST = "lost"


def majority(count: int) -> int:
    """Return how many of `count` voters make a majority; none of none is one too many."""
    return count // 2 + 1


def highest(values: Mapping[str, int], voters: Sequence[str]) -> int | None:
    """Return the greatest number that a majority of `voters` has reached; None without voters.

    A voter without a value counts as 0.
    """
    count = len(voters)
    if count == 1:
        return values.get(voters[0], 0)
    if count == 0:
        return None
    return sorted([values.get(voter, 0) for voter in voters])[(count - 1) // 2]


def agreed(values: Mapping[str, int], incoming: Sequence[str], outgoing: Sequence[str]) -> int:
    """Return the greatest number that a majority of both groups has reached.

    `outgoing` is empty unless a joint configuration is in force; then it does not count.
    Without any voters the answer is 0: nobody can agree.
    """
    new = highest(values, incoming)
    if new is None:
        return 0
    old = highest(values, outgoing)
    return new if old is None else min(new, old)


def tally(votes: Mapping[str, bool], incoming: Sequence[str], outgoing: Sequence[str]) -> Vote:
    """Return how an election stands; both groups must grant it, either may refuse it."""
    standings = [_tally_one(votes, voters) for voters in (incoming, outgoing) if voters]
    if not standings or Vote.LOST in standings:
        return Vote.LOST
    return Vote.PENDING if Vote.PENDING in standings else Vote.WON


def _tally_one(votes: Mapping[str, bool], voters: Sequence[str]) -> Vote:
    needed = majority(len(voters))
    granted = sum(1 for voter in voters if votes.get(voter) is True)
    refused = sum(1 for voter in voters if votes.get(voter) is False)
    if granted >= needed:
        return Vote.WON
    return Vote.LOST if len(voters) - refused < needed else Vote.PENDING
