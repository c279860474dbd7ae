"""The base on disk: LMDB, with a checksum on every record.

Implements the port `core.store.base.Base`. Owns the environment and its transactions. Must not know
when a flush is due. LMDB itself has no checksums: flipped bits would come back as wrong values,
and a file that was cut short would kill the process; so records carry their own, and the
length is looked at before the file is mapped (D18).
"""

import errno
import os
import shutil
import struct
import zlib
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import lmdb
import msgspec

from core.check import InvariantBroken
from core.store.base import BaseMeta
from net.durably import NO_ROOM, PRIVATE_FILE, sync_directory

BASE_BYTES_MAX: Final = 1 << 38
"""The most that a base may grow to: address space, not memory."""
SLICE_RECORDS_MAX: Final = 500
"""Records in one step of a flush: about a millisecond in which the loop may have to wait."""
FULL_BYTES_MAX: Final = 64 << 20
"""With less than this free after LMDB has reported a failure of the device, the disk was full: it
calls a write that was cut short so. Nothing was free then; what is now, a segment of the log may
have given back that was refused."""

_RESERVED: Final = b"\xff"
"""Keys from here on are this module's own: no scope has this number."""
_META_KEY: Final = _RESERVED
_STAMP_KEY: Final = _RESERVED + b"stamp"
_CHECKSUM_BYTES: Final = 4
_FILE: Final = "data.mdb"
_LOCK_FILE: Final = "lock.mdb"
_LOCK_BYTES: Final = 8 << 10
"""As many readers as LMDB allows for by itself."""

_META_PAGES: Final = 2
_PAGE_BYTES: Final = 4096
_PAGE_HEADER_BYTES: Final = 16
_META: Final = struct.Struct("=IIQQ I 44x 48x QQ")
"""LMDB's own meta page: magic, version, address, map size, page size, last page, transaction."""
_MAGIC: Final = 0xBEEFC0DE

_DAMAGE: Final = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError)
_NO_ROOM: Final = (lmdb.MapFullError, lmdb.DiskError)
_NO_ROOM_TEXTS: Final = tuple(os.strerror(number) for number in sorted(NO_ROOM))
_CUT_SHORT_TEXT: Final = os.strerror(errno.EIO)


class BaseDamaged(InvariantBroken):
    """What was stored can't be read any more."""


class BaseUnusable(InvariantBroken):
    """The base can't be used, but not because of what was stored."""


class BaseForeign(Exception):
    """The base belongs to another node."""


class BaseFull(Exception):
    """There is no room for a change; the base is as it was."""


class LmdbBase:
    """The durable state of one node.

    Reads go through one long transaction in the thread of the loop, renewed by `refresh`; changes
    are made by `merge` in another thread.
    """

    _reading: lmdb.Transaction
    _meta: BaseMeta

    def __init__(self, path: Path, stamp: bytes) -> None:
        """Open the base in this directory, or make one there that carries `stamp`.

        Raises:
            BaseDamaged: it has been cut short, or is no base.
            BaseUnusable: it can't be opened.
            OSError: so too; or there is no room for it.
            BaseForeign: it carries another stamp.
        """
        self._stamp = stamp
        self._move(path)

    @property
    def meta(self) -> BaseMeta:
        """Where it stands."""
        return self._meta

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None.

        Raises:
            BaseDamaged: the record does not match its checksum.
        """
        try:
            stored = self._reading.get(key)
        except lmdb.Error as error:
            raise _trouble(error) from error
        return None if stored is None else _opened(key, stored)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of keys, from `start` on and before `stop`."""
        return _records(self._reading, start, stop)

    def pin(self) -> "PinnedLmdbBase":
        """Return this base as it is now."""
        return PinnedLmdbBase(self._environment.begin(), self._meta)

    def merge(
        self, meta: BaseMeta, changes: Iterable[tuple[bytes, bytes | None]]
    ) -> Generator[bool, None, None]:
        """Apply changes and move to `meta`, durably, as one transaction; a step at a time.

        Yields whether the next step computes; the last one only waits for the disk.

        Raises:
            BaseFull: there is no room for them.
            lmdb.Error: it failed; what the disk holds is known again after a start.
        """
        try:
            yield from self._merge(meta, changes)
        except lmdb.Error as error:
            if _is_full(self._path, error):
                raise BaseFull(str(error)) from error
            raise

    def _merge(
        self, meta: BaseMeta, changes: Iterable[tuple[bytes, bytes | None]]
    ) -> Generator[bool, None, None]:
        remaining = iter(changes)
        with self._environment.begin(write=True) as transaction:
            while batch := list(islice(remaining, SLICE_RECORDS_MAX)):
                puts = [(key, _sealed(key, value)) for key, value in batch if value is not None]
                with transaction.cursor() as cursor:
                    cursor.putmulti(puts)
                for key, value in batch:
                    if value is None:
                        transaction.delete(key)
                yield True
            transaction.put(_META_KEY, _sealed(_META_KEY, msgspec.msgpack.encode(meta)))
            yield False

    def refresh(self) -> None:
        """Read from now on what has been merged."""
        self._reading.abort()
        self._reading = self._environment.begin()
        self._meta = self._read_meta()

    def move_to(self, path: Path) -> None:
        """Be the base in another directory from now on; whatever was pinned is gone."""
        self.close()
        self._move(path)

    def verify(self) -> None:
        """Look at every record: its checksum, its place in the order, and the way to it.

        Raises:
            BaseDamaged: one is not as it was written, or is missing.
        """
        with self._environment.begin() as transaction:
            count, previous = 0, b""
            for key, value in _records(transaction, b"", _RESERVED):
                if (previous and key <= previous) or transaction.get(key) != _sealed(key, value):
                    raise BaseDamaged(f"the record of key {key.hex()} is out of place")
                count += 1
                previous = key
            own = [transaction.get(key) for key in (_META_KEY, _STAMP_KEY)]
            count += len(own) - own.count(None)
            if count != transaction.stat()["entries"]:
                raise BaseDamaged(f"the base has lost records: {count} are left")

    def scrub(self, start: bytes, records_max: int) -> bytes:
        """Look at the checksums of some records from `start` on; return where to go on.

        That is b"" at the end. May be called in another thread than those that read.

        Raises:
            BaseDamaged: one does not match.
        """
        with self._environment.begin() as transaction:
            records = _records(transaction, start, _RESERVED)
            for _ in islice(records, records_max):
                pass
            return next(records, (b"", b""))[0]

    def close(self) -> None:
        """Let go of it."""
        self._reading.abort()
        self._environment.close()

    def _move(self, path: Path) -> None:
        self._path = path
        self._environment = environment = _open(path)
        try:
            self._check_stamp()
            # LMDB makes content durable, but not that the file is there; nor may whoever made
            # it have come so far.
            sync_directory(path)
            self._reading = environment.begin()
            self._meta = self._read_meta()
        except lmdb.Error as error:
            environment.close()
            raise _opening_trouble(path, error) from error
        except BaseException:
            environment.close()
            raise

    def _check_stamp(self) -> None:
        if self._environment.stat()["entries"] == 0:
            with self._environment.begin(write=True) as transaction:
                transaction.put(_STAMP_KEY, _sealed(_STAMP_KEY, self._stamp))
            return
        with self._environment.begin() as transaction:
            stored = transaction.get(_STAMP_KEY)
        if stored is None:
            raise BaseDamaged("the base does not say whose it is")
        if _opened(_STAMP_KEY, stored) != self._stamp:
            raise BaseForeign(f"{self._path} belongs to another node")

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
        return _records(self._transaction, start, _RESERVED)

    def close(self) -> None:
        """Let it go."""
        self._transaction.abort()


