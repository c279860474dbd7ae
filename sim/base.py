"""One node's simulated base: the durable state, kept in memory, in which bits may rot.

Owns what a rotten record does. Must not know when a change becomes durable: the disk says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from random import Random

from core.store import memory_base
from core.store.base import BaseMeta
from core.store.memory_base import Changes


class BaseDamaged(Exception):
    """A record of the base does not match its checksum: the node must stop."""


class PinnedMemoryBase:
    """A base as it was when pinned; implements `core.store.base.PinnedBase`."""

    __slots__ = ("_pinned", "_rotten")

    def __init__(self, pinned: memory_base.PinnedMemoryBase, rotten: frozenset[bytes]) -> None:
        self._pinned = pinned
        self._rotten = rotten

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._pinned.meta

    def iterate(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys and values from `start` on, in order.

        Raises:
            BaseDamaged: a record is rotten.
        """
        records = self._pinned.iterate(start)
        return _sound(records, self._rotten) if self._rotten else records

    def close(self) -> None:
        """Let it go."""
        self._pinned.close()


class MemoryBase:
    """The durable state; implements `core.store.base.Base`.

    Attributes:
        meta: where it stands.
    """

    __slots__ = ("_base", "_rotten", "meta")

    def __init__(self) -> None:
        self._base = memory_base.MemoryBase()
        self._rotten: frozenset[bytes] = frozenset()
        self.meta = self._base.meta

    @property
    def values(self) -> Mapping[bytes, bytes]:
        """All that it holds, what is rotten as it was before; to be looked at only."""
        return self._base.values

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None.

        Raises:
            BaseDamaged: the record is rotten.
        """
        if self._rotten and key in self._rotten:
            raise _damage(key)
        return self._base.get(key)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of keys, from `start` on and before `stop`.

        Raises:
            BaseDamaged: a record is rotten.
        """
        records = self._base.iterate(start, stop)
        return _sound(records, self._rotten) if self._rotten else records

    def pin(self) -> PinnedMemoryBase:
        """Return this base as it is now."""
        return PinnedMemoryBase(self._base.pin(), self._rotten)

    def flush(self, meta: BaseMeta, changes: Changes) -> None:
        """Merge `changes` and move to `meta`; what is written anew is sound."""
        changes = list(changes)
        if self._rotten:
            self._rotten -= {key for key, _ in changes}
        self._base.flush(meta, changes)
        self.meta = meta

    def replace(self, meta: BaseMeta, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Become a base that holds `items` and nothing else."""
        self._base.replace(meta, items)
        self.meta = meta
        self._rotten = frozenset()

    def rot(self, random: Random) -> None:
        """Damage one record, if there is any: to read it raises, as its checksum would."""
        keys = sorted(self._base.values)
        if keys:
            self._rotten |= {random.choice(keys)}

    def __len__(self) -> int:
        return len(self._base)


def _sound(
    records: Iterator[tuple[bytes, bytes]], rotten: frozenset[bytes]
) -> Iterator[tuple[bytes, bytes]]:
    for key, value in records:
        if key in rotten:
            raise _damage(key)
        yield key, value


def _damage(key: bytes) -> BaseDamaged:
    return BaseDamaged(f"the record of key {key.hex()} does not match its checksum")
