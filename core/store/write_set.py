"""The form in which a log entry carries its writes."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from core.check import check

FORMAT: Final = 1

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, list[tuple[bytes, bytes | None]]]).decode


def encode(writes: Mapping[bytes, bytes | None]) -> bytes:
    """Return the bytes of a write set: keys with new values, or None where one is deleted."""
    return _encode((FORMAT, list(writes.items())))


def decode(data: bytes) -> Sequence[tuple[bytes, bytes | None]]:
    """Return the writes that `data` encodes, in the order in which they were made."""
    version, writes = _decode(data)
    check(version == FORMAT, "a write set of an unknown format")
    return writes
