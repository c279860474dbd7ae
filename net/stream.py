"""Sockets that never block, seen from below and from above.

`Transport` is one connected socket, with or without TLS, that is asked for what it can do right
now. `TransportStream` makes a trio stream of one, for whoever wants to wait: Hypercorn and the
peer transport. Neither knows what the bytes mean.
"""

import contextlib
import socket
from typing import Final, Protocol

import trio

RECEIVE_BYTES_MAX: Final = 16 << 10
"""One read; a whole TLS record, so that TLS never holds back what the kernel has handed out."""


class HandshakeError(Exception):
    """The two sides did not come together."""


class NoTlsError(HandshakeError):
    """The other side does not speak TLS at all."""


class Transport(Protocol):
    """A connected socket that is asked for what it can do without waiting."""

    socket: socket.socket
    wants_write: bool
    """Set when a handshake or a read has to wait until the socket takes bytes."""

    @property
    def protocol(self) -> str:
        """The application protocol that both sides agreed upon, or nothing."""
        ...

    def handshake(self) -> bool:
        """Go on with the handshake and tell whether it is complete; comes before all else.

        Raises:
            HandshakeError: it failed; the message says why.
        """
        ...

    def receive(self) -> bytes | None:
        """Return what has arrived, b"" at the end or after a failure, None if nothing has."""
        ...

    def send(self, data: bytes | memoryview) -> int:
        """Take bytes and return how many.

        A caller that goes on later has to begin with exactly the bytes that were not taken.

        Raises:
            OSError: the connection is gone.
        """
        ...

    def finish(self) -> None:
        """Tell the other side that nothing more comes; only `discard` and `close` may follow."""
        ...

    def close(self) -> None:
        """End the connection; a second time does nothing."""
        ...


class PlainTransport:
    """A transport without TLS."""

    __slots__ = ("socket", "wants_write")

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        self.socket = connected
        self.wants_write = False

    @property
    def protocol(self) -> str:
        """See `Transport.protocol`; there is none."""
        return ""

    def handshake(self) -> bool:
        """See `Transport.handshake`; there is none."""
        return True

    def receive(self) -> bytes | None:
        """See `Transport.receive`."""
        try:
            return self.socket.recv(RECEIVE_BYTES_MAX)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def send(self, data: bytes | memoryview) -> int:
        """See `Transport.send`."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def finish(self) -> None:
        """See `Transport.finish`."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """See `Transport.close`."""
        self.socket.close()


def discard(connected: socket.socket) -> int | None:
    """Throw away what has arrived; return its size, 0 at the end, None if nothing has."""
    try:
        return len(connected.recv(RECEIVE_BYTES_MAX))
    except BlockingIOError:
        return None
    except OSError:
        return 0


class TransportStream(trio.abc.Stream):
    """A transport as a trio stream."""

    def __init__(
        self, transport: Transport, *, received: bytes = b"", write_s: float = 0.0
    ) -> None:
        """Wrap a transport.

        Args:
            transport: the connection; it is owned from now on.
            received: what was already read from it, to be received first.
            write_s: how long the other side may take over one `send_all`; 0 means for ever.
        """
        self.transport = transport
        self.socket = transport.socket
        self._received = received
        self._write_s = write_s or float("inf")

    async def handshake(self) -> None:
        """Shake hands; comes before all else, unless it is done already.

        Raises:
            HandshakeError: it failed.
            trio.ClosedResourceError: this side has closed the stream.
        """
        await trio.lowlevel.checkpoint()
        while not self.transport.handshake():
            await self._wait(writable=self.transport.wants_write)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return at most `max_bytes` that have arrived; b"" at the end.

        Raises:
            trio.ClosedResourceError: this side has closed the stream.
        """
        limit = max_bytes or RECEIVE_BYTES_MAX
        if self._received:
            await trio.lowlevel.checkpoint()
        while not self._received:
            await self._wait(writable=self.transport.wants_write)
            data = self.transport.receive()
            if data == b"":
                return b""
            self._received = data or b""
        data, self._received = self._received[:limit], self._received[limit:]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it.

        Raises:
            trio.BrokenResourceError: the connection is gone, or took too long.
            trio.ClosedResourceError: this side has closed the stream.
        """
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        with trio.move_on_after(self._write_s):
            while True:
                rest = rest[self._send(rest) :]
                if not rest:
                    return
                await self._wait(writable=True)
        raise trio.BrokenResourceError("the other side took nothing for too long")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until at least some bytes can be sent."""
        await self._wait(writable=True)

    async def aclose(self) -> None:
        """Close it; whoever waits in it gets `trio.ClosedResourceError`."""
        self.abort()
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """Close it without a checkpoint."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.transport.close()

    def _send(self, data: memoryview) -> int:
        if self.socket.fileno() < 0:
            raise trio.ClosedResourceError
        try:
            return self.transport.send(data)
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error

    async def _wait(self, *, writable: bool) -> None:
        if self.socket.fileno() < 0:
            raise trio.ClosedResourceError
        if writable:
            await trio.lowlevel.wait_writable(self.socket)
        else:
            await trio.lowlevel.wait_readable(self.socket)
