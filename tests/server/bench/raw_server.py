"""A small real server on a socket: it answers each request with the bytes that a test lays out.

It stands in for whom a load generator asks. Pieces are sent one by one, so that they arrive as
several reads; a piece that is a function is called instead, and may wait or raise.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from server.bench.certificate import Certificate
from server.bench.workload import Target

Piece = bytes | Callable[[], object]


def answer(body: bytes = b"{}", status: bytes = b"200 OK") -> bytes:
    """Return a whole answer."""
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class RawServer:
    """The server.

    Attributes:
        target: where it listens.
        requests: what it was asked, in the order of arrival.
    """

    def __init__(
        self, pieces: Sequence[Piece] = (answer(),), certificate: Certificate | None = None
    ) -> None:
        self._pieces = pieces
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self._listening = socket.create_server(("127.0.0.1", 0))
        ca_file = str(certificate.authority_file) if certificate else ""
        self.target = Target("127.0.0.1", self._listening.getsockname()[1], ca_file)
        self.requests: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # Only this wakes a thread that waits in accept.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        # A client that goes away in the middle is nothing to this server.
        with contextlib.suppress(OSError), self._spoken(plain) as connection:
            while request := connection.recv(65_536):
                self.requests.append(request)
                for piece in self._pieces:
                    if callable(piece):
                        piece()
                    else:
                        connection.sendall(piece)

    @contextmanager
    def _spoken(self, plain: socket.socket) -> Iterator[socket.socket]:
        with plain:
            if self._context is None:
                yield plain
            else:
                with self._context.wrap_socket(plain, server_side=True) as secured:
                    yield secured


def hang_up() -> None:
    """End the connection when called as a piece."""
    raise ConnectionAbortedError
