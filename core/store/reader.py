"""What every layer of the store offers to those above it."""

from collections.abc import Iterator
from typing import Protocol


class Reader(Protocol):
    """Ordered keys and values, to be read."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        ...

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of keys, from `start` on and before `stop`.

        The store must not be changed while the iterator is in use.
        """
        ...


class Writer(Reader, Protocol):
    """Ordered keys and values, to be read and changed."""

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value at `key`."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove `key`, if it is there."""
        ...
