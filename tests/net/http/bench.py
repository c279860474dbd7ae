"""A lane on a workbench: its turns are taken by hand, its clients are sockets that do not block."""

import contextlib
import socket
from collections.abc import Iterator

import h11
import msgspec

from net.http.connection import Connection
from net.http.lane import Lane
from net.http.requests import Client
from net.http.settings import ListenerSettings
from net.http.statistics import Statistics
from net.stream import PlainTransport
from net.tls import ServerTls
from tests.net.http.echo import EchoApplication

ADDRESS = "127.0.0.1"
GET = b"GET /v1/%b HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


class Bench:
    """One lane, and all that it hands over.

    Attributes:
        application: who answers in it.
        statistics: what it counts.
        lane: the lane.
        handed_over: what Hypercorn would get: connections and what was received from them.
    """

    def __init__(
        self, settings: ListenerSettings, application: EchoApplication | None = None
    ) -> None:
        self.application = application or EchoApplication()
        self.statistics = Statistics()
        self.handed_over: list[tuple[Connection, bytes]] = []
        self.lane = Lane(self.application, settings, self.statistics, self._take)
        self._sockets = contextlib.ExitStack()

    def connect(self, tls: ServerTls | None = None) -> socket.socket:
        """Return the client's side of a new connection in the lane."""
        near, far = socket.socketpair()
        far.settimeout(0)
        self._sockets.enter_context(far)
        self._sockets.enter_context(near)
        transport = tls.accept(near) if tls else PlainTransport(near)
        self.lane.admit(transport, Client(ADDRESS, 4711))
        return far

    def exchange(self, client: socket.socket, data: bytes) -> bytes:
        """Send something, let the lane take a turn, return what came back."""
        client.sendall(data)
        self.lane.turn()
        return received(client)

    def close(self) -> None:
        self.lane.close()
        self._sockets.close()

    def _take(self, connection: Connection, data: bytes) -> None:
        self.handed_over.append((connection, data))


@contextlib.contextmanager
def bench(
    settings: ListenerSettings | None = None, application: EchoApplication | None = None
) -> Iterator[Bench]:
    """Set a lane up, and take it down in the end."""
    with contextlib.closing(Bench(settings or ListenerSettings(), application)) as made:
        yield made


def received(client: socket.socket) -> bytes:
    """Return what has come, without what follows."""
    with contextlib.suppress(BlockingIOError):
        return client.recv(1 << 20)
    return b""


def ended(client: socket.socket) -> bool:
    """Tell whether the other side has ended the connection."""
    with contextlib.suppress(BlockingIOError):
        return client.recv(1) == b""
    return False


def answers(data: bytes, count: int = 1) -> list[tuple[int, bytes]]:
    """Return status and body of so many answers, which must be all that there is."""
    client = h11.Connection(h11.CLIENT)
    client.receive_data(data)
    taken = []
    for _ in range(count):
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        response = client.next_event()
        assert isinstance(response, h11.Response)
        body = b""
        while isinstance(event := client.next_event(), h11.Data):
            body += event.data
        taken.append((response.status_code, body))
        if client.our_state is h11.DONE and client.their_state is h11.DONE:
            client.start_next_cycle()
    assert client.trailing_data == (b"", False)
    return taken


def path_of(answer: tuple[int, bytes]) -> object:
    """Return the path that an answer echoes."""
    status, body = answer
    assert status == 200
    return msgspec.json.decode(body)["path"]
