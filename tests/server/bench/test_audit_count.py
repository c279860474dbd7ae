"""Two lines for each request, and none too many: only wrk may leave requests unawaited."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.bench.audit_count import AuditCount, AuditLedger


@pytest.mark.parametrize(
    ("lines", "answered", "cut_off_max", "cut_off", "complete"),
    [
        (20, 10, 0, 0, True),
        (26, 10, 4, 3, True),
        (28, 10, 4, 4, True),
        (30, 10, 4, 4, False),
        (21, 10, 4, 0, False),
        (18, 10, 4, 0, False),
        (2, 0, 0, 0, False),
    ],
)
def test_what_is_complete(
    lines: int, answered: int, cut_off_max: int, cut_off: int, complete: bool
) -> None:
    count = AuditCount(lines, answered, cut_off_max)

    assert (cut_off, complete) == (count.cut_off, count.complete)
    assert complete == (not count.problems())


@pytest.mark.slow
@given(st.integers(1, 10**6), st.integers(0, 100), st.integers(0, 10**6))
def test_the_value_is_two_exactly_when_nothing_is_missing(
    answered: int, cut_off_max: int, lines: int
) -> None:
    count = AuditCount(lines, answered, cut_off_max)
    recorded_for = range(2 * answered, 2 * (answered + cut_off_max) + 1, 2)

    assert count.complete == (count.per_request == 2.0) == (lines in recorded_for)


def test_nothing_asked_is_no_division() -> None:
    assert AuditCount(0, 0, 0).per_request == 0.0


def test_a_ledger_counts_from_where_it_begins(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    file.write_text("before\n")
    ledger = AuditLedger(file)
    with file.open("a") as opened:
        opened.write("line\n" * 6)
    ledger.add(2, 5)
    ledger.add(1)

    assert AuditCount(6, 3, 5) == ledger.count()


def test_the_figure_says_what_was_counted() -> None:
    figure = AuditCount(26, 10, 4).figure(("TLS",))

    assert ("audit lines per request", 2.0, "lines") == (figure.name, figure.value, figure.unit)
    assert (
        "TLS",
        "26 lines, 10 answers",
        "3 requests cut off when wrk ended, of 4 at most",
    ) == figure.conditions
