"""A leader that lacks what is committed is noticed."""

import pytest

from core.raft.entry import KIND_EMPTY, Entry
from sim.invariants import Violated
from sim.invariants.leadership import LeaderCompleteness
from tests.sim.invariants.settled import Settled, enthrone, raft_of


def test_a_leader_without_a_committed_entry(settled: Settled) -> None:
    invariant = LeaderCompleteness()
    settled.show(invariant)
    raft = raft_of(settled.follower)
    raft.log.truncate(raft.commit)
    raft.commit -= 1
    enthrone(settled, settled.follower, raft.term + 1)

    with pytest.raises(Violated, match="without the committed entry"):
        settled.look(invariant, settled.follower)


def test_a_leader_with_another_entry_there(settled: Settled) -> None:
    invariant = LeaderCompleteness()
    settled.show(invariant)
    raft = raft_of(settled.follower)
    index = raft.log.last_index
    raft.log.truncate(index)
    raft.log.append(Entry(index, raft.term + 5, KIND_EMPTY, 0))
    enthrone(settled, settled.follower, raft.term + 5)

    with pytest.raises(Violated, match="without the committed entry"):
        settled.look(invariant, settled.follower)
