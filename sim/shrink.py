"""Makes a failing plan small: takes faults away as long as it fails in the same way.

Owns the search, which is ddmin (Zeller and Hildebrandt, 2002). As every concern draws from a
stream of its own, a plan without a fault is otherwise the same plan.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from sim.plan import Plan

RUNS_MAX: Final = 400
"""Runs of one search; it ends with the best that it has."""

Item = TypeVar("Item")


def kind_of(failure: str) -> str:
    """Return what a failure has in common with others of its kind: its first two words."""
    return " ".join(failure.split(maxsplit=2)[:2])


def shrink(plan: Plan, failure: str, run: Callable[[Plan], str]) -> Plan:
    """Return a plan with fewer faults that fails in the same way as `plan` did.

    Args:
        plan: it fails.
        failure: how.
        run: runs a plan and returns how it failed, or an empty text.
    """
    kind = kind_of(failure)

    def fails(faults: tuple[object, ...]) -> bool:
        smaller = msgspec.structs.replace(plan, faults=faults)
        return kind_of(run(smaller)) == kind

    return msgspec.structs.replace(plan, faults=smallest(tuple(plan.faults), fails))


def smallest(
    items: tuple[Item, ...], fails: Callable[[tuple[Item, ...]], bool]
) -> tuple[Item, ...]:
    """Return a part of `items` that still fails, none of which can be left out alone.

    It may be larger than that if `RUNS_MAX` tries do not suffice.
    """
    parts = 2
    runs = 0
    while items and runs < RUNS_MAX:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            rest = items[:start] + items[start + size :]
            runs += 1
            if fails(rest):
                items = rest
                parts = max(parts - 1, 2)
                break
            if runs == RUNS_MAX:
                break
        else:
            if size == 1:
                return items
            parts = min(2 * parts, len(items))
    return items
