"""A vote that is given twice, or forgotten, is noticed."""

import pytest

from core.raft.messages import VoteRequest, VoteResponse
from sim.invariants import Violated
from sim.invariants.votes import VotesAreKept
from tests.sim.invariants.settled import Settled, raft_of

TERM = 50
VOTE = VoteResponse(TERM, granted=True, pre=False)


def test_a_vote_for_each_of_two_candidates(settled: Settled) -> None:
    invariant = VotesAreKept()
    invariant.sent(settled.world, settled.follower, "n1", VOTE)
    invariant.sent(settled.world, settled.follower, "n1", VOTE)

    with pytest.raises(Violated, match="votes for n1 and n3 in term 50"):
        invariant.sent(settled.world, settled.follower, "n3", VOTE)


def test_a_candidate_that_votes_for_another(settled: Settled) -> None:
    invariant = VotesAreKept()
    request = VoteRequest(TERM, 1, 1, pre=False, transfer=False)
    invariant.sent(settled.world, settled.follower, "n1", request)

    with pytest.raises(Violated, match="in term 50"):
        invariant.sent(settled.world, settled.follower, "n9", VOTE)


def test_what_is_not_given_binds_nobody(settled: Settled) -> None:
    invariant = VotesAreKept()
    for message in (
        VoteResponse(TERM, granted=True, pre=True),
        VoteResponse(TERM, granted=False, pre=False),
        VoteRequest(TERM, 1, 1, pre=True, transfer=False),
    ):
        invariant.sent(settled.world, settled.follower, "n1", message)
    invariant.sent(settled.world, settled.follower, "n3", VOTE)
    with pytest.raises(Violated):
        invariant.sent(settled.world, settled.follower, "n1", VOTE)


@pytest.mark.parametrize(("term", "vote"), [(TERM, ""), (TERM, "n3"), (TERM - 1, "n1")])
def test_a_vote_that_a_restart_forgets(settled: Settled, term: int, vote: str) -> None:
    invariant = VotesAreKept()
    invariant.started(settled.world, settled.follower)
    invariant.sent(settled.world, settled.follower, "n1", VOTE)
    raft = raft_of(settled.follower)
    raft.term, raft.vote = term, vote

    with pytest.raises(Violated, match="voted for n1 in term 50 and remembers"):
        invariant.started(settled.world, settled.follower)


@pytest.mark.parametrize(("term", "vote"), [(TERM, "n1"), (TERM + 1, "")])
def test_a_vote_that_is_kept_or_over(settled: Settled, term: int, vote: str) -> None:
    invariant = VotesAreKept()
    invariant.sent(settled.world, settled.follower, "n1", VOTE)
    raft = raft_of(settled.follower)
    raft.term, raft.vote = term, vote

    invariant.started(settled.world, settled.follower)
