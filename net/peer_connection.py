"""One connection between two members, used both ways.

Owns what waits to be sent, and the two tasks of a connection. Must not know who made it, nor what
the bytes mean. A message may get lost with its connection; none is ever sent twice.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import trio
from cryptography.x509.oid import NameOID

from net.peer_frames import framed
from net.stream import TransportStream
from net.tls import TlsTransport

QUEUE_BYTES_MAX: Final = 32 << 20
"""What waits for one peer; beyond it the oldest messages are dropped."""
PARTING_S: Final = 1.0
"""How long a connection that is to end may take to send what is queued, and the other side to read
it; to close at once with data unread would take back what was sent."""
TURN_BYTES_MAX: Final = 256 << 10
"""What is read of a connection for one turn."""

Take = Callable[[bytes], bool]
"""Takes what has arrived together; False ends the connection."""


class SendQueue:
    """Messages that wait for one peer.

    Attributes:
        dropped: messages that had to make room for later ones.
    """

    __slots__ = ("_bytes", "_filled", "_frames", "dropped")

    def __init__(self) -> None:
        self.dropped = 0
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._filled = trio.Event()

    def put(self, message: bytes) -> None:
        """Queue an encoded message."""
        frame = framed(message)
        frames = self._frames
        frames.append(frame)
        self._bytes += len(frame)
        while self._bytes > QUEUE_BYTES_MAX and len(frames) > 1:
            self._bytes -= len(frames.popleft())
            self.dropped += 1
        self._filled.set()

    async def filled(self) -> None:
        """Wait until there is something to send."""
        await self._filled.wait()

    def take(self) -> bytes:
        """Return all that waits, and forget it."""
        data = b"".join(self._frames)
        self._frames.clear()
        self._bytes = 0
        self._filled = trio.Event()
        return data


async def exchange(stream: TransportStream, queue: SendQueue, take: Take) -> None:
    """Send what is queued and hand over what arrives, until one side ends; then close."""
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send, stream, queue, nursery.cancel_scope)
            nursery.start_soon(_receive, stream, take, nursery.cancel_scope)
    finally:
        stream.abort()


async def _send(stream: TransportStream, queue: SendQueue, both: trio.CancelScope) -> None:
    try:
        while True:
            await queue.filled()
            await stream.send_all(queue.take())
    except trio.BrokenResourceError:
        both.cancel()


async def _receive(stream: TransportStream, take: Take, both: trio.CancelScope) -> None:
    transport = stream.transport
    while True:
        await trio.lowlevel.wait_readable(stream.socket)
        data = received = transport.receive()
        chunks: list[bytes] = []
        size = 0
        while received:
            chunks.append(received)
            size += len(received)
            received = transport.receive() if size < TURN_BYTES_MAX else None
        # TLS that has to write before it can read on would collide with the sending task; that is
        # a renewal of keys, which no member asks for.
        if data == b"" or transport.wants_write or (chunks and not take(b"".join(chunks))):
            both.cancel()
            return


def name_of(transport: TlsTransport) -> str:
    """Return the node id that a peer has proved."""
    certificate = transport.peer_certificate
    if certificate is None:
        return ""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
