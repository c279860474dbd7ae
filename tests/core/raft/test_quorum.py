"""Majorities, one and two at once, against their definition (bugs 5 and 23)."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.raft import quorum
from core.raft.quorum import Vote

NODES = ("a", "b", "c", "d", "e")
values = st.dictionaries(st.sampled_from(NODES), st.integers(0, 6))
groups = st.lists(st.sampled_from(NODES), unique=True).map(tuple)


def reached(values: dict[str, int], voters: tuple[str, ...], number: int) -> bool:
    """Tell, by looking at every set of voters, whether one that is a majority has `number`."""
    return any(
        2 * count > len(voters) and all(values.get(voter, 0) >= number for voter in some)
        for count in range(len(voters) + 1)
        for some in combinations(voters, count)
    )


@pytest.mark.parametrize(
    ("count", "expected"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)]
)
def test_majority(count: int, expected: int) -> None:
    assert expected == quorum.majority(count)


@given(values, groups)
def test_highest_is_the_greatest_number_of_a_majority(
    values: dict[str, int], voters: tuple[str, ...]
) -> None:
    numbers = [number for number in range(8) if reached(values, voters, number)]

    assert max(numbers, default=None) == quorum.highest(values, voters)


@given(values, groups, groups)
def test_agreed_needs_both_groups(
    values: dict[str, int], incoming: tuple[str, ...], outgoing: tuple[str, ...]
) -> None:
    both = [group for group in (incoming, outgoing) if group]
    numbers = [
        number for number in range(8) if all(reached(values, group, number) for group in both)
    ]

    expected = max(numbers) if incoming else 0
    assert expected == quorum.agreed(values, incoming, outgoing)


def test_nobody_agrees_on_anything() -> None:
    assert quorum.agreed({"a": 5}, (), ()) == 0


@given(st.dictionaries(st.sampled_from(NODES), st.booleans()), groups, groups)
def test_an_election_is_over_when_no_further_vote_could_change_it(
    votes: dict[str, bool], incoming: tuple[str, ...], outgoing: tuple[str, ...]
) -> None:
    silent = [node for node in NODES if node not in votes]
    outcomes = [
        all(
            2 * sum(votes_then.get(voter, False) for voter in group) > len(group)
            for group in (incoming, outgoing)
            if group
        )
        for answers in product((True, False), repeat=len(silent))
        for votes_then in [{**votes, **dict(zip(silent, answers, strict=True))}]
    ]

    if not (incoming or outgoing):
        expected = Vote.LOST
    elif all(outcomes):
        expected = Vote.WON
    else:
        expected = Vote.PENDING if any(outcomes) else Vote.LOST
    assert expected == quorum.tally(votes, incoming, outgoing)
