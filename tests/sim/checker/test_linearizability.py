"""The search for an order of operations."""

from random import Random

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from sim.checker.history import Operation, by_key
from sim.checker.linearizability import (
    RULE,
    UNDECIDED,
    WINDOW_PLACED_MAX,
    WINDOW_WAITING_MAX,
    check_linearizable,
)
from tests.sim.checker.registers import (
    atomic_histories,
    atomic_history,
    is_linearizable,
    operation,
    tiny_operations,
)


@pytest.mark.slow
@given(st.lists(tiny_operations(), max_size=6))
def test_it_agrees_with_the_definition_on_any_history(history: list[Operation]) -> None:
    expected = is_linearizable(history)
    event(f"linearizable: {expected}")

    assert expected == (not check_linearizable(history))


def _disturbed(random: Random, history: list[Operation]) -> list[Operation]:
    """Change one answer."""
    place = random.randrange(len(history))
    other = random.choice(history)
    victim = history[place]
    value = other.value if victim.kind == "read" else victim.value
    try:
        changed = msgspec.structs.replace(
            victim, version=other.version, returned_ns=other.returned_ns, value=value
        )
    except ValueError:
        return history
    return [*history[:place], changed, *history[place + 1 :]]


@given(seed=st.integers(0, 2**32), disturb=st.booleans())
def test_it_agrees_with_the_definition_on_nearly_atomic_histories(
    *,
    seed: int,
    disturb: bool,
) -> None:
    """Values repeat and many outcomes are unknown, so that there is something to choose."""
    random = Random(seed)
    history = atomic_history(
        random, operations=8, clients=3, keys=1, unknown_percent=45, unique_values=False
    )
    if disturb:
        history = _disturbed(random, history)
    expected = is_linearizable(history)
    event(f"linearizable: {expected}")

    assert expected == (not check_linearizable(history))


@given(atomic_histories())
def test_atomic_histories_pass(history: list[Operation]) -> None:
    assert [] == check_linearizable(history)


@pytest.mark.parametrize("seed", range(5))
def test_with_unique_values_nothing_is_left_to_choose(seed: int) -> None:
    """One configuration per version at most: the search never turns back."""
    history = atomic_history(Random(seed), operations=400, unknown_percent=20)
    for operations in by_key(history).values():
        changing = sum(each.kind != "read" for each in operations)

        assert [] == check_linearizable(operations, configurations_max=changing + 1)


ABSENT_LATE = [operation("write", 0, 1, "a", 1), operation("read", 2, 3, None, 0)]
STALE = [
    operation("write", 0, 1, "a", 1),
    operation("write", 2, 3, "b", 2),
    operation("read", 4, 5, "a", 1),
]
PHANTOM = [operation("write", 0, 1, "a", 1), operation("read", 2, 3, "z", 2)]
TWICE = [operation("write", 0, 9, "a", 1), operation("cas", 0, 9, "b", 1)]
OTHER_VALUE = [operation("write", 0, 1, "a", 1), operation("read", 0, 3, "b", 1)]
WRONG_MATCH = [
    operation("write", 0, 1, "a", 1),
    operation("cas", 2, 3, "b", 2, 0),
]
WRONG_MISMATCH = [
    operation("write", 0, 1, "a", 1),
    operation("cas", 2, 3, "b", None, 1),
]
FROM_THE_FUTURE = [operation("read", 0, 1, "a", 1), operation("write", 2, None, "a")]
SPENT_TWICE = [
    operation("write", 0, None, "a"),
    operation("read", 1, 2, "a", 1),
    operation("write", 3, 4, "b", 2),
    operation("read", 5, 6, "a", 3),
]
GAP = [operation("write", 0, 1, "a", 2)]


