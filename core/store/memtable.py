"""Applied writes that the base does not hold yet."""

from bisect import bisect_left
from collections.abc import Iterator
from heapq import merge
from itertools import islice

_RUN_LENGTH_MAX = 1_000
"""Keys that one sorting step takes: about a quarter of a millisecond."""


class Memtable:
    """Keys with new values; None where a key was deleted.

    Attributes:
        bytes: size of its keys and values; a replaced value counts until the flush.
    """

    __slots__ = ("_ordered", "_unordered", "bytes", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes | None] = {}
        self.bytes = 0
        self._ordered: list[bytes] = []
        self._unordered: list[bytes] = []

    def put(self, key: bytes, value: bytes | None) -> None:
        """Set the value at `key`, or mark it as deleted."""
        values = self.values
        if key not in values:
            self._unordered.append(key)
            self.bytes += len(key)
        values[key] = value
        if value is not None:
            self.bytes += len(value)

    def keys_between(self, start: bytes, stop: bytes) -> list[bytes]:
        """Return the keys from `start` on and before `stop`, in order."""
        if self._unordered:
            # Sorting finds the long ordered run and merges the few new keys into it.
            self._ordered += self._unordered
            self._ordered.sort()
            self._unordered.clear()
        ordered = self._ordered
        return ordered[bisect_left(ordered, start) : bisect_left(ordered, stop)]

    def changes(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield all keys in order with their values, in steps that are short each.

        A thread that shares the interpreter with the event loop may iterate over it; the table
        must not be changed any more.
        """
        keys = iter(self.values)
        runs: list[list[bytes]] = []
        while run := list(islice(keys, _RUN_LENGTH_MAX)):
            run.sort()
            runs.append(run)
        for key in merge(*runs):
            yield key, self.values[key]
