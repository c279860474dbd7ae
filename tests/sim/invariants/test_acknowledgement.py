"""An acknowledgement that is not true is noticed."""

import pytest

from core.raft.entry import KIND_EMPTY, Entry
from core.raft.messages import AppendRequest, AppendResponse
from sim.invariants import Violated
from sim.invariants.acknowledgement import AcknowledgedIsDurable
from tests.sim.invariants.settled import Settled, raft_of


def _response(term: int, index: int, *, success: bool = True) -> AppendResponse:
    return AppendResponse(term, 1, success, index, 0, 0, electable=True, snapshot_floor=0)


def test_entries_that_are_not_durable(settled: Settled) -> None:
    raft = raft_of(settled.follower)
    response = _response(raft.term, raft.log.stable_index + 1)

    with pytest.raises(Violated, match="is durable up to"):
        AcknowledgedIsDurable().sent(settled.world, settled.follower, settled.leader.name, response)


def test_another_entry_than_was_offered(settled: Settled) -> None:
    invariant = AcknowledgedIsDurable()
    raft = raft_of(settled.follower)
    index = raft.log.last_index
    entries = (Entry(index, 77, KIND_EMPTY, 0),)
    offer = AppendRequest(77, index - 1, 1, 0, 1, 0, entries)
    invariant.sent(settled.world, settled.leader, settled.follower.name, offer)

    with pytest.raises(Violated, match="of term 77"):
        invariant.sent(settled.world, settled.follower, settled.leader.name, _response(77, index))


def test_a_refusal_and_a_true_acknowledgement(settled: Settled) -> None:
    invariant = AcknowledgedIsDurable()
    raft = raft_of(settled.follower)
    for response in (
        _response(raft.term, raft.log.stable_index),
        _response(raft.term, raft.log.stable_index + 9, success=False),
    ):
        invariant.sent(settled.world, settled.follower, settled.leader.name, response)
