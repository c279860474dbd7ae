"""Logs that differ are noticed."""

import pytest

from core.raft.entry import KIND_EMPTY, Entry
from sim.invariants import Violated
from sim.invariants.matching import LogMatching
from tests.sim.invariants.settled import Settled, append, raft_of


def test_other_data_in_the_same_entry(settled: Settled) -> None:
    invariant = LogMatching()
    settled.contradict(invariant)

    with pytest.raises(Violated, match="differs at"):
        settled.look(invariant, settled.follower)


def test_another_term_before_the_same_entry(settled: Settled) -> None:
    invariant = LogMatching()
    settled.show(invariant)
    for host, between in ((settled.leader, 100), (settled.follower, 101)):
        log = raft_of(host).log
        log.append(Entry(log.last_index + 1, between, KIND_EMPTY, 0))
        log.append(Entry(log.last_index + 1, 102, KIND_EMPTY, 0))
    settled.look(invariant, settled.leader)

    with pytest.raises(Violated, match="of term 102 differs at"):
        settled.look(invariant, settled.follower)


def test_equal_entries_and_a_longer_log_agree(settled: Settled) -> None:
    invariant = LogMatching()
    settled.show(invariant)
    append(settled.leader)
    append(settled.follower)
    append(settled.follower)

    settled.show(invariant)
