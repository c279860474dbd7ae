"""A lease that does not exclude others is noticed."""

import pytest

from core import effects
from core.moment import NANOSECONDS_PER_SECOND
from core.request import Response
from sim.invariants import Violated
from sim.invariants.lease import LeasesAreExclusive
from tests.sim.invariants.settled import Settled, enthrone, raft_of


def test_a_leader_that_is_elected_during_a_lease(settled: Settled) -> None:
    invariant = LeasesAreExclusive()
    settled.show(invariant)
    enthrone(settled, settled.follower, raft_of(settled.leader).term + 1)

    with pytest.raises(Violated, match="holds a lease in term"):
        settled.look(invariant, settled.follower)


def test_a_leader_that_gave_its_lease_up(settled: Settled) -> None:
    invariant = LeasesAreExclusive()
    settled.show(invariant)
    leadership = raft_of(settled.leader).leadership
    assert leadership is not None
    leadership.lease_forgone = True
    enthrone(settled, settled.follower, raft_of(settled.leader).term + 1)

    settled.look(invariant, settled.follower)


def _answer_on_lease(settled: Settled, for_ns: int) -> None:
    world = settled.world
    until_ns = settled.leader.clock.monotonic_ns(world.time_ns) + for_ns
    effect = effects.Answer(1, Response(200), until_ns)
    question = settled.question("read", "secret/data/a")
    LeasesAreExclusive().answered(world, settled.leader, question, effect)


def test_a_lease_that_outlasts_the_loyalty_of_voters(settled: Settled) -> None:
    with pytest.raises(Violated, match="will not keep"):
        _answer_on_lease(settled, 2 * NANOSECONDS_PER_SECOND)


def test_a_lease_that_voters_keep(settled: Settled) -> None:
    _answer_on_lease(settled, 1)


def test_a_voter_that_is_down_is_loyal(settled: Settled) -> None:
    settled.follower.node = None

    _answer_on_lease(settled, 2 * NANOSECONDS_PER_SECOND)
