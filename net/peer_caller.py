"""Calls one other member, and calls again when a connection has ended.

Owns when to call, and what is queued while there is no connection. Must not know what is said.
"""

import socket
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from core.entropy import Entropy, random_below
from net.peer_connection import PARTING_S, SendQueue, Take, exchange, name_of
from net.stream import HandshakeError, TransportStream
from net.tls import PeerTls

HANDSHAKE_S_MAX: Final = 2.0
SILENCE_MS_MAX: Final = 3_000
"""How long the other side may leave data unacknowledged, whatever the kernel would rather do: its
pauses between two attempts soon grow longer than a network is down."""
BACKOFF_MS_MIN: Final = 50
BACKOFF_MS_MAX: Final = 1_000

_MILLISECONDS_PER_SECOND: Final = 1_000
_log = structlog.get_logger("holdfast.peers")


class Caller:
    """Calls one peer once there is something to send.

    Attributes:
        address: where it listens.
        queue: what waits for it.
    """

    def __init__(self, node: str, address: str, entropy: Entropy) -> None:
        self.address = address
        self.queue = SendQueue()
        self._node = node
        self._entropy = entropy
        self._scope = trio.CancelScope()

    def cancel(self) -> None:
        """End `run`, and the connection with it."""
        self._scope.cancel()

    def part(self) -> None:
        """End `run` once what is queued has had its time to leave."""
        self._scope.deadline = trio.current_time() + PARTING_S

    async def run(self, tls: Callable[[], Awaitable[PeerTls]], take: Callable[[], Take]) -> None:
        """Keep a connection from when there is something to send; call again if it ends.

        Args:
            tls: waits until this node has credentials, and returns them.
            take: returns who takes what arrives on the next connection.
        """
        backoff_ms = BACKOFF_MS_MIN
        with self._scope:
            while True:
                await self.queue.filled()
                began_s = trio.current_time()
                stream = await self._connect(await tls())
                if stream is not None:
                    await exchange(stream, self.queue, take())
                    lasted_ms = (trio.current_time() - began_s) * _MILLISECONDS_PER_SECOND
                    if lasted_ms > BACKOFF_MS_MAX:
                        backoff_ms = BACKOFF_MS_MIN
                # By the time that the peer answers again this is out of date.
                self.queue.take()
                pause_ms = backoff_ms // 2 + random_below(self._entropy, backoff_ms // 2)
                await trio.sleep(pause_ms / _MILLISECONDS_PER_SECOND)
                backoff_ms = min(2 * backoff_ms, BACKOFF_MS_MAX)

    async def _connect(self, tls: PeerTls) -> TransportStream | None:
        host, _, port = self.address.rpartition(":")
        try:
            with trio.fail_after(HANDSHAKE_S_MAX):
                connected = await trio.open_tcp_stream(host.strip("[]"), int(port))
                transport = tls.connect(_detached(connected.socket))
                stream = TransportStream(transport)
                try:
                    await stream.handshake()
                except BaseException:
                    stream.abort()
                    raise
        except (OSError, ValueError, HandshakeError, trio.TooSlowError) as error:
            _log.debug("a peer does not answer", node=self._node, reason=str(error))
            return None
        if name_of(transport) != self._node:
            _log.warning("another node answers at a peer's address", address=self.address)
            stream.abort()
            return None
        return stream


def _detached(connected: trio.socket.SocketType) -> socket.socket:
    """Return trio's socket as a plain one, for messages that must not wait."""
    plain = socket.socket(fileno=connected.detach())
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS_MAX)
    return plain
