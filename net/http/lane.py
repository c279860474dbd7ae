"""The thin lane: all connections of one listener, served by one task.

It owns readiness: one epoll set that trio watches as a whole. Handing each connection to a task
of its own costs about 6 us more for each request than a request may cost here at all; and what
arrives together is asked together, so that the application can settle it in one turn. It knows
neither HTTP (`net.http.connection`) nor Hypercorn (`net.http.handover`).
"""

import select
from collections.abc import Callable
from typing import Final

import trio

from net.http.application import Application
from net.http.connection import WATCH_READ, Awaits, Connection
from net.http.requests import Client
from net.http.responses import Renderer
from net.http.settings import ListenerSettings
from net.http.statistics import Statistics
from net.stream import Transport

TURN_EVENTS_MAX: Final = 64
"""Connections served before other tasks run; about 3 ms at 50 us for each."""
LINGER_S: Final = 0.2
"""How long a drain waits for the next request of a client, to tell it that it is the last one: a
request that meets the end of its connection leaves a client in doubt."""

_IDLE: Final = frozenset({Awaits.HANDSHAKE, Awaits.HEAD, Awaits.REQUEST, Awaits.END})

HandOver = Callable[[Connection, bytes], None]


class Lane:
    """The keeper of connections (`net.http.connection.Keeper`)."""

    def __init__(
        self,
        application: Application,
        settings: ListenerSettings,
        statistics: Statistics,
        hand_over: HandOver,
    ) -> None:
        self.application = application
        self.settings = settings
        self.statistics = statistics
        self.renderer = Renderer()
        self.retiring = False
        self.hand_over = hand_over
        self._connections: dict[int, Connection] = {}
        self._epoll = select.epoll()
        self._emptied = trio.Event()

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, transport: Transport, client: Client) -> None:
        """Begin to serve a connection."""
        descriptor = transport.socket.fileno()
        self._connections[descriptor] = Connection(self, transport, client)
        self._epoll.register(descriptor, WATCH_READ)

    def take_back(self, connection: Connection, received: bytes | None) -> None:
        """Go on with a connection that was handed over; see `Connection.resume`."""
        descriptor = connection.transport.socket.fileno()
        if descriptor >= 0:
            self._connections[descriptor] = connection
            self._epoll.register(descriptor, WATCH_READ)
            connection.resume(received)

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            self.turn()

    def turn(self) -> None:
        """Let each connection that is ready go on by one step, and settle what they asked."""
        for descriptor, events in self._epoll.poll(0, TURN_EVENTS_MAX):
            connection = self._connections.get(descriptor)
            # An answer to one connection may have ended another.
            if connection is not None:
                connection.on_event(events)
        self.application.settle()

    def sweep(self, now_s: float) -> None:
        """End the connections whose deadline has passed."""
        for connection in list(self._connections.values()):
            if connection.deadline_s <= now_s:
                connection.expire()

    def retire(self) -> None:
        """End each connection with its next answer, which says so."""
        self.retiring = True

    async def drain(self) -> None:
        """End each connection with its next answer or after a while; wait for the last."""
        self.retire()
        idle = self._idle()
        while self._connections:
            with trio.move_on_after(LINGER_S):
                await self._wait_until_empty()
            # What has fallen idle meanwhile, after an answer that promised more, gets its while.
            still_idle = self._idle()
            for connection in idle & still_idle:
                connection.close()
            idle = still_idle - idle

    def _idle(self) -> set[Connection]:
        """Return the connections without a request under way."""
        return {each for each in self._connections.values() if each.awaits in _IDLE}

    def close(self) -> None:
        """End all connections at once."""
        for connection in list(self._connections.values()):
            connection.close()
        self._epoll.close()

    def watch(self, connection: Connection, events: int) -> None:
        """See `net.http.connection.Keeper.watch`."""
        self._epoll.modify(connection.transport.socket.fileno(), events)

    def forget(self, connection: Connection) -> None:
        """See `net.http.connection.Keeper.forget`."""
        descriptor = connection.transport.socket.fileno()
        self._epoll.unregister(descriptor)
        del self._connections[descriptor]
        if not self._connections:
            self._emptied.set()
            self._emptied = trio.Event()

    async def _wait_until_empty(self) -> None:
        if self._connections:
            await self._emptied.wait()
