"""Members that apply different things are noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.state_machine import StateMachineSafety
from tests.sim.invariants.settled import Settled


def test_another_entry_is_applied(settled: Settled) -> None:
    invariant = StateMachineSafety()
    settled.contradict(invariant)

    with pytest.raises(Violated, match="applies another entry"):
        settled.look(invariant, settled.follower)


def test_stores_that_differ_at_one_index(settled: Settled) -> None:
    invariant = StateMachineSafety()
    settled.show(invariant)
    for host, value in ((settled.leader, b"one"), (settled.follower, b"other")):
        assert host.node is not None
        store = host.node.store
        store.apply(store.applied_index + 1, [(b"\x01key", value)])

    with pytest.raises(Violated, match="the stores of"):
        invariant.at_end(settled.world)


def test_a_store_that_lags_is_not_compared(settled: Settled) -> None:
    invariant = StateMachineSafety()
    assert settled.leader.node is not None
    store = settled.leader.node.store
    store.apply(store.applied_index + 1, [(b"\x01key", b"value")])
    invariant.at_end(settled.world)
    store.applied_index -= 1

    with pytest.raises(Violated, match="the stores of"):
        invariant.at_end(settled.world)
