"""How messages between members lie in a stream: version, length, message.

Owns the frame. Must not know what a message says, nor who sent it.
"""

import struct
from typing import Final

import msgspec

from core.node.messages import Message, decode_message

FRAME_VERSION: Final = 1
FRAME_BYTES_MAX: Final = 8 << 20
"""The longest message; an append carries at most one entry beyond its own limit."""

_HEADER: Final = struct.Struct("!BI")


class Malformed(Exception):
    """What came is no message."""


def framed(message: bytes) -> bytes:
    """Return an encoded message in its frame."""
    return _HEADER.pack(FRAME_VERSION, len(message)) + message


class FrameReader:
    """Takes a stream apart; keeps at most one unfinished frame."""

    __slots__ = ("_received",)

    def __init__(self) -> None:
        self._received = bytearray()

    def take(self, data: bytes) -> list[Message]:
        """Return the messages that are complete with these bytes.

        Raises:
            Malformed: they are none; the rest of the stream means nothing.
        """
        received = self._received
        received += data
        messages: list[Message] = []
        start = 0
        with memoryview(received) as view:
            while len(view) - start >= _HEADER.size:
                version, size = _HEADER.unpack_from(view, start)
                if version != FRAME_VERSION or size > FRAME_BYTES_MAX:
                    raise Malformed(f"a frame of version {version} with {size} bytes")
                begin = start + _HEADER.size
                if begin + size > len(view):
                    break
                start = begin + size
                messages.append(_decoded(bytes(view[begin:start])))
        del received[:start]
        return messages


def _decoded(encoded: bytes) -> Message:
    try:
        return decode_message(encoded)
    except msgspec.MsgspecError as error:
        raise Malformed(str(error)) from None
