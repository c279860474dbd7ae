"""One keep-alive connection of a lean HTTP/1.1 client: a socket, plain or TLS, and no more.

Owns framing: a request goes out whole, an answer comes in by its Content-Length. It is strict and
small, since the servers are known and the client's own time is part of what is measured. Must not
know what is asked.
"""

import re
import select
import socket
import ssl
from typing import Final, NamedTuple

from server.bench.workload import Target, Workload

CONNECT_S_MAX: Final = 5.0
READ_BYTES: Final = 64 << 10
ANSWER_BYTES_MAX: Final = 1 << 20

_HEAD_END: Final = b"\r\n\r\n"
_STATUS: Final = slice(len("HTTP/1.1 "), len("HTTP/1.1 200"))
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_NO_CONTENT: Final = 204
_SUCCESSES: Final = range(200, 300)


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: bytes

    @property
    def succeeded(self) -> bool:
        """Whether the server did what it was asked."""
        return self.status in _SUCCESSES


def tls_context(target: Target) -> ssl.SSLContext | None:
    """Return how to speak TLS with a target, or None if it speaks plain HTTP."""
    return ssl.create_default_context(cafile=target.ca_file) if target.ca_file else None


class Connection:
    """A connection with at most one request under way.

    Attributes:
        due_ns: when the request under way was to be sent; for whoever sends to keep.
    """

    def __init__(self, target: Target, context: ssl.SSLContext | None) -> None:
        """Connect.

        Raises:
            OSError: nobody listens there, or TLS fails.
        """
        plain = socket.create_connection((target.host, target.port), CONNECT_S_MAX)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = plain
        if context is not None:
            try:
                self._socket = context.wrap_socket(plain, server_hostname=target.host)
            except BaseException:
                plain.close()
                raise
        self._socket.settimeout(0)
        self._received = b""
        self._answer_bytes = 0
        self.due_ns = 0

    def fileno(self) -> int:
        """Return the file descriptor, for a poller."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it; a request under way stays unanswered."""
        self._socket.close()

    def send(self, request: bytes) -> None:
        """Send a request.

        Raises:
            OSError: the connection is broken, or the kernel takes only a part.
        """
        if self._socket.send(request) != len(request):
            raise BrokenPipeError("the server does not take a whole request")

    def receive(self) -> Reply | None:
        """Return the answer, or None if there is more to come.

        Raises:
            OSError: the connection is broken, or this is no answer that we understand.
        """
        while True:
            try:
                chunk = self._socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                return None
            if not chunk:
                raise ConnectionResetError("the server closed the connection")
            received = self._received + chunk if self._received else chunk
            needed = self._answer_bytes or _answer_bytes(received)
            if needed and len(received) >= needed:
                return self._take(received, needed)
            self._received, self._answer_bytes = received, needed

    def _take(self, received: bytes, needed: int) -> Reply:
        if len(received) > needed:
            raise ConnectionError("the server sent more than one answer")
        self._received, self._answer_bytes = b"", 0
        body = received[received.index(_HEAD_END) + len(_HEAD_END) :]
        return Reply(int(received[_STATUS]), body)


def _answer_bytes(received: bytes) -> int:
    """Return the length of the answer that begins with `received`, or 0 if that is not known."""
    head_end = received.find(_HEAD_END)
    if head_end < 0:
        if len(received) > ANSWER_BYTES_MAX:
            raise ConnectionError(f"the head of an answer exceeds {ANSWER_BYTES_MAX} bytes")
        return 0
    body_start = head_end + len(_HEAD_END)
    found = _LENGTH.search(received, 0, body_start)
    if found is None:
        if int(received[_STATUS]) == _NO_CONTENT:
            return body_start
        raise ConnectionError("an answer has no Content-Length")
    length = int(found[1])
    if length > ANSWER_BYTES_MAX:
        raise ConnectionError(f"an answer exceeds {ANSWER_BYTES_MAX} bytes")
    return body_start + length


def exchange(target: Target, request: bytes, wait_s: float = 5.0) -> Reply:
    """Ask once on a connection of its own, and wait for the answer.

    Raises:
        OSError: there was no answer within `wait_s` seconds of silence.
    """
    connection = Connection(target, tls_context(target))
    try:
        connection.send(request)
        while select.select([connection], [], [], wait_s)[0]:
            reply = connection.receive()
            if reply is not None:
                return reply
        raise TimeoutError(f"{target.url}: no answer within {wait_s} s")
    finally:
        connection.close()


def get(target: Target, path: str) -> Reply:
    """Read a path as `exchange` does, without a token."""
    return exchange(target, Workload(method="GET", path=path).request(target, 0))
