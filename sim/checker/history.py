"""What clients asked and what they were told: the material that is judged.

Each key is a register with versions, as in KV v2. It starts absent, at version 0. A write makes
the next version. A check-and-set does so if the version is the expected one, and else nothing.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from core.moment import NANOSECONDS_PER_SECOND

OperationKind = Literal["read", "write", "cas"]


class Operation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One operation of one client.

    An operation that surely was not executed is not part of a history. One without an answer
    stays open for ever: it may take effect at any time after it was invoked, or never.

    Attributes:
        client: who asked.
        key: the register.
        kind: what was asked.
        invoked_ns: when it was asked, in virtual nanoseconds.
        returned_ns: when the answer came; None if the outcome is unknown.
        value: what was written, or what a read returned; None: the key was absent.
        expected: the version that a check-and-set expects.
        version: the version that was read (0: absent) or made; None if the outcome is
            unknown, and for a check-and-set that did not match.
    """

    client: str
    key: str
    kind: OperationKind
    invoked_ns: int
    returned_ns: int | None = None
    value: str | None = None
    expected: int = 0
    version: int | None = None

    def __post_init__(self) -> None:
        """Refuse an answer that no operation gives."""
        if self.returned_ns is None:
            if self.version is not None:
                raise ValueError("an unknown outcome has no version")
        elif self.returned_ns < self.invoked_ns:
            raise ValueError("an operation returned before it was invoked")
        elif self.version is None and self.kind != "cas":
            raise ValueError("the answer of a read or write has a version")
        if self.kind != "read" and self.value is None:
            raise ValueError("a write has a value")

    def __str__(self) -> str:
        start = f"{self.invoked_ns / NANOSECONDS_PER_SECOND:.6f}"
        end = (
            "?" if self.returned_ns is None else f"{self.returned_ns / NANOSECONDS_PER_SECOND:.6f}"
        )
        return f"{self.client:<4} [{start} .. {end}]  {self._what()}"

    def _what(self) -> str:
        if self.kind == "read":
            return "read" if self.returned_ns is None else f"read {self.value!r} at {self.version}"
        expecting = f" expecting version {self.expected}" if self.kind == "cas" else ""
        if self.returned_ns is None:
            outcome = "outcome unknown"
        elif self.version is None:
            outcome = "did not match"
        else:
            outcome = f"made version {self.version}"
        return f"{self.kind} {self.value!r}{expecting}: {outcome}"


class Violation(msgspec.Struct, frozen=True):
    """A rule that a history breaks.

    Attributes:
        key: the register.
        rule: the name of the rule, the same for all violations of a kind.
        explanation: what is wrong, in lines for people.
        window: the operations that show it, by the time they were invoked.
    """

    key: str
    rule: str
    explanation: str
    window: tuple[Operation, ...]

    def __str__(self) -> str:
        return f"{self.rule}: key {self.key!r}\n{self.explanation}"


def by_key(history: Iterable[Operation]) -> dict[str, list[Operation]]:
    """Return the operations of each key, keys and operations in the order of the history."""
    grouped: dict[str, list[Operation]] = {}
    for operation in history:
        grouped.setdefault(operation.key, []).append(operation)
    return grouped
