"""A trace as text: one line per record, one lane per node.

Owns the layout of `holdfast sim replay`. Must not know what a record is about: it shows time,
node, kind and text as the world wrote them.
"""

import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND

LINE_COLUMNS: Final = 120
"""The width of a line; longer texts go on below themselves."""
RECORD_LINES_MAX: Final = 20
GAP_NS: Final = 200 * NANOSECONDS_PER_MILLISECOND
"""A silence longer than this, twice a heartbeat, gets a line of its own."""

_TIME_COLUMNS: Final = 12
_KIND_COLUMNS: Final = 12


class TraceRecord(msgspec.Struct, frozen=True, gc=False):
    """Something that happened in a run.

    Attributes:
        time_ns: when, in virtual nanoseconds.
        node: to whom; empty for what concerns all.
        kind: what, in one word.
        text: the rest of it.
    """

    time_ns: int
    node: str
    kind: str
    text: str = ""


def window(
    records: Sequence[TraceRecord], around_ns: int, before_ns: int, after_ns: int
) -> Sequence[TraceRecord]:
    """Return the records, which are in order of time, from shortly before to shortly after."""
    first = bisect_left(records, around_ns - before_ns, key=_time_ns)
    return records[first : bisect_right(records, around_ns + after_ns, lo=first, key=_time_ns)]


def render(
    records: Sequence[TraceRecord], nodes: Sequence[str], failed_at_ns: int | None = None
) -> Iterator[str]:
    """Yield the lines of a timeline.

    A line has the time in seconds, a lane per node with a mark in that of the record, and what
    happened. A rule shows where the run failed.

    Args:
        records: in the order of time.
        nodes: the lanes, from left to right; other names get none.
        failed_at_ns: when the run failed, if it did.
    """
    lane_of = {name: lane for lane, name in enumerate(nodes)}
    name_columns = max((len(name) for name in nodes), default=0)
    indent = _TIME_COLUMNS + 2 + len(nodes) + 2 + name_columns + 2 + _KIND_COLUMNS + 1
    yield f"{'seconds':>{_TIME_COLUMNS}}  {'|' * len(nodes)}  {' '.join(nodes)}"
    last_ns: int | None = None
    for record in records:
        if failed_at_ns is not None and record.time_ns > failed_at_ns:
            yield _failure_rule(failed_at_ns)
            failed_at_ns = None
        if last_ns is not None and record.time_ns - last_ns > GAP_NS:
            yield f"{'...':>{_TIME_COLUMNS}}  {'.' * len(nodes)}"
        last_ns = record.time_ns
        lanes = ["|"] * len(nodes)
        if record.node.partition(".")[0] in lane_of:
            lanes[lane_of[record.node.partition(".")[0]]] = "*"
        head = (
            f"{record.time_ns / NANOSECONDS_PER_SECOND:>{_TIME_COLUMNS}.6f}  {''.join(lanes)}  "
            f"{record.node:<{name_columns}}  {record.kind:<{_KIND_COLUMNS}} "
        )
        below = f"{'':{_TIME_COLUMNS}}  {'|' * len(nodes)}".ljust(indent)
        yield from _wrapped(head, below, record.text)
    if failed_at_ns is not None:
        yield _failure_rule(failed_at_ns)


def _wrapped(head: str, below: str, text: str) -> Iterator[str]:
    """Yield `text` behind `head`, and what does not fit behind `below`."""
    lines = [
        piece
        for line in text.splitlines()
        for piece in textwrap.wrap(line, LINE_COLUMNS - len(below), subsequent_indent="  ")
    ]
    if len(lines) > RECORD_LINES_MAX:
        left_out = len(lines) - RECORD_LINES_MAX
        lines = [*lines[:RECORD_LINES_MAX], f"... {left_out} more lines"]
    yield (head + (lines[0] if lines else "")).rstrip()
    for line in lines[1:]:
        yield below + line


def _failure_rule(failed_at_ns: int) -> str:
    stamp = f"{failed_at_ns / NANOSECONDS_PER_SECOND:>{_TIME_COLUMNS}.6f}"
    return f"{stamp}  {' FAILED HERE ':=^60}"


def _time_ns(record: TraceRecord) -> int:
    return record.time_ns
