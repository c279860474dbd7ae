"""The wide lane: connections that Hypercorn serves, with the bytes already read.

It owns the way to Hypercorn's machinery for one connection, and its configuration. It must not
know why a connection comes here, nor what the ASGI application does.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext

from net.http.settings import HEAD_BYTES_MAX, ListenerSettings
from net.http.statistics import Statistics
from net.http.wide import AsgiApp
from net.stream import Transport, TransportStream
from net.tls import TlsTransport

if TYPE_CHECKING:
    # It comes with Hypercorn, whose matter it is.
    import h11

_log = structlog.get_logger("holdfast.http")

STREAMS_MAX: Final = 100
"""Requests under way in one HTTP/2 connection."""


class _EncryptedStream(TransportStream):
    """What `TCPServer` asks of a `trio.SSLStream`; it takes any other stream for a plain one."""

    async def do_handshake(self) -> None:
        """Shake hands, which does nothing if the lane has."""
        await self.handshake()

    def selected_alpn_protocol(self) -> str:
        """Return the protocol that was agreed upon."""
        return self.transport.protocol

    @property
    def transport_stream(self) -> TransportStream:
        """Where the socket is to be found."""
        return self


class _Server(TCPServer):
    """Hypercorn's server of one connection; ends when the client does.

    Left alone, its timer for idle connections runs on after the client has gone, and an answer
    over HTTP/2 waits for ever for room that nobody makes: the connection would never be over.

    Left alone, it also lets a request turn the connection into one of HTTP/2 (`Upgrade: h2c`, which
    RFC 9113 has dropped). A proxy that passes such a request on would see none of those that
    follow, and whatever it forbids could be asked for.

    Attributes:
        scope: all that is done for this connection.
    """

    scope: trio.CancelScope

    async def _read_data(self) -> None:
        protocol = self.protocol.protocol
        if isinstance(protocol, H11Protocol):
            _ignore_upgrades(protocol)
        await super()._read_data()
        self.scope.cancel()


def _ignore_upgrades(protocol: H11Protocol) -> None:
    """Let only a client that begins with HTTP/2 speak it; others stay with what they began."""
    check = protocol._check_protocol  # noqa: SLF001 -- Hypercorn has no setting for this

    async def check_preface(event: "h11.Request") -> None:
        if event.method == b"PRI":
            await check(event)

    protocol._check_protocol = check_preface  # type: ignore[method-assign]  # noqa: SLF001 -- as above


class Handover:
    """All connections of one listener that have left the thin lane."""

    def __init__(self, app: AsgiApp, settings: ListenerSettings, statistics: Statistics) -> None:
        timeouts = settings.timeouts
        self._app = ASGIWrapper(app)
        self._write_s = timeouts.write_s
        # One timer of Hypercorn's runs from an answer to the end of the next head. In HTTP/1.1
        # it has to catch slow heads; HTTP/2 connections are meant to lie idle.
        self._one = _config(timeouts.read_header_s)
        self._two = _config(timeouts.idle_s)
        self._statistics = statistics
        self._context = WorkerContext(None)
        self._streams: set[TransportStream] = set()
        self._emptied = trio.Event()

    def __len__(self) -> int:
        return len(self._streams)

    async def serve(self, transport: Transport, received: bytes) -> None:
        """Serve a connection to its end, beginning with what was received from it."""
        kind = _EncryptedStream if isinstance(transport, TlsTransport) else TransportStream
        config = self._two if transport.protocol == "h2" else self._one
        stream = kind(transport, received=received, write_s=self._write_s)
        self._streams.add(stream)
        server = _Server(
            self._app,
            config,
            self._context,
            {},
            cast("trio.SSLStream[trio.SocketStream]", stream),
        )
        try:
            with trio.CancelScope() as server.scope:
                await server.run()
        except* Exception as faults:  # noqa: BLE001 -- one of Hypercorn's ends this connection only
            self._statistics.handovers_failed += 1
            _log.error("a fault has ended a connection", kinds=sorted(set(_kinds(faults))))
        finally:
            stream.abort()
            self._streams.remove(stream)
            if not self._streams:
                self._emptied.set()
                self._emptied = trio.Event()

    def retire(self) -> None:
        """End each connection of HTTP/1.1 with its next answer, which says so."""
        self._one.keep_alive_max_requests = 0

    async def drain(self) -> None:
        """End each connection as soon as it has no request under way, and wait for the last."""
        await self._context.terminated.set()
        if self._streams:
            await self._emptied.wait()

    def close(self) -> None:
        """End all connections at once, even in the middle of a send that Hypercorn shields."""
        for stream in self._streams:
            stream.abort()


def _kinds(faults: BaseExceptionGroup[Exception]) -> Iterator[str]:
    """Yield what faults are, but not their texts, which may quote what a client has sent."""
    for fault in faults.exceptions:
        if isinstance(fault, BaseExceptionGroup):
            yield from _kinds(fault)
        else:
            yield type(fault).__name__


def _config(keep_alive_s: float) -> Config:
    config = Config()
    config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = keep_alive_s
    # Over HTTP/2 Hypercorn never sends the answer of the request that exceeds this.
    config.keep_alive_max_requests = sys.maxsize
    config.h11_max_incomplete_size = HEAD_BYTES_MAX
    config.h2_max_header_list_size = HEAD_BYTES_MAX
    config.h2_max_concurrent_streams = STREAMS_MAX
    return config
