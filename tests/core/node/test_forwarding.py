"""Calls that arrive more than once, in any order."""

from hypothesis import given
from hypothesis import strategies as st

from core.node.forwarding import SEEN_CALLS_MAX, SENDERS_MAX, SeenCalls


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30))))
def test_a_call_is_new_once(calls: list[tuple[int, int]]) -> None:
    """Whatever came between, and whoever else has a call of that number."""
    seen = SeenCalls()
    known: set[tuple[int, int]] = set()
    for incarnation, call in calls:
        assert seen.is_new(incarnation, call) == ((incarnation, call) not in known)
        known.add((incarnation, call))


def test_calls_too_old_to_be_remembered_count_as_seen() -> None:
    """Better one refused for nothing than one executed twice."""
    seen = SeenCalls()
    calls = range(2, 2 * SEEN_CALLS_MAX + 4, 2)
    assert all(seen.is_new(1, call) for call in calls)
    assert not any(seen.is_new(1, call) for call in calls)
    assert not seen.is_new(1, 3)
    assert seen.is_new(1, calls[-1] - 1)
    assert seen.is_new(2, 3)


def test_only_so_many_senders_are_remembered() -> None:
    """The one that is forgotten is the one that came first."""
    seen = SeenCalls()
    assert all(seen.is_new(incarnation, 1) for incarnation in range(SENDERS_MAX + 1))

    assert not seen.is_new(SENDERS_MAX, 1)
    assert not seen.is_new(1, 1)
    assert seen.is_new(0, 1)
