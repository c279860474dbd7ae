"""Named records of the system, such as its mounts: one sealed record for each name.

Owns the form of such a record and the search among nested names. Must not know what a record
says. A name is a path, one sealed segment for each of its own, so that all that is below a name
lies together and one seek finds it.

Layout of a record before it is sealed: version (1 byte) || MessagePack.
"""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

import msgspec

from core.barrier.barrier import Barrier
from core.barrier.names import PATH_KEY_MAX, PathTooLong
from core.barrier.record import RecordDamaged
from core.store.keys import successor
from core.store.reader import Reader, Writer

_VERSION: Final = b"\x01"

_Record = TypeVar("_Record", bound=msgspec.Struct)

_encode: Final = msgspec.msgpack.Encoder().encode


class Catalog(Generic[_Record]):
    """The records of one kind.

    Attributes:
        prefix: the sealed prefix of their keys.
    """

    __slots__ = ("_barrier", "_decode", "prefix")

    def __init__(self, barrier: Barrier, prefix: bytes, kind: type[_Record]) -> None:
        self._barrier = barrier
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self.prefix = prefix

    def key(self, name: str) -> bytes:
        """Return the key of the record `name`.

        Raises:
            PathTooLong: no record can have this name.
        """
        return self._barrier.names.path(self.prefix, name)

    def get(self, reader: Reader, name: str) -> _Record | None:
        """Return the record `name`, or None."""
        try:
            key = self.key(name)
        except PathTooLong:
            return None
        sealed = reader.get(key)
        return None if sealed is None else self.open(key, sealed)

    def put(self, writer: Writer, name: str, record: _Record) -> None:
        """Set the record `name`.

        Raises:
            PathTooLong: no record can have this name.
        """
        key = self.key(name)
        writer.put(key, self._barrier.seal(key, _VERSION + _encode(record)))

    def delete(self, writer: Writer, name: str) -> None:
        """Remove the record `name`, which is there."""
        writer.delete(self.key(name))

    def open(self, key: bytes, sealed: bytes) -> _Record:
        """Return the record that is stored at `key`.

        Raises:
            RecordDamaged: it was not sealed there, or this version of Holdfast does not know it.
        """
        plaintext = self._barrier.open(key, sealed)
        if not plaintext.startswith(_VERSION):
            raise RecordDamaged("a record of the system has a version that is not known here")
        try:
            return self._decode(plaintext[len(_VERSION) :])
        except msgspec.MsgspecError as error:
            raise RecordDamaged(f"a record of the system cannot be read: {error}") from None

    def records(self, reader: Reader) -> Iterator[_Record]:
        """Yield all records, in stored order."""
        return self._below(reader, self.prefix)

    def nearest(self, reader: Reader, path: str) -> _Record | None:
        """Return the record whose name is `path` or the shortest part of its way, or None.

        Anybody may ask for any path, so this leaves no trace in the cache of names, and looks up
        single keys, no more than there are segments in `PATH_KEY_MAX`: an iterator would have the
        memtable sorted.
        """
        key = self.prefix
        for segment in path.split("/"):
            try:
                key += self._barrier.names.seal_segment(key, segment)
            except PathTooLong:
                return None
            if len(key) > PATH_KEY_MAX:
                return None
            sealed = reader.get(key)
            if sealed is not None:
                return self.open(key, sealed)
        return None

    def below(self, reader: Reader, name: str) -> Iterator[_Record]:
        """Yield the records at `name` and below it, in stored order.

        Raises:
            PathTooLong: no record can have this name.
        """
        return self._below(reader, self.key(name))

    def _below(self, reader: Reader, prefix: bytes) -> Iterator[_Record]:
        for key, sealed in reader.iterate(prefix, successor(prefix)):
            yield self.open(key, sealed)