def _open(path: Path) -> lmdb.Environment:
    _check_length(path / _FILE)
    _allocate_lock(path / _LOCK_FILE)
    try:
        return lmdb.open(str(path), map_size=BASE_BYTES_MAX, mode=PRIVATE_FILE, max_dbs=0)
    except lmdb.Error as error:
        raise _opening_trouble(path, error) from error


def _allocate_lock(file: Path) -> None:
    """Give LMDB's table of readers its blocks.

    LMDB makes it a sparse file and maps that: on a full disk, writing to it would be fatal.

    Raises:
        OSError: there is no room for it.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        os.posix_fallocate(descriptor, 0, _LOCK_BYTES)
    finally:
        os.close(descriptor)


def _records(
    transaction: lmdb.Transaction, start: bytes, stop: bytes
) -> Iterator[tuple[bytes, bytes]]:
    try:
        with transaction.cursor() as cursor:
            # An empty key can't be looked for; all keys are behind it.
            if not (cursor.set_range(start) if start else cursor.first()):
                return
            for key, stored in cursor.iternext():
                assert isinstance(key, bytes)
                if key >= stop:
                    return
                yield key, _opened(key, stored)
    except lmdb.Error as error:
        raise _trouble(error) from error


def _trouble(error: lmdb.Error) -> InvariantBroken:
    """Return what an error of LMDB means: a base that is only in the way of something is whole."""
    kind = BaseDamaged if isinstance(error, _DAMAGE) else BaseUnusable
    return kind(f"the base cannot be read: {error}")


def _opening_trouble(path: Path, error: lmdb.Error) -> Exception:
    """Return what an error means while a base is opened or made: room may be all it lacks."""
    trouble = _trouble(error)
    if not isinstance(trouble, BaseDamaged) and _is_full(path, error):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return trouble


def _is_full(path: Path, error: lmdb.Error) -> bool:
    # A reason that has no class of its own is only told in words, at the end.
    text = str(error)
    if isinstance(error, _NO_ROOM) or text.endswith(_NO_ROOM_TEXTS):
        return True
    return text.endswith(_CUT_SHORT_TEXT) and shutil.disk_usage(path).free < FULL_BYTES_MAX


def _sealed(key: bytes, value: bytes) -> bytes:
    checksum = zlib.crc32(value, zlib.crc32(key))
    return value + checksum.to_bytes(_CHECKSUM_BYTES, "big")


def _opened(key: bytes, stored: bytes | memoryview) -> bytes:
    # Without buffers LMDB hands out bytes; its types allow for both.
    assert isinstance(stored, bytes)
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
        page_bytes = _PAGE_BYTES
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