@pytest.mark.parametrize(
    ("history", "objection"),
    [
        (ABSENT_LATE, "read None at 0  <- the version has come and gone"),
        (STALE, "read 'a' at 1  <- the version has come and gone"),
        (PHANTOM, "read 'z' at 2  <- nothing can make the version yet"),
        (TWICE, "made version 1  <- the version has come and gone"),
        (OTHER_VALUE, "read 'b' at 1  <- the version has another value"),
        (WRONG_MATCH, "made version 2  <- the version in force is not the expected one"),
        (WRONG_MISMATCH, "did not match  <- the version was the expected one"),
        (FROM_THE_FUTURE, "read 'a' at 1  <- nothing can make the version yet"),
        (SPENT_TWICE, "read 'a' at 3  <- nothing can make the version yet"),
        (GAP, "made version 2  <- the version before it is missing"),
    ],
)
def test_planted_violations_are_explained(history: list[Operation], objection: str) -> None:
    (violation,) = check_linearizable(history)

    assert RULE == violation.rule
    assert objection in violation.explanation


def test_an_open_write_may_take_effect_late_or_never() -> None:
    open_write = operation("write", 0, None, "a")
    write = operation("write", 1, 2, "b", 1)

    assert [] == check_linearizable([open_write, write])
    assert [] == check_linearizable([open_write, write, operation("read", 9, 10, "a", 2)])


def test_an_open_write_that_was_seen_later_is_not_spent_before() -> None:
    """Version 1 was made by one of two; the older one is needed for version 2."""
    history = [
        operation("write", 0, None, "a"),
        operation("write", 1, None, "b"),
        operation("read", 2, 3, "a", 2),
    ]

    assert [] == check_linearizable(history)


def test_an_open_check_and_set_is_taken_before_a_write() -> None:
    history = [
        operation("write", 0, None, "a"),
        operation("cas", 1, None, "b", None, 0),
        operation("write", 2, 9, "c", 3),
    ]

    assert [] == check_linearizable(history)


def test_operations_that_touch_are_concurrent() -> None:
    history = [operation("write", 0, 5, "a", 1), operation("read", 5, 6, None, 0)]

    assert [] == check_linearizable(history)


def test_each_key_is_judged_alone() -> None:
    bad = [msgspec.structs.replace(each, key="bad") for each in STALE]
    good = atomic_history(Random(1), operations=50, keys=2)

    assert ["bad"] == [violation.key for violation in check_linearizable(good + bad)]


def test_an_explanation_is_short_and_ends_where_the_history_goes_wrong() -> None:
    history = atomic_history(Random(3), operations=300, keys=1, unknown_percent=20)
    reads = [each for each in history if each.kind == "read" and each.returned_ns is not None]
    (stale,) = (
        msgspec.structs.replace(read, value=reads[5].value, version=reads[5].version)
        for read in reads[40:41]
    )
    history[history.index(reads[40])] = stale
    (violation,) = check_linearizable(history)

    assert stale in violation.window
    assert len(violation.window) <= WINDOW_PLACED_MAX + WINDOW_WAITING_MAX
    assert stale.returned_ns == max(each.returned_ns or 0 for each in violation.window)


def test_a_search_without_decision_fails() -> None:
    """Each of ten values was seen once and could have been written by two: 2**10 ways."""
    values = "abcdefghij"
    history = [operation("write", 0, None, value) for value in values * 3]
    history += [
        operation("read", 100, 101, value, 2 * number + 2) for number, value in enumerate(values)
    ]
    history.append(operation("read", 200, 201, "z", 40))
    (undecided,) = check_linearizable(history, configurations_max=50)

    assert UNDECIDED == undecided.rule
    assert undecided.explanation.startswith("undecided after 50 configurations")


def test_a_search_ends_although_many_ways_lead_to_the_same_end() -> None:
    """Six values were written twice each and seen once: 6! ways to the first six versions."""
    values = "abcdef"
    history = [operation("write", 0, None, value) for value in values * 2]
    history += [
        operation("read", 100, 101, value, len(values) + 1 + number)
        for number, value in enumerate(values)
    ]
    assert [] == check_linearizable(history)

    history.append(operation("read", 200, 201, "z", 2 * len(values) + 1))
    assert [RULE] == [violation.rule for violation in check_linearizable(history)]


def test_what_comes_after_what_is_missing_is_told_apart() -> None:
    history = [
        operation("write", 0, 1, "a", 2),
        operation("write", 0, 9, "c", 4),
        operation("write", 3, 4, "b", 3),
    ]
    (violation,) = check_linearizable(history)

    assert [history[0]] == [each for each in violation.window if each.version == 2]
