"""Records of what clients saw."""

from collections.abc import Callable

import pytest

from sim.checker.history import Operation, Violation, by_key
from tests.sim.checker.registers import operation

S = 1_000_000_000


@pytest.mark.parametrize(
    ("each", "text"),
    [
        (operation("read", S, 2 * S, "x", 4), "read 'x' at 4"),
        (operation("read", S, 2 * S, None, 0), "read None at 0"),
        (operation("write", S, 2 * S, "x", 4), "write 'x': made version 4"),
        (operation("cas", S, 2 * S, "x", 4, 3), "cas 'x' expecting version 3: made version 4"),
        (operation("cas", S, 2 * S, "x", None, 3), "cas 'x' expecting version 3: did not match"),
    ],
)
def test_an_answered_operation_reads_well(each: Operation, text: str) -> None:
    assert f"c1   [1.000000 .. 2.000000]  {text}" == str(each)


@pytest.mark.parametrize(
    ("each", "text"),
    [
        (operation("read", S, None), "read"),
        (operation("write", S, None, "x"), "write 'x': outcome unknown"),
        (operation("cas", S, None, "x"), "cas 'x' expecting version 0: outcome unknown"),
    ],
)
def test_an_open_operation_reads_well(each: Operation, text: str) -> None:
    assert f"c1   [1.000000 .. ?]  {text}" == str(each)


def test_a_violation_reads_well() -> None:
    assert "rule: key 'k'\ntext" == str(Violation("k", "rule", "text", ()))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: operation("write", 1, None, "x", 1), "unknown outcome has no version"),
        (lambda: operation("write", 2, 1, "x", 1), "returned before it was invoked"),
        (lambda: operation("write", 1, 2, "x"), "answer of a read or write has a version"),
        (lambda: operation("read", 1, 2, "x"), "answer of a read or write has a version"),
        (lambda: operation("cas", 1, 2, None, 1), "a write has a value"),
    ],
)
def test_answers_that_no_operation_gives_are_refused(
    build: Callable[[], Operation], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_operations_are_grouped_in_order() -> None:
    history = [
        Operation(client="c1", key=key, kind="read", invoked_ns=number)
        for number, key in enumerate("bab")
    ]

    assert [("b", [history[0], history[2]]), ("a", [history[1]])] == list(by_key(history).items())
