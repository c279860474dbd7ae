"""Figures: numbers with what they were measured against and under which conditions.

Owns the arithmetic over rounds and how figures are printed. Knows nothing of how they are taken.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from server.json_text import encode_indented
from server.output import table

DIGITS: Final = 4
"""Significant digits of what is told: no round is repeatable to more."""

MEDIAN: Final = 50.0
P99: Final = 99.0
MAX: Final = 100.0
HEADER: Final = ("Name", "Value", "Unit", "Against", "Ratio")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a benchmark.

    Attributes:
        name: what was measured.
        value: how much; over several rounds the median.
        unit: of `value`.
        against: what it is compared with, if that ran.
        ratio: ours by theirs; over several rounds the median of the pairs.
        conditions: under which, each a phrase.
    """

    name: str
    value: float
    unit: str
    against: str | None = None
    ratio: float | None = None
    conditions: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """What a benchmark came to.

    Attributes:
        figures: in the order in which they are told.
        problems: what makes the run a failure although it has figures.
    """

    figures: Sequence[Figure]
    problems: Sequence[str] = ()


def of_rounds(
    name: str,
    ours: Sequence[float],
    unit: str,
    conditions: Sequence[str],
    *,
    theirs: Sequence[float] = (),
    against: str = "",
) -> Figure:
    """Return the figure of several rounds.

    Args:
        name: what was measured.
        ours: our value of each round.
        unit: of the values.
        conditions: what else is to be told.
        theirs: the peer's value in the same round, if there was a peer.
        against: its name.

    Raises:
        ValueError: there is no round, or `theirs` has another number of them.
    """
    if not ours:
        raise ValueError("a figure needs a round")
    told = [*conditions, _range("", ours)]
    ratio = None
    if theirs:
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True) if other]
        ratio = median(ratios) if ratios else None
        told += [_range("ratio ", ratios)] if ratios else []
        told.append(f"{against}: {number(median(theirs))} {unit}, {_range('', theirs)}")
    return Figure(
        name=name,
        value=median(ours),
        unit=unit,
        against=against if ratio is not None else None,
        ratio=ratio,
        conditions=tuple(told),
    )


def _range(what: str, values: Sequence[float]) -> str:
    return f"{what}min {number(min(values))}, max {number(max(values))}"


def percentile(ordered: Sequence[int], percent: float) -> int:
    """Return the smallest value that `percent` of all do not exceed (nearest rank); 0 of none."""
    if not ordered:
        return 0
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def number(value: float) -> str:
    """Return `value` with as many digits as are worth telling, as people write numbers."""
    rounded = _rounded(value)
    return f"{rounded:,.0f}" if abs(rounded) >= 10**DIGITS else f"{rounded:,.{DIGITS}g}"


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def render_json(figures: Sequence[Figure]) -> str:
    """Return a list of objects; `conditions` is one string."""
    return encode_indented(
        [
            {
                "name": figure.name,
                "value": _rounded(figure.value),
                "unit": figure.unit,
                "against": figure.against,
                "ratio": None if figure.ratio is None else _rounded(figure.ratio),
                "conditions": "; ".join(figure.conditions),
            }
            for figure in figures
        ]
    )


def render_table(figures: Sequence[Figure]) -> str:
    """Return a table, and below it the conditions: those of all figures once, then the others."""
    rows = [
        (
            figure.name,
            number(figure.value),
            figure.unit,
            figure.against or "",
            "" if figure.ratio is None else number(figure.ratio),
        )
        for figure in figures
    ]
    shared = _shared(figures)
    notes = [("all", "; ".join(shared))] if shared else []
    for figure in figures:
        own = [phrase for phrase in figure.conditions if phrase not in shared]
        if own:
            notes.append((figure.name, "; ".join(own)))
    return "\n".join([table(HEADER, rows), "", *(f"{name}: {note}" for name, note in notes)])


def _shared(figures: Sequence[Figure]) -> list[str]:
    """Return the conditions that hold for all of several figures."""
    if len(figures) <= 1:
        return []
    return [
        phrase
        for phrase in figures[0].conditions
        if all(phrase in figure.conditions for figure in figures)
    ]
