"""A base that is kept in memory: a dictionary and a sorted list of keys.

Implements the port `core.store.base.Base`. Owns the rule that a base changes as a whole. Must not
know when a change becomes durable, if ever: whoever drives it says so.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from core.store.base import BaseMeta

Changes = Iterable[tuple[bytes, bytes | None]]
"""Keys, each once and in any order, with new values, or None to remove a key."""


class PinnedMemoryBase:
    """A base as it was when pinned; implements `core.store.base.PinnedBase`."""

    __slots__ = ("_keys", "_meta", "_values")

    def __init__(self, meta: BaseMeta, keys: list[bytes], values: dict[bytes, bytes]) -> None:
        self._meta = meta
        self._keys = keys
        self._values = values

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._meta

    def iterate(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys and values from `start` on, in order."""
        for position in range(bisect_left(self._keys, start), len(self._keys)):
            key = self._keys[position]
            yield key, self._values[key]

    def close(self) -> None:
        """Let it go: nothing to do, as what was pinned is never changed in place."""


class MemoryBase:
    """The state as of one index of the log."""

    __slots__ = ("_keys", "_meta", "_pinned", "_values")

    def __init__(self) -> None:
        self._meta = BaseMeta()
        self._keys: list[bytes] = []
        self._values: dict[bytes, bytes] = {}
        self._pinned = False

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._meta

    @property
    def values(self) -> Mapping[bytes, bytes]:
        """All that it holds, as long as it is not changed; to be looked at only."""
        return self._values

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        return self._values.get(key)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of keys, from `start` on and before `stop`."""
        for position in range(bisect_left(self._keys, start), bisect_left(self._keys, stop)):
            key = self._keys[position]
            yield key, self._values[key]

    def pin(self) -> PinnedMemoryBase:
        """Return this base as it is now; the next change copies before it writes."""
        self._pinned = True
        return PinnedMemoryBase(self._meta, self._keys, self._values)

    def flush(self, meta: BaseMeta, changes: Changes) -> None:
        """Merge `changes` and move to `meta`."""
        if self._pinned:
            self._keys = self._keys.copy()
            self._values = self._values.copy()
            self._pinned = False
        values = self._values
        added: list[bytes] = []
        removed = False
        for key, value in changes:
            if value is None:
                removed |= values.pop(key, None) is not None
            else:
                if key not in values:
                    added.append(key)
                values[key] = value
        if removed:
            self._keys = [key for key in self._keys if key in values]
        if added:
            self._keys += added
            self._keys.sort()  # finds the long run that is in order already
        self._meta = meta

    def replace(self, meta: BaseMeta, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Become a base that holds `items` and nothing else."""
        self._values = dict(items)
        self._keys = sorted(self._values)
        self._pinned = False
        self._meta = meta

    def __len__(self) -> int:
        return len(self._keys)
