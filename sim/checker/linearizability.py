"""Is there one order of all operations that explains what every client saw?

Owns the search: Wing and Gong (1993) with the memory of Lowe (2017), one key at a time, as
linearizability is local (Herlihy and Wing, 1990). A configuration is the set of operations
already placed (a bit set) and the state they lead to; no configuration is looked at twice.
Must not know where a history comes from.

Versions leave the search little to choose, which is what makes it fast. Four rules, none of
which loses an order that exists:

1. What leaves the state as it is (a read that fits, a check-and-set that fails rightly) is
   placed as soon as it may be. It is in nobody's way there.
2. If an acknowledged operation made the next version, nothing else can make it.
3. Else an open operation made it, and if a read saw the version, one with that value. An open
   operation whose value other versions need is not spent on this one.
4. Of open operations with one value, or with values that nobody saw, one is as good as the
   other, but for a check-and-set, which fits no other version, and for those invoked later,
   which fit in fewer places. So the check-and-set is taken first, and then the oldest.

With values that are unique per key, as the workload writes them, nothing is left to choose.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from sim.checker.history import Operation, Violation, by_key

CONFIGURATIONS_MAX: Final = 100_000
"""Configurations looked at per key; a search that needs more is undecided, which is a failure."""

WINDOW_PLACED_MAX: Final = 6
WINDOW_WAITING_MAX: Final = 12
"""How many operations an explanation shows: those placed last, and those that can't be."""

RULE: Final = "not linearizable"
UNDECIDED: Final = "undecided"


class _Configuration(msgspec.Struct, frozen=True, gc=False):
    """A node of the search: what is placed, and the state that it leads to.

    `first_open` and `first_unreturned` are where scans of the operations with an answer go on:
    all before them, in the order of invocations and of returns, are placed.
    """

    placed: int = 0
    version: int = 0
    value: str | None = None
    first_open: int = 0
    first_unreturned: int = 0


class _Stuck(msgspec.Struct, frozen=True):
    """Where a search that found no order came furthest."""

    configuration: _Configuration
    undecided: bool = False


