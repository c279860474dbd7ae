"""A listener: one TCP address, served by both lanes.

It owns the listening socket, the limit on connections and the order of a shutdown. It must not
know what is served.
"""

import errno
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
import trio

from net import descriptors
from net.http.application import Application, Supervised
from net.http.connection import Connection
from net.http.lane import Lane
from net.http.requests import Client
from net.http.settings import ListenerSettings
from net.http.statistics import Statistics
from net.http.wide import AsgiApp, WideLane
from net.stream import PlainTransport
from net.tls import ServerTls

BACKLOG: Final = 1024
ACCEPT_BURST_MAX: Final = 64
SWEEP_INTERVAL_S: Final = 1.0
ACCEPT_PAUSE_S: Final = 0.1
# All else that accept(2) reports is a lack of descriptors or memory, which may pass, or the
# fault of a connection that failed before it could be taken.
_NO_LISTENER: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})

# A client that has vanished is noticed after 15 + 9 * 15 s, as with Go's defaults.
_KEEP_ALIVE_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 9),
)
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_log = structlog.get_logger("holdfast.http")


class CannotListenError(Exception):
    """The address can't be listened on; the message says which and why."""


class Listener:
    """Listens as soon as it is made, serves in `serve`, ends by `drain`.

    Attributes:
        host: the address that it listens on.
        port: the port; the one that the system chose if it was asked for 0.
        statistics: what it has counted.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        application: Application,
        build_app: Callable[[Application], AsgiApp],
        settings: ListenerSettings,
        tls: ServerTls | None = None,
    ) -> None:
        """Listen.

        Args:
            host: a name or an address; of a name's addresses the first IPv4 one is taken.
            port: the TCP port, or 0 for a free one.
            application: who answers.
            build_app: makes the ASGI application that Hypercorn serves of who answers; called when
                the first connection needs it.
            settings: limits and timeouts.
            tls: the TLS side; None for plain TCP.

        Raises:
            CannotListenError: the port is in use, or the address is not ours.
        """
        self._socket = _listen(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        self.statistics = Statistics()
        self._settings = settings
        self._descriptors_end = descriptors.for_clients()
        self._tls = tls
        self._supervised = Supervised(application)
        build = partial(build_app, self._supervised)
        self._wide = WideLane(build, settings, self.statistics)
        self._lane = Lane(application, settings, self.statistics, self._hand_over)
        self._accepting = trio.CancelScope()
        self._drained = trio.Event()
        self._nursery: trio.Nursery | None = None

    async def serve(self) -> None:
        """Serve until `drain` has ended; a fault of the application ends it by raising."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._accept)
                nursery.start_soon(self._lane.run)
                nursery.start_soon(self._sweep)
                nursery.start_soon(self._supervised.watch)
                try:
                    await self._drained.wait()
                finally:
                    self._wide.close()
                    nursery.cancel_scope.cancel()
        finally:
            self.close()

    def retire(self) -> None:
        """Announce the end: from now on each answer is the last of its connection.

        New connections are still taken. One of HTTP/2 is told by GOAWAY as soon as it is idle.
        """
        self._lane.retire()
        self._wide.retire()

    async def drain(self, grace_s: float) -> None:
        """Take no more connections, finish the requests under way, close.

        Args:
            grace_s: how long the requests under way may take; then they are cut off.
        """
        self.retire()
        self._accepting.cancel()
        with trio.move_on_after(grace_s):
            await self._drain_both()
        self._drained.set()

    async def _drain_both(self) -> None:
        """Wait until both lanes are empty at once: until then each may hand over to the other."""
        while True:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._lane.drain)
                nursery.start_soon(self._wide.drain)
            # Who has just been handed over is counted from the next turn of the loop on.
            await trio.lowlevel.checkpoint()
            if not len(self._lane) + len(self._wide):
                return

    def close(self) -> None:
        """Stop listening and end all connections of the thin lane at once."""
        self._socket.close()
        self._lane.close()

    async def _accept(self) -> None:
        with self._accepting:
            while True:
                await trio.lowlevel.wait_readable(self._socket)
                if not self._accept_burst():
                    await trio.sleep(ACCEPT_PAUSE_S)
        # Those that wait already would be reset together with the socket.
        self._accept_burst()
        self._socket.close()

    def _accept_burst(self) -> bool:
        """Take connections that wait; return False if it is better to pause."""
        for _ in range(ACCEPT_BURST_MAX):
            try:
                connected, address = self._socket.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _NO_LISTENER:
                    raise
                self.statistics.not_accepted += 1
                return False
            self._admit(connected, address[0], address[1])
        return True

    def _admit(self, connected: socket.socket, address: str, port: int) -> None:
        too_many = len(self._lane) + len(self._wide) >= self._settings.connections_max
        if too_many or connected.fileno() >= self._descriptors_end:
            self.statistics.refused += 1
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            connected.close()
            return
        self.statistics.accepted += 1
        transport = self._tls.accept(connected) if self._tls else PlainTransport(connected)
        self._lane.admit(transport, Client(address, port))

    def _hand_over(self, connection: Connection, received: bytes) -> None:
        assert self._nursery is not None
        self.statistics.handed_over += 1
        self._nursery.start_soon(self._serve_wide, connection, received)

    async def _serve_wide(self, connection: Connection, received: bytes) -> None:
        rest = await self._wide.serve(connection.transport, received, connection.client)
        self._lane.take_back(connection, rest)

    async def _sweep(self) -> None:
        told = (0, 0)
        while True:
            await trio.sleep(SWEEP_INTERVAL_S)
            self._lane.sweep(time.monotonic())
            refused, not_accepted = self.statistics.refused, self.statistics.not_accepted
            if (refused, not_accepted) != told:
                told = (refused, not_accepted)
                place = f"{self.host}:{self.port}"
                _log.warning(
                    "clients are turned away",
                    address=place,
                    refused=refused,
                    not_accepted=not_accepted,
                )


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.settimeout(0)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Accepted sockets inherit these on Linux, which saves setting them each time.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for option in _KEEP_ALIVE_OPTIONS:
                listening.setsockopt(*option)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening
