"""The cheap oracle: rules that need no search.

Owns what one pass over a history can see, in O(n log n). All that it finds, the search in
`sim.checker.linearizability` finds as well; this says more plainly what went wrong.
"""

from collections.abc import Iterable, Sequence

from sim.checker.history import Operation, Violation, by_key


def check_oracle(history: Iterable[Operation]) -> list[Violation]:
    """Return what each key breaks first, at most one violation of each of the two passes."""
    violations: list[Violation] = []
    for operations in by_key(history).values():
        for check in (_check_values, _check_order):
            violation = check(operations)
            if violation is not None:
                violations.append(violation)
    return violations


def _check_values(operations: Sequence[Operation]) -> Violation | None:
    """No phantom; each version has one writer and one value; a check-and-set adds one."""
    writers: dict[int, Operation] = {}
    written: dict[str | None, Operation] = {}
    for operation in operations:
        if operation.kind == "read":
            continue
        earlier = written.get(operation.value)
        if earlier is None or operation.invoked_ns < earlier.invoked_ns:
            written[operation.value] = operation
        version = operation.version
        if version is None:
            continue
        if version in writers:
            return _violation("version made twice", writers[version], operation)
        if operation.kind == "cas" and version != operation.expected + 1:
            return _violation("check-and-set made a version that is not the next", operation)
        writers[version] = operation
    return _check_reads(operations, writers, written)


def _check_reads(
    operations: Sequence[Operation],
    writers: dict[int, Operation],
    written: dict[str | None, Operation],
) -> Violation | None:
    """Judge what reads saw, given all acknowledged `writers` and the first use of each value."""
    seen: dict[int, Operation] = {}
    for read in operations:
        if read.kind != "read" or read.version is None or read.returned_ns is None:
            continue
        if (read.version == 0) != (read.value is None):
            return _violation("absent at a version, or present without one", read)
        if read.value is not None:
            origin = writers.get(read.version) or written.get(read.value)
            if origin is None:
                return _violation("phantom: nobody wrote this value", read)
            if origin.invoked_ns > read.returned_ns:
                return _violation("read before it was written", read, origin)
        other = writers.get(read.version) or seen.setdefault(read.version, read)
        if other.value != read.value:
            return _violation("version with two values", other, read)
    return None


def _check_order(operations: Sequence[Operation]) -> Violation | None:
    """What began after an answer must see its version, or make a later one."""
    answered = [
        (operation.returned_ns, operation.version, place)
        for place, operation in enumerate(operations)
        if operation.returned_ns is not None and operation.version is not None
    ]
    answered.sort()
    position = 0
    latest: Operation | None = None
    for operation in sorted(operations, key=lambda operation: operation.invoked_ns):
        while position < len(answered) and answered[position][0] < operation.invoked_ns:
            _, version, place = answered[position]
            if latest is None or latest.version is None or version > latest.version:
                latest = operations[place]
            position += 1
        if latest is None or latest.version is None or operation.version is None:
            continue
        if operation.version < latest.version:
            rule = "version went back" if latest.kind == "read" else "acknowledged write lost"
            return _violation(rule, latest, operation)
        if operation.version == latest.version and operation.kind != "read":
            return _violation("version made again", latest, operation)
    return None


def _violation(rule: str, *window: Operation) -> Violation:
    explanation = "\n".join(f"  {operation}" for operation in window)
    return Violation(window[0].key, rule, explanation, window)
