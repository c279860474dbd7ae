"""What counts as durable and is not, or comes back and must not, is noticed."""

import msgspec
import pytest

from sim.invariants import Violated
from sim.invariants.stability import StableIsDurable
from tests.sim.invariants.settled import Settled, append, raft_of


def _hand_over(settled: Settled, invariant: StableIsDurable) -> None:
    """Let the follower write one more entry."""
    append(settled.follower)
    log = raft_of(settled.follower).log
    log.handed_index = log.last_index
    invariant.wrote(settled.world, settled.follower, b"")


def test_an_entry_counts_before_it_was_synced(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    _hand_over(settled, invariant)
    raft_of(settled.follower).log.stable_index += 1

    with pytest.raises(Violated, match="for durable"):
        settled.look(invariant, settled.follower)


def test_an_entry_counts_after_it_was_synced(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    _hand_over(settled, invariant)
    invariant.synced(settled.world, settled.follower)
    raft_of(settled.follower).log.stable_index += 1

    settled.look(invariant, settled.follower)


def test_an_entry_that_replaced_the_one_that_was_written(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    _hand_over(settled, invariant)
    raft = raft_of(settled.follower)
    raft.log.truncate(raft.log.last_index)
    raft.term += 1
    append(settled.follower)
    invariant.synced(settled.world, settled.follower)
    raft.log.stable_index += 1

    with pytest.raises(Violated, match="for durable"):
        settled.look(invariant, settled.follower)


def test_a_restart_that_loses_a_durable_entry(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    log = raft_of(settled.follower).log
    log.truncate(log.last_index)

    with pytest.raises(Violated, match="does not recover"):
        invariant.started(settled.world, settled.follower)


def test_a_restart_that_brings_back_what_never_was(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    append(settled.follower)

    with pytest.raises(Violated, match="given up"):
        invariant.started(settled.world, settled.follower)


def test_a_crash_may_let_a_snapshot_void_the_log(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    raft = raft_of(settled.follower)
    base = settled.follower.disk.base
    base.replace(msgspec.structs.replace(base.meta, index=1, void_through=1), ())
    raft.log.reset(base.meta.index, base.meta.term)

    invariant.started(settled.world, settled.follower)


def test_what_was_written_since_the_log_was_voided_counts(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    raft = raft_of(settled.follower)
    base = settled.follower.disk.base
    base.replace(msgspec.structs.replace(base.meta, index=1, void_through=1), ())
    invariant.based(settled.world, settled.follower)
    raft.log.truncate(raft.log.last_index)

    with pytest.raises(Violated, match="does not recover"):
        invariant.started(settled.world, settled.follower)


def test_a_restart_may_find_what_was_being_written(settled: Settled) -> None:
    invariant = StableIsDurable()
    settled.show(invariant)
    _hand_over(settled, invariant)

    invariant.started(settled.world, settled.follower)
