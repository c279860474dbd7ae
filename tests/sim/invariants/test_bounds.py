"""Indices out of order are noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.bounds import IndicesAreOrdered
from tests.sim.invariants.settled import Settled, append, raft_of


def test_a_commit_index_behind_the_end_of_the_log(settled: Settled) -> None:
    invariant = IndicesAreOrdered()
    settled.show(invariant)
    raft_of(settled.leader).commit += 1

    with pytest.raises(Violated, match="commit"):
        settled.look(invariant, settled.leader)


def test_applied_before_committed(settled: Settled) -> None:
    assert settled.leader.node is not None
    append(settled.leader)
    settled.leader.node.store.applied_index += 1

    with pytest.raises(Violated, match="applied"):
        settled.look(IndicesAreOrdered(), settled.leader)


def test_durable_before_it_was_handed_over(settled: Settled) -> None:
    append(settled.leader)
    raft_of(settled.leader).log.stable_index += 1

    with pytest.raises(Violated, match="stable"):
        settled.look(IndicesAreOrdered(), settled.leader)


def test_a_log_that_does_not_attach_to_the_base(settled: Settled) -> None:
    log = raft_of(settled.leader).log
    log.compact(log.start_index + 1)

    with pytest.raises(Violated, match="base 0"):
        settled.look(IndicesAreOrdered(), settled.leader)
