"""A removed member that does not know it, or still holds its keys, is noticed."""

import pytest

from core import events
from core.moment import NANOSECONDS_PER_SECOND
from core.node.messages import Removed
from sim.invariants import Violated
from sim.invariants.membership import REMOVE_PATH
from sim.invariants.removal import TOLD_NS_MAX, RemovedAreTold
from tests.sim.invariants.settled import Settled, raft_of


def _removed(settled: Settled, status: int = 204) -> RemovedAreTold:
    """Return the invariant as it is once the follower was removed, all having been well."""
    invariant = RemovedAreTold()
    settled.show(invariant)
    body = b'{"server_id":"%s"}' % settled.follower.name.encode()
    question = settled.question("update", REMOVE_PATH, "root", body)
    settled.answer(invariant, question, status, b"")
    return invariant


def _later(settled: Settled, seconds: float = 0) -> None:
    """Let no member take a turn, and time pass."""
    settled.world.time_ns += int(seconds * NANOSECONDS_PER_SECOND) or TOLD_NS_MAX


def test_who_does_not_know_it(settled: Settled) -> None:
    invariant = _removed(settled)
    _later(settled)

    with pytest.raises(Violated, match="was removed and does not know it"):
        invariant.at_end(settled.world)


def test_who_knows_it_and_is_not_sealed(settled: Settled) -> None:
    invariant = _removed(settled)
    assert settled.follower.node is not None
    settled.follower.node._custody.condition.removed = True
    _later(settled)

    with pytest.raises(Violated, match="is not sealed"):
        invariant.at_end(settled.world)


def test_who_was_told(settled: Settled) -> None:
    invariant = _removed(settled)
    settled.follower.turn([events.Received(settled.leader.name, Removed())])
    _later(settled)

    invariant.at_end(settled.world)


def test_a_member_that_takes_itself_for_removed(settled: Settled) -> None:
    invariant = RemovedAreTold()
    settled.show(invariant)
    assert settled.follower.node is not None
    settled.follower.node._custody.condition.removed = True

    with pytest.raises(Violated, match="is a member and takes itself for removed"):
        invariant.at_end(settled.world)


def test_who_has_had_no_time_yet(settled: Settled) -> None:
    invariant = _removed(settled)
    _later(settled, 1)

    invariant.at_end(settled.world)


def test_who_has_just_started(settled: Settled) -> None:
    invariant = _removed(settled)
    _later(settled)
    invariant.started(settled.world, settled.follower)

    invariant.at_end(settled.world)


def test_who_was_not_removed_after_all(settled: Settled) -> None:
    invariant = _removed(settled, status=503)
    _later(settled)

    invariant.at_end(settled.world)


def test_who_is_down_or_has_lost_all_members(settled: Settled) -> None:
    invariant = _removed(settled)
    _later(settled)
    raft = raft_of(settled.follower)
    raft.configuration = type(raft.configuration)()
    invariant.at_end(settled.world)
    settled.follower.node = None
    invariant.at_end(settled.world)
