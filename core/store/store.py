"""The layers of the store: pending writes, memtable, frozen memtable, base.

Owns what is applied and what a flush hands down. Must not know who writes, nor when an entry is
committed: it is told.
"""

from collections.abc import Iterator, Sequence

from core.check import check
from core.store.base import Base
from core.store.memtable import Memtable


class Watch:
    """Counts the changes below a prefix, so that what is derived from it knows its age.

    Attributes:
        version: goes up whenever an applied write touched a key below the prefix.
    """

    __slots__ = ("prefix", "version")

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.version = 0


class Store:
    """The state of one node, applied up to one index of the log.

    As a `Reader` it shows applied writes only.

    Attributes:
        base: the lowest layer.
        applied_index: the last entry that was applied.
        pending: for each key the last write proposed and not applied yet, with the index of
            its entry; only a leader has any.
        memtable_bytes: size of what the base does not hold and is not being flushed.
        flushing_index: where the base will stand after the flush under way; 0 if there is none.
    """

    __slots__ = (
        "_frozen",
        "_memtable",
        "_watched_prefixes",
        "_watches",
        "applied_index",
        "base",
        "flushing_index",
        "pending",
    )

    def __init__(self, base: Base) -> None:
        self.base = base
        self.applied_index = base.meta.index
        self.pending: dict[bytes, tuple[int, bytes | None]] = {}
        self.flushing_index = 0
        self._memtable = Memtable()
        self._frozen: Memtable | None = None
        self._watches: list[Watch] = []
        self._watched_prefixes: tuple[bytes, ...] = ()

    # -- reading ----------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """Return the applied value at `key`, or None."""
        values = self._memtable.values
        if key in values:
            return values[key]
        frozen = self._frozen
        if frozen is not None and key in frozen.values:
            return frozen.values[key]
        return self.base.get(key)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield applied keys and values in order, from `start` on and before `stop`."""
        changes: dict[bytes, bytes | None] = {}
        for layer in (self._frozen, self._memtable):
            if layer is not None:
                for key in layer.keys_between(start, stop):
                    changes[key] = layer.values[key]
        return overlay(self.base.iterate(start, stop), changes)

    # -- watching ---------------------------------------------------------------------------

    def watch(self, prefix: bytes) -> Watch:
        """Return a watch over the keys that start with `prefix`."""
        watch = Watch(prefix)
        self._watches.append(watch)
        self._watched_prefixes = tuple(each.prefix for each in self._watches)
        return watch

    def unwatch(self) -> None:
        """Forget all watches."""
        self._watches.clear()
        self._watched_prefixes = ()

    # -- writing ----------------------------------------------------------------------------

    def propose(self, index: int, writes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Show these writes to later transactions, until the entry at `index` is applied."""
        pending = self.pending
        for key, value in writes:
            pending[key] = (index, value)

    def drop_pending(self) -> None:
        """Forget the writes that were proposed: this node leads no more."""
        self.pending.clear()

    def apply(self, index: int, writes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Apply the writes of the entry at `index`."""
        check(index == self.applied_index + 1, "entries are applied in order, each once")
        self.applied_index = index
        memtable = self._memtable
        pending = self.pending
        watched = self._watched_prefixes
        for key, value in writes:
            memtable.put(key, value)
            if pending:
                proposed = pending.get(key)
                if proposed is not None and proposed[0] <= index:
                    del pending[key]
            if watched and key.startswith(watched):
                for watch in self._watches:
                    if key.startswith(watch.prefix):
                        watch.version += 1

    # -- flushing ---------------------------------------------------------------------------

    @property
    def memtable_bytes(self) -> int:
        """Size of what the next flush would take down."""
        return self._memtable.bytes

    def freeze(self) -> Memtable:
        """Begin a flush: what was applied so far is handed to the base."""
        check(self._frozen is None, "one flush at a time")
        self._frozen = self._memtable
        self._memtable = Memtable()
        self.flushing_index = self.applied_index
        return self._frozen

    def flushed(self, index: int) -> None:
        """End a flush: the base has all of it."""
        check(index == self.flushing_index == self.base.meta.index, "the base stands elsewhere")
        self._frozen = None
        self.flushing_index = 0

    def replaced(self) -> None:
        """Start anew from a base that a snapshot has replaced."""
        check(self._frozen is None, "no flush is under way while the base is replaced")
        self._memtable = Memtable()
        self.pending.clear()
        self.applied_index = self.base.meta.index
        for watch in self._watches:
            watch.version += 1


def overlay(
    lower: Iterator[tuple[bytes, bytes]], changes: dict[bytes, bytes | None]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of `lower` as `changes` have made them, in order."""
    if not changes:
        yield from lower
        return
    upper = iter(sorted(changes))
    next_key = next(upper, None)
    for key, value in lower:
        while next_key is not None and next_key < key:
            changed = changes[next_key]
            if changed is not None:
                yield next_key, changed
            next_key = next(upper, None)
        if next_key == key:
            changed = changes[key]
            next_key = next(upper, None)
            if changed is not None:
                yield key, changed
        else:
            yield key, value
    while next_key is not None:
        changed = changes[next_key]
        if changed is not None:
            yield next_key, changed
        next_key = next(upper, None)
