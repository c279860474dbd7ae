"""The port for the base: the lowest layer of the store, kept by the driver.

A base holds the state as it was at one index of the log. It changes as a whole: a flush or a
replaced snapshot moves it from one index to another, with nothing between to be seen.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from core.store.reader import Reader


class BaseMeta(msgspec.Struct, frozen=True, array_like=True):
    """Where a base stands; kept atomically with its content.

    Attributes:
        index: the last log index that is contained.
        term: the term of the entry at `index`.
        configuration: the encoded membership in force at `index`.
        wall_ns: the latest wall clock that the entries up to `index` carried.
        void_through: batches of the log up to this sequence hold no entries behind `index`
            that are still true; the log was reset when this base was installed.
    """

    index: int = 0
    term: int = 0
    configuration: bytes = b""
    wall_ns: int = 0
    void_through: int = 0


class PinnedBase(Protocol):
    """A base as it was when pinned, whatever happens to it meanwhile."""

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        ...

    def iterate(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys and values from `start` on, in order."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class Base(Reader, Protocol):
    """The durable state, to be read."""

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        ...

    def pin(self) -> PinnedBase:
        """Return this base as it is now, for a snapshot that is sent piece by piece."""
        ...
