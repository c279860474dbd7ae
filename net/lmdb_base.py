"""The base on disk: LMDB, with a checksum on every record.

Implements the port `core.store.base.Base`. Owns the environment and its transactions. Must not know
when a flush is due. LMDB itself has no checksums: flipped bits would come back as wrong values,
and a file that was cut short would kill the process; so records carry their own, and the
length is looked at before the file is mapped (D18).
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import lmdb
import msgspec

from core.check import InvariantBroken
from core.store.base import BaseMeta

BASE_BYTES_MAX: Final = 1 << 38
"""The most that a base may grow to: address space, not memory."""
SLICE_RECORDS_MAX: Final = 500
"""Records in one step of a flush: about a millisecond in which the loop may have to wait."""

_META_KEY: Final = b"\xff"
"""No scope has this number."""
_CHECKSUM_BYTES: Final = 4
_FILE: Final = "data.mdb"

_META_PAGES: Final = 2
_PAGE_HEADER_BYTES: Final = 16
_META: Final = struct.Struct("=IIQQ I 44x 48x QQ")
"""LMDB's own meta page: magic, version, address, map size, page size, last page, transaction."""
_MAGIC: Final = 0xBEEFC0DE


class BaseDamaged(InvariantBroken):
    """What was stored can't be read any more."""


class LmdbBase:
    """The durable state of one node.

    Reads go through one long transaction in the thread of the loop, renewed by `refresh`; changes
    are made by `merge` in another thread.
    """

    def __init__(self, path: Path) -> None:
        """Open the base in this directory, or make one.

        Raises:
            BaseDamaged: it has been cut short, or can't be opened.
        """
        self._environment = _open(path)
        self._reading = self._environment.begin()
        self._meta = self._read_meta()

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._meta

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None.

        Raises:
            BaseDamaged: the record does not match its checksum.
        """
        stored = self._reading.get(key)
        return None if stored is None else _opened(key, stored)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of keys, from `start` on and before `stop`."""
        for key, value in _records(self._reading, start):
            if key >= stop:
                return
            yield key, value

    def pin(self) -> "PinnedLmdbBase":
        """Return this base as it is now."""
        return PinnedLmdbBase(self._environment.begin(), self._meta)

    def merge(
        self, meta: BaseMeta, changes: Iterable[tuple[bytes, bytes | None]]
    ) -> Iterator[None]:
        """Apply changes and move to `meta`, durably, as one transaction; a step at a time."""
        remaining = iter(changes)
        with self._environment.begin(write=True) as transaction:
            while batch := list(islice(remaining, SLICE_RECORDS_MAX)):
                puts = [(key, _sealed(key, value)) for key, value in batch if value is not None]
                with transaction.cursor() as cursor:
                    cursor.putmulti(puts)
                for key, value in batch:
                    if value is None:
                        transaction.delete(key)
                yield
            transaction.put(_META_KEY, _sealed(_META_KEY, msgspec.msgpack.encode(meta)))

    def refresh(self) -> None:
        """Read from now on what has been merged."""
        self._reading.abort()
        self._reading = self._environment.begin()
        self._meta = self._read_meta()

    def move_to(self, path: Path) -> None:
        """Be the base in another directory from now on."""
        self.close()
        self._environment = _open(path)
        self._reading = self._environment.begin()
        self._meta = self._read_meta()

    def verify(self) -> None:
        """Look at the checksum of every record.

        Raises:
            BaseDamaged: one does not match.
        """
        try:
            for _ in _records(self._reading, b""):
                pass
        except lmdb.Error as error:
            raise BaseDamaged(f"the base cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of it."""
        self._reading.abort()
        self._environment.close()

    def _read_meta(self) -> BaseMeta:
        stored = self._reading.get(_META_KEY)
        if stored is None:
            return BaseMeta()
        return msgspec.msgpack.decode(_opened(_META_KEY, stored), type=BaseMeta)


class PinnedLmdbBase:
    """A base as it was when pinned."""

    def __init__(self, transaction: lmdb.Transaction, meta: BaseMeta) -> None:
        self._transaction = transaction
        self._meta = meta

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._meta

    def iterate(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield all keys and values from `start` on, in order."""
        return _records(self._transaction, start)

    def close(self) -> None:
        """Let it go."""
        self._transaction.abort()


def _open(path: Path) -> lmdb.Environment:
    _check_length(path / _FILE)
    try:
        return lmdb.open(str(path), map_size=BASE_BYTES_MAX, mode=0o600, max_dbs=0)
    except lmdb.Error as error:
        raise BaseDamaged(f"the base cannot be opened: {error}") from error


def _records(transaction: lmdb.Transaction, start: bytes) -> Iterator[tuple[bytes, bytes]]:
    with transaction.cursor() as cursor:
        if not (cursor.set_range(start) if start else cursor.first()):
            return
        for key, stored in cursor.iternext():
            # Without buffers LMDB hands out bytes; its types allow for both.
            assert isinstance(key, bytes)
            assert isinstance(stored, bytes)
            if key != _META_KEY:
                yield key, _opened(key, stored)


def _sealed(key: bytes, value: bytes) -> bytes:
    checksum = zlib.crc32(value, zlib.crc32(key))
    return value + checksum.to_bytes(_CHECKSUM_BYTES, "big")


def _opened(key: bytes, stored: bytes) -> bytes:
    value = stored[:-_CHECKSUM_BYTES]
    checksum = zlib.crc32(value, zlib.crc32(key))
    if stored[-_CHECKSUM_BYTES:] != checksum.to_bytes(_CHECKSUM_BYTES, "big"):
        raise BaseDamaged(f"the record of key {key.hex()} does not match its checksum")
    return value


def _check_length(file: Path) -> None:
    """Refuse a file that is shorter than it says: reading its missing pages would be fatal."""
    if not file.exists():
        return
    size = file.stat().st_size
    latest = (0, 0)
    with file.open("rb") as opened:
        page_bytes = 4096
        for page in range(_META_PAGES):
            opened.seek(page * page_bytes + _PAGE_HEADER_BYTES)
            raw = opened.read(_META.size)
            if len(raw) < _META.size:
                raise BaseDamaged(f"{file} has been cut short")
            magic, _, _, _, found_page_bytes, last_page, transaction = _META.unpack(raw)
            if magic == _MAGIC:
                page_bytes = found_page_bytes
                latest = max(latest, (transaction, last_page))
    if size < (latest[1] + 1) * page_bytes:
        raise BaseDamaged(f"{file} has been cut short")
