"""What goes back is noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.monotonic import NothingGoesBack
from tests.sim.invariants.settled import Settled, raft_of


@pytest.mark.parametrize("name", ["term", "commit"])
def test_a_number_that_goes_back(settled: Settled, name: str) -> None:
    invariant = NothingGoesBack()
    settled.show(invariant)
    raft = raft_of(settled.follower)
    setattr(raft, name, getattr(raft, name) - 1)

    with pytest.raises(Violated, match="went back from term"):
        settled.look(invariant, settled.follower)


def test_applied_state_that_goes_back(settled: Settled) -> None:
    invariant = NothingGoesBack()
    settled.show(invariant)
    assert settled.follower.node is not None
    settled.follower.node.store.applied_index -= 1

    with pytest.raises(Violated, match="went back"):
        settled.look(invariant, settled.follower)


def test_a_crash_lets_a_member_begin_anew(settled: Settled) -> None:
    invariant = NothingGoesBack()
    settled.show(invariant)
    raft_of(settled.follower).commit -= 1
    invariant.crashed(settled.world, settled.follower)

    settled.look(invariant, settled.follower)
