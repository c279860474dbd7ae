"""What one request reads and writes, before anybody else sees it."""

from collections.abc import Iterator

from core.store.store import Store, overlay


class WouldWrite(Exception):
    """A request that was run to read wants to write."""


class Transaction:
    """Reads and writes of one request on the leader, over pending and applied writes.

    Attributes:
        writes: keys with new values, or None where one is deleted, in the order they were made.
        depends_on: index of the last pending entry whose writes were seen; an answer must not
            leave before that entry is committed. 0 if only applied state was seen.
    """

    __slots__ = ("_saved", "_store", "depends_on", "writes")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._saved: dict[bytes, bytes | None] = {}
        self.writes: dict[bytes, bytes | None] = {}
        self.depends_on = 0

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key` as this transaction sees it, or None."""
        writes = self.writes
        if key in writes:
            return writes[key]
        pending = self._store.pending.get(key)
        if pending is None:
            return self._store.get(key)
        index, value = pending
        self.depends_on = max(self.depends_on, index)
        return value

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in order, as this transaction sees them when it is called."""
        changes: dict[bytes, bytes | None] = {}
        for key, (index, value) in self._store.pending.items():
            if start <= key < stop:
                changes[key] = value
                self.depends_on = max(self.depends_on, index)
        changes.update({key: value for key, value in self.writes.items() if start <= key < stop})
        return overlay(self._store.iterate(start, stop), changes)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value at `key`."""
        self.writes[key] = value

    def delete(self, key: bytes) -> None:
        """Remove `key`, if it is there."""
        self.writes[key] = None

    def savepoint(self) -> None:
        """Keep what was written so far even if the rest is rolled back."""
        self._saved = dict(self.writes)

    def rollback(self) -> None:
        """Forget what was written since the last savepoint, or all without one."""
        self.writes = dict(self._saved)


class Snapshot:
    """Reads of one request over applied writes only; an attempt to write ends it.

    Attributes:
        depends_on: 0, as applied state depends on nothing.
    """

    __slots__ = ("_store",)

    depends_on = 0

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: bytes) -> bytes | None:
        """Return the applied value at `key`, or None."""
        return self._store.get(key)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield applied keys and values in order."""
        return self._store.iterate(start, stop)

    def put(self, key: bytes, value: bytes) -> None:  # noqa: ARG002 -- as in Writer
        """Refuse.

        Raises:
            WouldWrite: always.
        """
        raise WouldWrite

    def savepoint(self) -> None:
        """Refuse.

        Raises:
            WouldWrite: always.
        """
        raise WouldWrite

    def delete(self, key: bytes) -> None:  # noqa: ARG002 -- as in Writer
        """Refuse.

        Raises:
            WouldWrite: always.
        """
        raise WouldWrite
