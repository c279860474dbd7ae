"""What a member takes up at its start, its clocks, and what it must never be told to do."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check import InvariantBroken
from core.moment import NEVER
from core.raft import dispatch
from core.raft.configuration import Configuration
from core.raft.entry import KIND_CONFIGURATION, KIND_WRITES, Entry, HardState
from core.raft.state import Raft, Role
from core.settings import RaftSettings
from core.store.base import BaseMeta
from core.store.memory_base import MemoryBase
from tests.core.raft.cluster import LeastEntropy, members_of

SETTINGS = RaftSettings()
VOTERS = Configuration(("a", "b", "c"), (), (), members_of("abc"))
ALONE = Configuration(("a",), (), (), members_of("a"))


class GivenEntropy:
    """Draws the same number always."""

    def __init__(self, number: int) -> None:
        self._bytes = number.to_bytes(8, "big")

    def random_bytes(self, count: int) -> bytes:
        assert count == len(self._bytes)
        return self._bytes


def entry(index: int, term: int, configuration: Configuration | None = None) -> Entry:
    if configuration is None:
        return Entry(index, term, KIND_WRITES, 10 * index, b"x")
    return Entry(index, term, KIND_CONFIGURATION, 10 * index, configuration.encode())


def started(
    entries: Sequence[Entry] = (),
    base: tuple[int, int] = (0, 0),
    configuration: Configuration = VOTERS,
    number: int = 0,
) -> Raft:
    memory = MemoryBase()
    encoded = configuration.encode() if base[0] else b""
    memory.flush(BaseMeta(*base, encoded, 10 * base[0]), ())
    return Raft("a", SETTINGS, GivenEntropy(number), memory, HardState(4, "b"), entries, 0)


def test_a_fresh_node_knows_nothing() -> None:
    raft = Raft("a", SETTINGS, LeastEntropy(), MemoryBase(), HardState(), (), 0)

    assert (0, "", 0, 0) == (raft.term, raft.vote, raft.commit, raft.log.last_index)
    assert NEVER == raft.deadline_ns


def test_a_node_takes_up_its_term_and_vote() -> None:
    """Bug 6."""
    raft = started()

    assert (4, "b", HardState(4, "b")) == (raft.term, raft.vote, raft.hard_state())
    assert (Role.FOLLOWER, "", False) == (raft.role, raft.leader, raft.hard_state_changed)


@pytest.mark.parametrize(
    ("first", "last", "base", "expected"),
    [
        (1, 5, 0, (0, 5, 0, 0)),
        (4, 7, 3, (3, 7, 3, 0)),
        (2, 7, 3, (2, 7, 3, 0)),
        (2, 3, 3, (2, 3, 3, 0)),
        (2, 3, 5, (5, 5, 5, 0)),
        (6, 7, 3, (5, 7, 5, 5)),
    ],
    ids=["no base", "right behind", "from before", "all in the base", "too short", "too late"],
)
def test_log_and_base_are_joined(
    first: int, last: int, base: int, expected: tuple[int, int, int, int]
) -> None:
    """Start of the log, its end, what is committed, and where a lost base must have stood.

    Bugs 27, 33 and 35: the base alone says where the state stands.
    """
    raft = started([entry(index, 2) for index in range(first, last + 1)], (base, 2 if base else 0))

    log = raft.log
    assert expected == (log.start_index, log.last_index, raft.commit, raft.snapshot_floor)
    assert log.stable_index == log.last_index


def test_a_node_that_lost_its_base_does_not_campaign() -> None:
    """It may know that it votes, and even have the longest log: its state is not whole."""
    raft = started([entry(6, 2, VOTERS), entry(7, 2)], (3, 2))
    raft.set_electable(0, electable=True)

    assert (VOTERS, 5, NEVER) == (raft.configuration, raft.snapshot_floor, raft.deadline_ns)


def test_the_newest_configuration_is_in_force() -> None:
    """Bug 29: it counts though it is not committed, and after a restart."""
    raft = started([entry(4, 2), entry(5, 2, ALONE), entry(6, 2)], (3, 2))

    assert (ALONE, 5) == (raft.configuration, raft.configuration_index)


def test_the_configuration_of_the_base_is_in_force_if_the_log_has_none_behind_it() -> None:
    raft = started([entry(2, 2, ALONE), entry(3, 2), entry(4, 2)], (3, 2))

    assert (VOTERS, 3) == (raft.configuration, raft.configuration_index)


def test_the_wall_clock_goes_on_where_the_log_ends() -> None:
    assert 60 == started([entry(4, 2), entry(5, 2), entry(6, 2)], (3, 2)).wall_ns
    assert 30 == started((), (3, 2)).wall_ns


@given(st.integers(0, 2**64 - 1))
def test_a_timeout_is_drawn_between_its_bounds(number: int) -> None:
    """Bug 12: no two nodes split the vote for ever."""
    raft = started((), (3, 2), number=number)
    raft.set_electable(0, electable=True)

    spread = SETTINGS.election_timeout_max_ns - SETTINGS.election_timeout_min_ns + 1
    expected = SETTINGS.election_timeout_min_ns + number % spread
    assert (expected, expected) == (raft.timeout_ns, raft.deadline_ns)
    assert SETTINGS.election_timeout_min_ns <= expected <= SETTINGS.election_timeout_max_ns


def test_a_node_that_holds_back_campaigns_later() -> None:
    raft = started((), (3, 2))
    raft.abstain_until_ns = 10 * SETTINGS.election_timeout_max_ns
    raft.set_electable(0, electable=True)
    assert raft.abstain_until_ns == raft.deadline_ns

    raft.heard(5)
    assert raft.abstain_until_ns == raft.deadline_ns


def test_the_only_voter_campaigns_at_once() -> None:
    raft = started((), (3, 2), ALONE)
    raft.set_electable(7, electable=True)

    assert 0 == raft.deadline_ns


def test_stamps_grow_though_the_clock_stands_still() -> None:
    raft = started()

    assert [5, 6, 7, 9] == [raft.stamp(5), raft.stamp(5), raft.stamp(4), raft.stamp(9)]


def test_the_wall_clock_never_goes_back() -> None:
    raft = started()

    assert [8, 8, 9] == [raft.wall(8), raft.wall(3), raft.wall(9)]


def test_terms_never_go_back() -> None:
    """Bug 34: nor does anything that follows from them."""
    raft = started()

    with pytest.raises(InvariantBroken):
        raft.follow(3, "", 0)


def test_only_a_leader_appends() -> None:
    with pytest.raises(InvariantBroken):
        started().append(KIND_WRITES, b"")


def test_nothing_is_done_before_it_is_due() -> None:
    raft = started((), (3, 2))
    raft.set_electable(0, electable=True)
    dispatch.tick(raft, raft.deadline_ns - 1)

    assert (Role.FOLLOWER, []) == (raft.role, raft.outbox)