class _Register:
    """The history of one key, laid out for the search.

    Operations with an answer come first, those without behind them, each by invocation. Their
    place in this row is their bit in a set.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        ordered = sorted(operations, key=lambda operation: operation.invoked_ns)
        self.operations = [each for each in ordered if each.returned_ns is not None]
        self.known_count = len(self.operations)
        returns = sorted(
            (operation.returned_ns, place)
            for place, operation in enumerate(self.operations)
            if operation.returned_ns is not None
        )
        self.returned_ns = [returned_ns for returned_ns, _ in returns]
        self.by_return = [place for _, place in returns]
        self.operations += [
            each for each in ordered if each.returned_ns is None and each.kind != "read"
        ]
        self.invoked_ns = [operation.invoked_ns for operation in self.operations]
        self._index_versions()
        self._index_unknown()

    def _index_versions(self) -> None:
        """Find who made each version, and what reads saw of those that nobody vouches for."""
        self.writers: dict[int, int] = {}
        self.seen: dict[int, str | None] = {}
        for place, operation in enumerate(self.operations):
            if operation.version is not None and operation.kind != "read":
                self.writers.setdefault(operation.version, place)
        for operation in self.operations[: self.known_count]:
            version = operation.version
            if version and operation.kind == "read" and version not in self.writers:
                self.seen.setdefault(version, operation.value)

    def _index_unknown(self) -> None:
        """Sort the operations without an answer into classes by value; None: nobody saw it."""
        needed = Counter(self.seen.values())
        self.open_writes: dict[str | None, list[int]] = {None: []}
        self.open_cas: dict[tuple[str | None, int], int] = {}
        available: Counter[str | None] = Counter()
        for place in range(self.known_count, len(self.operations)):
            operation = self.operations[place]
            value = operation.value if operation.value in needed else None
            available[value] += 1
            if operation.kind == "write":
                self.open_writes.setdefault(value, []).append(place)
            else:
                self.open_cas.setdefault((value, operation.expected), place)
        self.spare_classes: list[str | None] = [
            value for value in available if value is not None and available[value] > needed[value]
        ]
        self.spare_classes.append(None)

    def deadline_ns(self, configuration: _Configuration) -> int:
        """Return the time before which the next operation must have been invoked."""
        return self.returned_ns[configuration.first_unreturned]

    def settled(self, at: _Configuration) -> _Configuration:
        """Place all that may be placed and leaves the state as it is."""
        count, placed, version, value = self.known_count, at.placed, at.version, at.value
        first_open, first_unreturned = at.first_open, at.first_unreturned
        while True:
            while first_unreturned < count and placed >> self.by_return[first_unreturned] & 1:
                first_unreturned += 1
            while first_open < count and placed >> first_open & 1:
                first_open += 1
            before = placed
            if first_unreturned < count:
                deadline_ns = self.returned_ns[first_unreturned]
                end = bisect_right(self.invoked_ns, deadline_ns, first_open, count)
                for place in range(first_open, end):
                    if not placed >> place & 1 and _fits(self.operations[place], version, value):
                        placed |= 1 << place
            if placed == before:
                return _Configuration(placed, version, value, first_open, first_unreturned)

    def makers(self, at: _Configuration) -> list[int]:
        """Return the operations that may make the next version, the least likely first."""
        version = at.version + 1
        deadline_ns = self.deadline_ns(at)
        writer = self.writers.get(version)
        if writer is not None:
            operation = self.operations[writer]
            fits = operation.kind == "write" or operation.expected == at.version
            return [writer] if fits and operation.invoked_ns <= deadline_ns else []
        classes = [self.seen[version]] if version in self.seen else self.spare_classes
        makers = (self._open_maker(value, at) for value in classes)
        return [
            maker for maker in makers if maker is not None and self.invoked_ns[maker] <= deadline_ns
        ]

    def _open_maker(self, value: str | None, at: _Configuration) -> int | None:
        """Return the operation of a class to take first."""
        cas = self.open_cas.get((value, at.version))
        if cas is not None and self.invoked_ns[cas] <= self.deadline_ns(at):
            return cas
        for place in self.open_writes.get(value, ()):
            if not at.placed >> place & 1:
                return place
        return None

    def search(self, configurations_max: int) -> _Stuck | None:
        """Return None if there is an order, or else where the search came furthest."""
        furthest, known_placed_max = _Configuration(), -1
        known = (1 << self.known_count) - 1
        looked_at: set[tuple[int, int, str | None]] = set()
        stack = [furthest]
        while stack:
            at = self.settled(stack.pop())
            if at.first_unreturned == self.known_count:
                return None
            identity = (at.placed, at.version, at.value)
            if identity in looked_at:
                continue
            if len(looked_at) == configurations_max:
                return _Stuck(furthest, undecided=True)
            looked_at.add(identity)
            known_placed = (at.placed & known).bit_count()
            if known_placed > known_placed_max:
                furthest, known_placed_max = at, known_placed
            for maker in self.makers(at):
                placed, value = at.placed | 1 << maker, self.operations[maker].value
                stack.append(
                    _Configuration(
                        placed, at.version + 1, value, at.first_open, at.first_unreturned
                    )
                )
        return _Stuck(furthest)


def _fits(operation: Operation, version: int, value: str | None) -> bool:
    """Tell whether the answer is right in that state, and the operation leaves it as it is."""
    if operation.kind == "read":
        return operation.version == version and operation.value == value
    return operation.version is None and operation.expected != version


def check_linearizable(
    history: Iterable[Operation], configurations_max: int = CONFIGURATIONS_MAX
) -> list[Violation]:
    """Return one violation for each key whose operations have no order, or no decision.

    Two operations are concurrent unless one returned before the other was invoked; at equal
    times they are.
    """
    violations: list[Violation] = []
    for operations in by_key(history).values():
        stuck = _Register(operations).search(configurations_max)
        if stuck is not None and stuck.undecided:
            reason = f"undecided after {configurations_max} configurations"
            violations.append(_explain(_Register(operations), stuck, UNDECIDED, reason))
        elif stuck is not None:
            violations.append(_explain_shortest(operations, configurations_max))
    return violations


def _explain_shortest(operations: Sequence[Operation], configurations_max: int) -> Violation:
    """Explain the shortest beginning of a history that has no order.

    What holds of a history holds of its beginnings, so bisection finds it.
    """
    times = sorted(each.returned_ns for each in operations if each.returned_ns is not None)
    low, high = 0, len(times) - 1
    while low < high:
        middle = (low + high) // 2
        if _Register(_beginning(operations, times[middle])).search(configurations_max) is None:
            low = middle + 1
        else:
            high = middle
    register = _Register(_beginning(operations, times[high]))
    stuck = register.search(configurations_max)
    assert stuck is not None
    return _explain(register, stuck, RULE, "no order of the operations explains their answers")


def _beginning(operations: Iterable[Operation], until_ns: int) -> list[Operation]:
    """Return what was known of a history at a time: later answers are still open."""
    beginning: list[Operation] = []
    for operation in operations:
        if operation.invoked_ns > until_ns:
            continue
        if operation.returned_ns is None or operation.returned_ns <= until_ns:
            beginning.append(operation)
        elif operation.kind != "read":
            beginning.append(msgspec.structs.replace(operation, returned_ns=None, version=None))
    return beginning


def _explain(register: _Register, stuck: _Stuck, rule: str, reason: str) -> Violation:
    """Show the state that was reached, what can't go on from it, and what led to it."""
    at = stuck.configuration
    operations = register.operations
    placed = [place for place in range(len(operations)) if at.placed >> place & 1]
    maker = register.writers.get(at.version)
    placed.sort(key=lambda place: (place == maker, operations[place].returned_ns or 0))
    waiting = [place for place in range(register.known_count) if not at.placed >> place & 1]
    window = sorted(placed[-WINDOW_PLACED_MAX:] + waiting[:WINDOW_WAITING_MAX])
    state = f"{at.value!r} at version {at.version}"
    lines = [reason, f"  placed: {len(placed)}; the key is {state}; answers left: {len(waiting)}"]
    for place in window:
        operation = operations[place]
        if at.placed >> place & 1:
            judgement = "placed"
        else:
            judgement = "left" if stuck.undecided else _objection(operation, register, at)
        lines.append(f"  {operation}  <- {judgement}")
    shown = tuple(operations[place] for place in window)
    return Violation(shown[0].key, rule, "\n".join(lines), shown)


def _objection(operation: Operation, register: _Register, at: _Configuration) -> str:
    """Say why an operation can't come next."""
    if operation.invoked_ns > register.deadline_ns(at):
        return "was invoked after another one returned that is left too"
    if operation.version is None:
        return "the version was the expected one"
    if operation.kind == "read" and operation.version == at.version:
        return "the version has another value"
    if operation.version <= at.version:
        return "the version has come and gone"
    if operation.kind == "read":
        return "nothing can make the version yet"
    if operation.version == at.version + 1:
        return "the version in force is not the expected one"
    return "the version before it is missing"
