"""The keys of one mount within one transaction.

Owns the way from names to sealed keys and from values to sealed records, and how to walk a
directory of sealed names. Must not know whose mount it is, nor whether a write will be kept.

A name may have a value, records numbered below it, names further down, or any of these at once.
In the store they follow each other in this order, then the next name comes.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from core.barrier.barrier import Barrier
from core.barrier.record import OVERHEAD
from core.store.keys import CLEAR, VALUE_MAX, after_numbered, numbered, successor
from core.store.reader import Writer

PLAINTEXT_MAX: Final = VALUE_MAX - OVERHEAD
"""Bytes in a value before it is sealed."""

STEPS_BEFORE_SEEK_MAX: Final = 4
"""Keys to step over before seeking; a seek costs several steps, most names have few versions."""

LIST_MAX: Final = 50_000
"""Children in one list or page. To open, sort and show that many names takes a quarter of a
second, in which a node does nothing else; a leader that rests for half a second may lose its
office."""

_NUMBER_SIZE: Final = 4


class ValueTooLarge(ValueError):
    """The value exceeds `PLAINTEXT_MAX`."""


class ListTooLong(ValueError):
    """The directory has more than `LIST_MAX` children."""


class Storage:
    """Names and values below one sealed prefix.

    Names are paths; how they are split, and how long they may be, is `Names.path`. Each method
    that takes a name may raise its `PathTooLong`.
    """

    __slots__ = ("_barrier", "_prefix", "_writer")

    def __init__(self, writer: Writer, barrier: Barrier, prefix: bytes) -> None:
        self._writer = writer
        self._barrier = barrier
        self._prefix = prefix

    def below(self, name: str) -> "Storage":
        """Return the storage of what is below `name`."""
        return Storage(self._writer, self._barrier, self._key(name, None))

    def get(self, name: str, number: int | None = None) -> bytes | None:
        """Return the value at `name`, or that of its record `number`, or None.

        Raises:
            RecordDamaged: what is stored there does not open.
        """
        key = self._key(name, number)
        sealed = self._writer.get(key)
        return None if sealed is None else self._barrier.open(key, sealed)

    def put(self, name: str, value: bytes, number: int | None = None) -> None:
        """Set the value at `name`, or that of its record `number` (0 to 2**32 - 1).

        Raises:
            ValueTooLarge: the value exceeds `PLAINTEXT_MAX`.
        """
        if len(value) > PLAINTEXT_MAX:
            raise ValueTooLarge(f"the value is longer than {PLAINTEXT_MAX} bytes")
        key = self._key(name, number)
        self._writer.put(key, self._barrier.seal(key, value))

    def delete(self, name: str, number: int | None = None) -> None:
        """Remove the value at `name`, or its record `number`, if it is there."""
        self._writer.delete(self._key(name, number))

    def delete_some(self, limit: int) -> bool:
        """Remove at most `limit` records from below the prefix; tell whether any are left."""
        start, stop = after_numbered(self._prefix), successor(self._prefix)
        entries = islice(self._writer.iterate(start, stop), limit + 1)
        keys = [key for key, _ in entries]
        for key in keys[:limit]:
            self._writer.delete(key)
        return len(keys) > limit

    def numbers(self, name: str) -> list[int]:
        """Return the numbers of the records below `name`, in order."""
        key = self._key(name, None)
        entries = self._writer.iterate(key + CLEAR, after_numbered(key))
        return [int.from_bytes(record[-_NUMBER_SIZE:], "big") for record, _ in entries]

    def list_page(self, directory: str, after: str | None, limit: int) -> list[str]:
        """Return at most `limit` children of `directory` in stored order.

        The order is fixed but means nothing. `after` is the last child of the page before, or
        None; it need not exist any more.
        """
        parent = self._directory(directory)
        start = after_numbered(parent)
        if after is not None:
            name, slash, _ = after.partition("/")
            child = parent + self._barrier.names.seal_segment(parent, name)
            start = successor(child) if slash else after_numbered(child)
        return list(islice(self._children(parent, start), limit))

    def list(self, directory: str) -> list[str]:
        """Return all children of `directory`, sorted; at most `LIST_MAX`.

        `directory` is "" or ends in "/", and so does each child that has names below it. A name
        with a value and names below is there twice; one that has only numbered records is not.
        The cost is that of the children, whatever is below them.

        Raises:
            ListTooLong: there are more; `list_page` gives them bit by bit.
        """
        children = self.list_page(directory, None, LIST_MAX + 1)
        if len(children) > LIST_MAX:
            raise ListTooLong(f"there are more than {LIST_MAX} names")
        return sorted(children)

    def _key(self, name: str, number: int | None) -> bytes:
        key = self._barrier.names.path(self._prefix, name)
        return key if number is None else numbered(key, number)

    def _directory(self, directory: str) -> bytes:
        if not directory:
            return self._prefix
        return self._key(directory.removesuffix("/"), None)

    def _children(self, parent: bytes, start: bytes) -> Iterator[str]:
        """Yield the children of the key `parent` in stored order, from the key `start` on."""
        segment_at = len(parent)
        cursor = _Cursor(self._writer, start, successor(parent))
        while (key := cursor.key) is not None:
            child = key[: segment_at + 1 + key[segment_at]]
            name = self._barrier.names.open_segment(parent, child[segment_at:])
            if key == child:
                yield name
            cursor.seek(after_numbered(child))
            if cursor.key is not None and cursor.key.startswith(child):
                yield name + "/"
                cursor.seek(successor(child))


class _Cursor:
    """A place among the keys before `stop` that only moves forward.

    Attributes:
        key: the key at this place, or None behind the last one.
    """

    __slots__ = ("_entries", "_stop", "_writer", "key")

    def __init__(self, writer: Writer, start: bytes, stop: bytes) -> None:
        self._writer = writer
        self._stop = stop
        self._entries = writer.iterate(start, stop)
        self.key = self._next()

    def seek(self, target: bytes) -> None:
        """Move on to the first key that is not less than `target`."""
        for _ in range(STEPS_BEFORE_SEEK_MAX):
            if self.key is None or self.key >= target:
                return
            self.key = self._next()
        if self.key is not None and self.key < target:
            self._entries = self._writer.iterate(target, self._stop)
            self.key = self._next()

    def _next(self) -> bytes | None:
        entry = next(self._entries, None)
        return None if entry is None else entry[0]
