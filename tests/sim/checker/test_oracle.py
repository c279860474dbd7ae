"""The rules that need no search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.checker.history import Operation
from sim.checker.linearizability import check_linearizable
from sim.checker.oracle import check_oracle
from tests.sim.checker.registers import (
    atomic_histories,
    operation,
    tiny_operations,
)

VIOLATIONS = {
    "version made twice": [
        operation("write", 0, 9, "a", 1),
        operation("write", 0, 9, "b", 1),
    ],
    "check-and-set made a version that is not the next": [operation("cas", 0, 1, "a", 3, 1)],
    "absent at a version, or present without one": [operation("read", 0, 1, None, 1)],
    "phantom: nobody wrote this value": [operation("read", 0, 1, "a", 1)],
    "read before it was written": [
        operation("read", 0, 1, "a", 1),
        operation("write", 2, 3, "a", 1),
    ],
    "version with two values": [
        operation("write", 0, None, "a"),
        operation("write", 0, None, "b"),
        operation("read", 5, 6, "a", 1),
        operation("read", 5, 6, "b", 1),
    ],
    "version went back": [
        operation("write", 0, None, "a"),
        operation("read", 1, 2, "a", 1),
        operation("read", 3, 4, None, 0),
    ],
    "acknowledged write lost": [
        operation("write", 0, 1, "a", 1),
        operation("read", 3, 4, None, 0),
    ],
    "version made again": [
        operation("write", 0, None, "a"),
        operation("read", 1, 2, "a", 1),
        operation("write", 3, 4, "a", 1),
    ],
}


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_each_rule_is_found(rule: str) -> None:
    violations = check_oracle(VIOLATIONS[rule])

    assert rule in [violation.rule for violation in violations]
    assert all(str(each) in violations[0].explanation for each in violations[0].window)


def test_an_acknowledged_version_has_the_value_that_was_written() -> None:
    history = [
        operation("write", 0, 9, "a", 1),
        operation("write", 0, None, "b"),
        operation("read", 0, 9, "b", 1),
    ]

    assert ["version with two values"] == [each.rule for each in check_oracle(history)]


def test_a_value_may_be_written_twice() -> None:
    history = [
        operation("write", 5, 6, "a", 2),
        operation("write", 0, None, "a"),
        operation("read", 1, 2, "a", 1),
    ]

    assert [] == check_oracle(history)


@given(atomic_histories())
def test_atomic_histories_pass(history: list[Operation]) -> None:
    assert [] == check_oracle(history)


@pytest.mark.slow
@given(st.lists(tiny_operations(), max_size=6))
def test_it_accuses_nobody_whom_the_search_acquits(history: list[Operation]) -> None:
    if check_oracle(history):
        assert [] != check_linearizable(history)
