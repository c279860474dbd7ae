"""Two leaders in one term are noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.election import ElectionSafety
from tests.sim.invariants.settled import Settled, enthrone, raft_of


def test_a_second_leader_in_a_term(settled: Settled) -> None:
    invariant = ElectionSafety()
    settled.show(invariant)
    enthrone(settled, settled.follower, raft_of(settled.leader).term)

    with pytest.raises(Violated, match="both lead in term"):
        settled.look(invariant, settled.follower)


def test_a_leader_of_another_term_is_none(settled: Settled) -> None:
    invariant = ElectionSafety()
    settled.show(invariant)
    enthrone(settled, settled.follower, raft_of(settled.leader).term + 1)

    settled.look(invariant, settled.follower)
