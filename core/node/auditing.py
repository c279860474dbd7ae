"""Audit records of one turn, and the writes that wait until theirs are kept.

A write runs only after its record as a request has been appended, so that a device that cannot
be written to refuses it before anything has happened. All records of a turn make one append.
"""

from core.effects import AppendAudit, Effect
from core.node.waiting import Waiting
from core.vault.vault import AuditLines, merge_lines


class Auditing:
    """What is to be appended, and who waits for it.

    Attributes:
        lines: what is recorded in this turn.
        count: how many requests wait.
    """

    __slots__ = ("_held", "_held_now", "_sequence", "count", "lines")

    def __init__(self) -> None:
        self.lines: list[AuditLines] = []
        self._sequence = 0
        self._held_now: list[Waiting] = []
        self._held: dict[int, list[Waiting]] = {}
        self.count = 0

    def record(self, lines: AuditLines) -> None:
        """Have lines appended at the end of this turn."""
        if lines:
            self.lines.append(lines)

    def hold(self, waiting: Waiting) -> None:
        """Let a request wait until what is recorded in this turn has been appended."""
        self._held_now.append(waiting)
        self.count += 1

    def appended(self, sequence: int) -> list[Waiting]:
        """Return the requests that waited for this append."""
        held = self._held.pop(sequence, [])
        self.count -= len(held)
        return held

    def take_all(self) -> list[Waiting]:
        """Return all requests that wait."""
        everything = [*self._held_now, *(each for held in self._held.values() for each in held)]
        self._held_now = []
        self._held.clear()
        self.count = 0
        return everything

    def end_turn(self, effects: list[Effect]) -> None:
        """Ask for one append of all the records of this turn, of which there are some."""
        self._sequence += 1
        if self._held_now:
            self._held[self._sequence] = self._held_now
            self._held_now = []
        effects.insert(0, AppendAudit(self._sequence, merge_lines(self.lines)))
        self.lines = []
