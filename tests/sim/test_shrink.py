"""Failing plans made small."""

import pytest

from core.moment import NANOSECONDS_PER_SECOND
from sim.faults import Crash, DiskFull
from sim.plan import Plan
from sim.shrink import RUNS_MAX, kind_of, shrink, smallest

CRASH = Crash(at_ns=1, for_ns=2, nodes=("n1",), unsynced="drop")
PLAN = Plan(
    seed=1,
    nodes=("n1",),
    faults=(*(DiskFull(at_ns=at_ns, for_ns=1, nodes=("n1",)) for at_ns in range(9)), CRASH),
    healed_at_ns=NANOSECONDS_PER_SECOND,
    ends_at_ns=NANOSECONDS_PER_SECOND,
)


@pytest.mark.parametrize("needed", [{3}, {0, 7}, {1, 4, 5}, set(range(8)), set()])
def test_what_is_needed_is_left(needed: set[int]) -> None:
    assert smallest(tuple(range(8)), lambda items: needed <= set(items)) == tuple(sorted(needed))


def test_the_search_is_bounded() -> None:
    tried = []

    def fails(items: tuple[int, ...]) -> bool:
        tried.append(items)
        return len(items) % 2 == 0 and len(items) > 900

    assert len(smallest(tuple(range(1_000)), fails)) <= 1_000
    assert len(tried) <= RUNS_MAX


def test_a_plan_keeps_failing_in_the_same_way() -> None:
    def run(plan: Plan) -> str:
        return "Violated: First at 3" if CRASH in plan.faults else "Violated: Second"

    assert shrink(PLAN, "Violated: First at 9", run).faults == (CRASH,)


def test_the_kind_of_a_failure() -> None:
    assert kind_of("Violated: LogMatching: entry 3") == "Violated: LogMatching:"
