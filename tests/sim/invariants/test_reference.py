"""A base that is not what the log makes of it is noticed."""

import pytest

from core.store.base import BaseMeta
from sim.invariants import Violated
from sim.invariants.reference import BasesEqualReference
from tests.sim.invariants.settled import Settled, raft_of


def test_a_base_with_a_key_that_nobody_wrote(settled: Settled) -> None:
    invariant = BasesEqualReference()
    settled.show(invariant)
    settled.follower.disk.base.flush(BaseMeta(1, 1), [(b"\x01key", b"value")])

    with pytest.raises(Violated, match="differs at 1"):
        invariant.based(settled.world, settled.follower)


def test_a_base_ahead_of_what_is_committed(settled: Settled) -> None:
    invariant = BasesEqualReference()
    settled.show(invariant)
    index = raft_of(settled.leader).log.last_index + 1
    settled.follower.disk.base.flush(BaseMeta(index, 1), [])

    with pytest.raises(Violated, match="stands at"):
        invariant.based(settled.world, settled.follower)
