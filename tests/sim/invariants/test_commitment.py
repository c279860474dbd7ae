"""An entry that is committed and not durable on a quorum is noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.commitment import CommittedIsDurable
from tests.sim.invariants.settled import Settled, append, raft_of


def _commit_one(settled: Settled, *holders: str) -> None:
    for name in holders:
        host = settled.world.hosts[name]
        append(host)
        raft_of(host).log.stable_index = raft_of(host).log.last_index
    raft_of(settled.leader).commit += 1


def test_an_entry_that_only_its_leader_has(settled: Settled) -> None:
    invariant = CommittedIsDurable()
    settled.show(invariant)
    _commit_one(settled, settled.leader.name)

    with pytest.raises(Violated, match="durable at"):
        settled.look(invariant, settled.leader)


def test_an_entry_of_another_term_does_not_count(settled: Settled) -> None:
    invariant = CommittedIsDurable()
    settled.show(invariant)
    raft_of(settled.follower).term += 1
    _commit_one(settled, settled.leader.name, settled.follower.name)

    with pytest.raises(Violated, match="durable at"):
        settled.look(invariant, settled.leader)


def test_the_log_of_a_crashed_voter_counts(settled: Settled) -> None:
    invariant = CommittedIsDurable()
    settled.show(invariant)
    _commit_one(settled, settled.leader.name, settled.follower.name)
    settled.follower.node = None

    settled.look(invariant, settled.leader)
