"""Whether the audit device has recorded every request: two lines for each.

Owns the counting. wrk drops requests that are under way when it ends, one per connection at most;
the server has recorded those, too, and they are counted as cut off.
"""

from pathlib import Path
from typing import Final

import msgspec

from server.bench.figure import Figure

LINES_PER_REQUEST: Final = 2
"""One line as it comes in, one as its answer goes out."""

_READ_BYTES: Final = 1 << 20


def count_lines(file: Path) -> int:
    """Return the number of lines in a file."""
    lines = 0
    with file.open("rb") as opened:
        while piece := opened.read(_READ_BYTES):
            lines += piece.count(b"\n")
    return lines


class AuditCount(msgspec.Struct, frozen=True):
    """How many lines were written for how many requests.

    Attributes:
        lines: in the audit file.
        answered: requests whose answer the load generator has seen.
        cut_off_max: requests that it may have sent without waiting for an answer.
    """

    lines: int
    answered: int
    cut_off_max: int

    @property
    def cut_off(self) -> int:
        """Requests that were recorded, were not awaited, and may be that many."""
        surplus = self.lines // LINES_PER_REQUEST - self.answered
        return min(max(surplus, 0), self.cut_off_max)

    @property
    def per_request(self) -> float:
        """Lines for each request."""
        requests = self.answered + self.cut_off
        return self.lines / requests if requests else 0.0

    @property
    def complete(self) -> bool:
        """Whether all requests were recorded, and nothing else."""
        return self.lines == LINES_PER_REQUEST * (self.answered + self.cut_off)

    def figure(self, conditions: tuple[str, ...]) -> Figure:
        """Return the figure of this count."""
        counted = f"{self.lines} lines, {self.answered} answers"
        cut_off = f"{self.cut_off} requests cut off when wrk ended, of {self.cut_off_max} at most"
        return Figure(
            name="audit lines per request",
            value=self.per_request,
            unit="lines",
            conditions=(*conditions, counted, cut_off),
        )

    def problems(self) -> list[str]:
        """Return what is wrong, if anything is."""
        if self.complete:
            return []
        wanted = f"not {LINES_PER_REQUEST} for each"
        cut_off = f"at most {self.cut_off_max} requests cut off"
        return [f"{self.lines} audit lines for {self.answered} answers and {cut_off}: {wanted}"]


class AuditLedger:
    """Counts from here on what is asked and what is recorded."""

    def __init__(self, file: Path) -> None:
        """Begin with the lines that are in the file already."""
        self._file = file
        self._lines_before = count_lines(file)
        self._answered = 0
        self._cut_off_max = 0

    def add(self, answered: int, cut_off_max: int = 0) -> None:
        """Count requests."""
        self._answered += answered
        self._cut_off_max += cut_off_max

    def count(self) -> AuditCount:
        """Return the count up to now; nothing may be under way."""
        lines = count_lines(self._file) - self._lines_before
        return AuditCount(lines, self._answered, self._cut_off_max)
