"""One connection in the thin lane: its conversation, one request at a time.

It owns the bytes that have arrived and are not understood yet, the request under way and the
bytes that the client has not taken. It must not know how readiness is noticed or how a socket
was accepted: the lane that keeps it tells it, and is told what to watch for.
"""

import enum
import select
import time
from collections.abc import Callable
from typing import ClassVar, Final, Protocol

from core.request import Request, Response
from net.http.application import Application, Handle
from net.http.head import NO_BLOCK, Head, parse_head
from net.http.judgement import UNKNOWN_VERSION, Verdict
from net.http.requests import TIMED_OUT, Client, enter, refusal
from net.http.responses import Renderer
from net.http.settings import ListenerSettings
from net.http.statistics import Statistics
from net.stream import HandshakeError, NoTlsError, PlainTransport, Transport, discard

WATCH_READ: Final = select.EPOLLIN | select.EPOLLRDHUP
WATCH_WRITE: Final = select.EPOLLOUT
WATCH_GONE: Final = select.EPOLLRDHUP
_GONE: Final = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP

_FOREVER: Final = float("inf")

LINGER_S: Final = 2.0
"""How long a client may go on sending after its last answer, so that it comes to read it."""
LINGER_BYTES_MAX: Final = 1 << 20

SPOKE_PLAIN_HTTP: Final = refusal(400, "Client sent an HTTP request to an HTTPS server.")


class Awaits(enum.IntEnum):
    """What a connection waits for."""

    HANDSHAKE = 0
    HEAD = 1
    """The rest of a head, or the first one."""
    REQUEST = 2
    """Another request; nothing of it has come."""
    BODY = 3
    ANSWER = 4
    ROOM = 5
    """The client, to take more of an answer."""
    TURN = 6
    """Its turn, with a request that came along with the one before."""
    END = 7
    """The client, to end the connection; what it sends is thrown away."""
    NOTHING = 8
    """It has ended here, or is with Hypercorn."""


class Keeper(Protocol):
    """What a connection needs of the lane that keeps it."""

    application: Application
    settings: ListenerSettings
    statistics: Statistics
    renderer: Renderer
    retiring: bool

    def watch(self, connection: "Connection", events: int) -> None:
        """Tell the connection of these epoll events, and of no others, from now on."""
        ...

    def forget(self, connection: "Connection") -> None:
        """Stop watching a connection; it has ended, or somebody else takes it."""
        ...

    def hand_over(self, connection: "Connection", received: bytes) -> None:
        """Let Hypercorn serve what begins with these bytes, then call `Connection.resume`."""
        ...


