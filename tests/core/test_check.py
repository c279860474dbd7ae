"""Invariants that stay on."""

import pytest

from core.check import InvariantBroken, check


@pytest.mark.parametrize("condition", [False, 0, None, ""])
def test_what_does_not_hold_is_said(condition: object) -> None:
    """In the words of whoever checks."""
    with pytest.raises(InvariantBroken, match=r"^it does not hold$"):
        check(condition, "it does not hold")


@pytest.mark.parametrize("condition", [True, 1, "x", [0]])
def test_what_holds_passes(condition: object) -> None:
    """Any true value does."""
    assert check(condition, "it holds") is None  # type: ignore[func-returns-value]  # that it returns
