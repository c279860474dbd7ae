"""One node's simulated base: the durable state, kept in memory.

Implements the port `core.store.base.Base` with a dictionary and a sorted list of keys. Owns
the rule that a base changes as a whole. Must not know when a change becomes durable: the disk
says so.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from random import Random

from core.store.base import BaseMeta

Changes = Iterable[tuple[bytes, bytes | None]]
"""Keys, each once and in any order, with new values, or None to remove a key."""


class BaseDamaged(Exception):
    """A record of the base does not match its checksum: the node must stop."""


class PinnedMemoryBase:
    """A base as it was when pinned; implements `core.store.base.PinnedBase`."""

    __slots__ = ("_keys", "_meta", "_rotten", "_values")

    def __init__(
        self,
        meta: BaseMeta,
        keys: list[bytes],
        values: dict[bytes, bytes],
        rotten: frozenset[bytes],
    ) -> None:
        self._meta = meta
        self._keys = keys
        self._values = values
        self._rotten = rotten

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._meta

    def iterate(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys and values from `start` on, in order.

        Raises:
            BaseDamaged: a record is rotten.
        """
        first = bisect_left(self._keys, start)
        return _records(self._keys, self._values, self._rotten, range(first, len(self._keys)))

    def close(self) -> None:
        """Let it go: nothing to do, as what was pinned is never changed in place."""


class MemoryBase:
    """The durable state; implements `core.store.base.Base`."""

    __slots__ = ("_keys", "_meta", "_pinned", "_rotten", "_values")

    def __init__(self) -> None:
        self._meta = BaseMeta()
        self._keys: list[bytes] = []
        self._values: dict[bytes, bytes] = {}
        self._rotten: frozenset[bytes] = frozenset()
        self._pinned = False

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._meta

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None.

        Raises:
            BaseDamaged: the record is rotten.
        """
        if self._rotten and key in self._rotten:
            raise BaseDamaged(f"the record of key {key.hex()} does not match its checksum")
        return self._values.get(key)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of keys, from `start` on and before `stop`.

        Raises:
            BaseDamaged: a record is rotten.
        """
        span = range(bisect_left(self._keys, start), bisect_left(self._keys, stop))
        return _records(self._keys, self._values, self._rotten, span)

    def pin(self) -> PinnedMemoryBase:
        """Return this base as it is now; the next change copies before it writes."""
        self._pinned = True
        return PinnedMemoryBase(self._meta, self._keys, self._values, self._rotten)

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
            if self._rotten:
                self._rotten -= {key}
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
        self._rotten = frozenset()
        self._pinned = False
        self._meta = meta

    def rot(self, random: Random) -> None:
        """Damage one record, if there is any: to read it raises, as its checksum would."""
        if self._keys:
            self._rotten |= {random.choice(self._keys)}

    def __len__(self) -> int:
        return len(self._keys)


def _records(
    keys: list[bytes], values: dict[bytes, bytes], rotten: frozenset[bytes], span: range
) -> Iterator[tuple[bytes, bytes]]:
    for position in span:
        key = keys[position]
        if rotten and key in rotten:
            raise BaseDamaged(f"the record of key {key.hex()} does not match its checksum")
        yield key, values[key]
