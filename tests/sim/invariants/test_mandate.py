"""A leader without a majority of votes is noticed."""

import pytest

from core.raft.messages import VoteResponse
from sim.host import Host
from sim.invariants import Violated
from sim.invariants.mandate import LeadersAreElected
from tests.sim.invariants.settled import Settled, enthrone

TERM = 9


def _vote(settled: Settled, invariant: LeadersAreElected, voter: Host, *, pre: bool) -> None:
    message = VoteResponse(TERM, granted=True, pre=pre)
    invariant.sent(settled.world, voter, settled.follower.name, message)


def test_a_leader_that_nobody_else_voted_for(settled: Settled) -> None:
    invariant = LeadersAreElected()
    _vote(settled, invariant, settled.leader, pre=True)  # which elects nobody
    enthrone(settled, settled.follower, TERM)

    with pytest.raises(Violated, match="with the votes of"):
        settled.look(invariant, settled.follower)


def test_a_vote_of_who_is_no_voter_does_not_count(settled: Settled) -> None:
    invariant = LeadersAreElected()
    settled.leader.name = "stranger"
    _vote(settled, invariant, settled.leader, pre=False)
    enthrone(settled, settled.follower, TERM)

    with pytest.raises(Violated, match="with the votes of"):
        settled.look(invariant, settled.follower)


def test_a_majority_of_votes(settled: Settled) -> None:
    invariant = LeadersAreElected()
    _vote(settled, invariant, settled.leader, pre=False)
    enthrone(settled, settled.follower, TERM)

    settled.look(invariant, settled.follower)
    settled.look(invariant, settled.follower)
