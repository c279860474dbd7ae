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


def _replace_follower(settled: Settled, index: int) -> None:
    """Put a configuration into force at the leader, as of that entry, with another voter."""
    raft = raft_of(settled.leader)
    configuration = raft.configuration.with_learner("n4", raft.configuration.members["n2"])
    raft.configuration = configuration.promoted("n4").without(settled.follower.name)
    raft.configuration_index = index


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


def test_a_configuration_that_is_appended_after_the_commit(settled: Settled) -> None:
    """In that turn the one before may count, if the entry stands before the new one."""
    invariant = CommittedIsDurable()
    settled.show(invariant)
    _commit_one(settled, settled.leader.name, settled.follower.name)
    _replace_follower(settled, raft_of(settled.leader).commit + 1)

    settled.look(invariant, settled.leader)


def test_a_configuration_that_was_in_force_when_it_was_counted(settled: Settled) -> None:
    invariant = CommittedIsDurable()
    settled.show(invariant)
    _commit_one(settled, settled.leader.name, settled.follower.name)
    _replace_follower(settled, raft_of(settled.leader).commit)

    with pytest.raises(Violated, match="durable at"):
        settled.look(invariant, settled.leader)
