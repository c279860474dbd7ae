"""A leader that commits by counting old entries is noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.own_term import CommitsOwnTerm
from tests.sim.invariants.settled import Settled, append, raft_of


def test_an_entry_of_an_older_term_that_is_committed_by_counting(settled: Settled) -> None:
    invariant = CommitsOwnTerm()
    raft = raft_of(settled.leader)
    entry = append(settled.leader)
    raft.term += 1
    settled.look(invariant, settled.leader)
    raft.commit = entry.index

    with pytest.raises(Violated, match="leads in term"):
        settled.look(invariant, settled.leader)


def test_an_entry_of_its_own_term(settled: Settled) -> None:
    invariant = CommitsOwnTerm()
    settled.show(invariant)
    raft_of(settled.leader).commit = append(settled.leader).index

    settled.look(invariant, settled.leader)
