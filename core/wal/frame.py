"""One batch of the log as bytes: a frame.

Owns the layout of a frame, its digest and its payload. Must not know where the log ends, what a
torn tail is, or which frame comes next.

A frame is a header of 64 bytes and a payload in MessagePack, padded with zeroes to a multiple
of 8 bytes. All numbers are little-endian:

    digest 16 | magic 4 | version 1 | zero 3 | payload length 4 | offset 4
    segment 8 | sequence 8 | digest of the frame before it 16 | payload

The digest is SHA-256 cut to 128 bits, over all that stands behind it, padding included. It
covers the place of the frame as well: bytes that were written elsewhere, or that an entry
carries, do not pass for a frame.
"""

import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from core.raft.entry import NODE_BYTES_MAX, Entry, HardState

VERSION: Final = 1
"""Of the format. The header is the same in all versions, so that an old one can tell a new one."""

HEADER_BYTES: Final = 64
DIGEST_BYTES: Final = 16
ALIGNMENT_BYTES: Final = 8

STAMP_BYTES_MAX: Final = 64

ENTRY_OVERHEAD_BYTES_MAX: Final = 1 + 4 * 9 + 5
"""What an entry takes besides its data: an array of four integers and a byte string."""

FRAME_OVERHEAD_BYTES_MAX: Final = (
    HEADER_BYTES
    + (1 + 5)  # the payload, and its array of entries
    + (1 + 9 + 2 + NODE_BYTES_MAX)  # the hard state
    + (1 + 2 + STAMP_BYTES_MAX + 9)  # the opening
    + (ALIGNMENT_BYTES - 1)
)
"""What a frame takes besides its entries."""

_MAGIC: Final = b"HFwl"
_MAGIC_AT: Final = DIGEST_BYTES
_HEADER: Final = struct.Struct("<4sB3xIIQQ16s")
"""The header behind its digest."""
_PADDING: Final = tuple(bytes(count) for count in range(ALIGNMENT_BYTES))


class Opening(msgspec.Struct, frozen=True, array_like=True):
    """What the first frame of a segment says besides its batch.

    Attributes:
        stamp: whose log this is.
        segment_bytes: the length of the segment as it was prepared.
    """

    stamp: bytes
    segment_bytes: int


class Payload(msgspec.Struct, frozen=True, array_like=True):
    """What a frame carries.

    Attributes:
        hard_state: given if it has changed, and with every opening.
        entries: consecutive ones; they replace all that the log held from the first of them on.
        opening: given in the first frame of a segment, and in no other.
    """

    hard_state: HardState | None
    entries: Sequence[Entry]
    opening: Opening | None = None


class Frame(msgspec.Struct, frozen=True):
    """A frame whose digest holds.

    Attributes:
        digest: its own.
        version: the format it was written in.
        sequence: the number of its batch.
        previous: the digest of the frame before it; of zeroes if it is the first of all.
        payload: for `decode_payload`; a view of the segment.
        stop: the offset behind it.
    """

    digest: bytes
    version: int
    sequence: int
    previous: bytes
    payload: memoryview
    stop: int


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Payload)


def encode_payload(payload: Payload) -> bytes:
    """Return the bytes of `payload`, unpadded."""
    return _encoder.encode(payload)


def decode_payload(payload: memoryview) -> Payload:
    """Return what a frame of this version carries.

    Raises:
        msgspec.DecodeError: it carries no such thing.
    """
    return _decoder.decode(payload)


def frame_bytes(payload: bytes) -> int:
    """Return how long the frame of `payload` is."""
    return HEADER_BYTES + len(payload) + -len(payload) % ALIGNMENT_BYTES


def encode_frame(
    payload: bytes, *, number: int, offset: int, sequence: int, previous: bytes
) -> bytes:
    """Return the frame of `payload` for that place; it starts with its digest."""
    header = _HEADER.pack(_MAGIC, VERSION, len(payload), offset, number, sequence, previous)
    padding = _PADDING[-len(payload) % ALIGNMENT_BYTES]
    state = sha256(header)
    state.update(payload)
    state.update(padding)
    return b"".join((state.digest()[:DIGEST_BYTES], header, payload, padding))


def decode_frame(segment: memoryview, *, number: int, offset: int) -> Frame | None:
    """Return the frame at `offset` of segment `number`, or None if there is no valid one."""
    start = offset + HEADER_BYTES
    if start > len(segment):
        return None
    fields = _HEADER.unpack_from(segment, offset + DIGEST_BYTES)
    magic, version, length, own_offset, own_number, sequence, previous = fields
    stop = start + length + -length % ALIGNMENT_BYTES
    if magic != _MAGIC or own_offset != offset or own_number != number or stop > len(segment):
        return None
    digest = bytes(segment[offset : offset + DIGEST_BYTES])
    if sha256(segment[offset + DIGEST_BYTES : stop]).digest()[:DIGEST_BYTES] != digest:
        return None
    return Frame(digest, version, sequence, previous, segment[start : start + length], stop)


def find_frame(segment: bytes, *, number: int, start: int) -> int | None:
    """Return the offset of the first valid frame from `start` on, or None."""
    view = memoryview(segment)
    magic_at = segment.find(_MAGIC, start + _MAGIC_AT)
    while magic_at >= 0:
        offset = magic_at - _MAGIC_AT
        if decode_frame(view, number=number, offset=offset) is not None:
            return offset
        magic_at = segment.find(_MAGIC, magic_at + 1)
    return None