class Connection:
    """A connection, and the waiter for its answers (`net.http.application.Waiter`).

    Attributes:
        transport: the socket, with or without TLS.
        client: where it comes from.
        awaits: what it waits for.
        deadline_s: the monotonic time at which it has waited too long.
        watched: the events that the lane tells it of.
    """

    __slots__ = (
        "_block",
        "_body",
        "_closes",
        "_discarded_bytes",
        "_fresh",
        "_handle",
        "_head",
        "_keeper",
        "_lingers",
        "_outgoing",
        "_received",
        "awaits",
        "client",
        "deadline_s",
        "transport",
        "watched",
    )

    def __init__(self, keeper: Keeper, transport: Transport, client: Client) -> None:
        self.transport = transport
        self.client = client
        self.awaits = Awaits.HANDSHAKE
        self.deadline_s = time.monotonic() + keeper.settings.timeouts.read_header_s
        self.watched = WATCH_READ
        self._keeper = keeper
        self._received = b""
        self._block = NO_BLOCK
        self._head = Head(b"", b"", NO_BLOCK, 0)
        self._body = bytearray()
        self._handle: Handle = -1
        self._fresh = True
        self._closes = False
        self._lingers = False
        self._discarded_bytes = 0
        self._outgoing: bytes | memoryview = b""

    def on_event(self, events: int) -> None:
        """Go on: the socket is ready for something that is watched for, or has failed."""
        self._STEPS[self.awaits](self, events)

    def deliver(self, handle: Handle, response: Response) -> None:
        """See `net.http.application.Waiter.deliver`."""
        if self.awaits is Awaits.ANSWER and handle == self._handle:
            self.awaits = Awaits.REQUEST
            self._respond(response)

    def resume(self, received: bytes | None) -> None:
        """Go on after Hypercorn, watched for reading again.

        Args:
            received: what the client has sent behind its request; None if that was the last one.
        """
        self.watched = WATCH_READ
        self._received = received or b""
        self._closes = self._lingers = received is None
        self._finish()

    def expire(self) -> None:
        """End it, since it has waited too long."""
        if self.awaits is not Awaits.END:
            self._keeper.statistics.expired += 1
        if self.awaits is Awaits.BODY:
            self._respond_last(TIMED_OUT)
        else:
            self.close()

    def close(self) -> None:
        """End it, whatever it waits for; a second time does nothing."""
        if self.awaits is Awaits.NOTHING:
            return
        if self.awaits is Awaits.ANSWER:
            self._keeper.application.abandon(self._handle)
        self.awaits = Awaits.NOTHING
        self._keeper.forget(self)
        self.transport.close()

    def _shake_hands(self, events: int) -> None:
        try:
            complete = self.transport.handshake()
        except HandshakeError as error:
            self._keeper.statistics.handshakes_failed += 1
            if isinstance(error, NoTlsError):
                self.transport = PlainTransport(self.transport.socket)
                self._respond_last(SPOKE_PLAIN_HTTP)
            else:
                self.close()
            return
        self._watch_transport()
        if complete:
            self.awaits = Awaits.HEAD
            if self.transport.protocol == "h2":
                self._hand_over()
            else:
                self._read_head(events)

    def _read_head(self, _: int) -> None:
        data = self._receive()
        if data:
            received = self._received
            self._received = received + data if received else data
            self._advance()

    def _read_body(self, _: int) -> None:
        data = self._receive()
        if data:
            body = self._body
            body += data
            length = self._head.block.content_length
            if len(body) >= length:
                self._received = bytes(body[length:])
                self._body = bytearray()
                del body[length:]
                self._ask(self._head, bytes(body))

    def _notice(self, events: int) -> None:
        """Learn something of the client while it waits for its answer."""
        if events & _GONE:
            # Half closed is gone too, as in Go's server: else each client that gave up
            # would keep a request waiting.
            self.close()
        else:
            self._watch(WATCH_GONE)

    def _send_rest(self, _: int) -> None:
        self._send(self._outgoing)

    def _take_turn(self, _: int) -> None:
        self.awaits = Awaits.REQUEST
        self._watch(WATCH_READ)
        self._advance()

    def _receive(self) -> bytes | None:
        data = self.transport.receive()
        if data == b"":
            self.close()
        elif data is None or self.watched != WATCH_READ:
            self._watch_transport()
        return data

    def _advance(self) -> None:
        """Ask the request that has arrived, if it is whole."""
        received = self._received
        head = parse_head(received, self._block)
        if not isinstance(head, Head):
            self._deviate(head)
            return
        block = self._block = head.block
        end = head.size + block.content_length
        if block.content_length > self._keeper.settings.request_bytes_max:
            self._hand_over()
        elif len(received) >= end:
            self._received = received[end:]
            self._ask(head, received[head.size : end])
        else:
            self._head = head
            self._body = bytearray(received[head.size :])
            self._wait(Awaits.BODY, self._keeper.settings.timeouts.read_s)

    def _deviate(self, verdict: Verdict | Response) -> None:
        """Deal with what is no head for this lane."""
        if verdict is Verdict.HTTP_2 and not self._fresh:
            verdict = UNKNOWN_VERSION
        if isinstance(verdict, Response):
            without_body = self._received.startswith(b"HEAD ")
            self._head = Head(b"HEAD" if without_body else b"", b"", NO_BLOCK, 0)
            self._respond_last(verdict)
        elif verdict is Verdict.PADDED:
            self._received = self._received.lstrip(b"\r\n")
            self._advance()
        elif verdict is not Verdict.INCOMPLETE:
            self._hand_over()
        elif self.awaits is Awaits.REQUEST:
            self._wait(Awaits.HEAD, self._keeper.settings.timeouts.read_header_s)

    def _ask(self, head: Head, body: bytes) -> None:
        keeper = self._keeper
        keeper.statistics.requests += 1
        self._head = head
        entered = enter(head.method, head.target, head.block.fields, body, self.client)
        outcome = keeper.application.ask(entered, self) if isinstance(entered, Request) else entered
        if isinstance(outcome, Response):
            self._respond(outcome)
        else:
            self.awaits = Awaits.ANSWER
            self.deadline_s = _FOREVER
            self._handle = outcome

    def _respond(self, response: Response) -> None:
        head = self._head
        keeper = self._keeper
        self._closes = self._lingers or keeper.retiring or not head.block.keep_alive
        self._send(
            keeper.renderer.render(
                response, without_body=head.method == b"HEAD", close=self._closes
            )
        )

    def _respond_last(self, response: Response) -> None:
        """Answer somebody who does not know that nothing more is taken, and may be sending."""
        self._lingers = True
        self._respond(response)

    def _send(self, data: bytes | memoryview) -> None:
        try:
            sent = self.transport.send(data)
        except OSError:
            self.close()
            return
        if sent < len(data):
            self._outgoing = memoryview(data)[sent:]
            if self.awaits is not Awaits.ROOM:
                self._wait(Awaits.ROOM, self._keeper.settings.timeouts.write_s or _FOREVER)
            self._watch(WATCH_WRITE)
        else:
            self._finish()

    def _finish(self) -> None:
        """The answer is out: be ready for the next request."""
        if self._closes:
            self._end()
            return
        self._outgoing = b""
        self._fresh = False
        self._wait(Awaits.REQUEST, self._keeper.settings.timeouts.idle_s)
        if self._received:
            # One request for each turn: whoever sends many at once waits like everybody.
            self.awaits = Awaits.TURN
            self._watch(WATCH_WRITE)
        else:
            self._watch(WATCH_READ)

    def _end(self) -> None:
        """Say that this was all; who may still be sending is waited for.

        To close a socket from which not all has been read resets the connection, and takes the
        answer from a client that has not read it yet (RFC 9112, section 9.6).
        """
        if self._lingers:
            self.transport.finish()
            self._wait(Awaits.END, LINGER_S)
            self._watch(WATCH_READ)
        else:
            self.close()

    def _discard(self, _: int) -> None:
        size = discard(self.transport.socket)
        if size is not None:
            self._discarded_bytes += size
            if size == 0 or self._discarded_bytes > LINGER_BYTES_MAX:
                self.close()

    def _hand_over(self) -> None:
        received, self._received = self._received, b""
        self.awaits = Awaits.NOTHING
        self._keeper.forget(self)
        self._keeper.hand_over(self, received)

    def _wait(self, awaits: Awaits, seconds: float) -> None:
        self.awaits = awaits
        self.deadline_s = time.monotonic() + seconds

    def _watch_transport(self) -> None:
        self._watch(WATCH_WRITE if self.transport.wants_write else WATCH_READ)

    def _watch(self, events: int) -> None:
        if events != self.watched and self.awaits is not Awaits.NOTHING:
            self.watched = events
            self._keeper.watch(self, events)

    _STEPS: ClassVar[tuple[Callable[["Connection", int], None], ...]] = (
        _shake_hands,
        _read_head,
        _read_head,
        _read_body,
        _notice,
        _send_rest,
        _take_turn,
        _discard,
    )
    """What to do, by what it waits for; it is not told of anything when it waits for nothing."""
