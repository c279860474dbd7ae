"""A small real HTTP server: it gives the answers that a test lays out and keeps what was asked.

It stands in for the wire only. What a server makes of a request is not its business.
"""

import json
import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

POLL_SECONDS = 0.005
"""How soon the server notices that it shall stop."""


class Asked(NamedTuple):
    """One request as it arrived; `body` is the parsed JSON, or None."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class Reply(NamedTuple):
    """One answer as it leaves."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Wire:
    """The server. A request without an answer laid out for it gets a 404 without errors."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self._replies: dict[str, list[Reply]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.address = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def clear(self) -> None:
        """Forget everything."""
        self.asked.clear()
        self._replies.clear()

    def answer(
        self,
        request: str,
        body: object = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Lay out the answer to `request`, such as `GET sys/mounts`.

        Bytes are sent as they are, None as nothing, all else as JSON. Several answers to the same
        request are given one after the other, and the last one from then on.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        status = status or (200 if content else 204)
        method, _, path = request.partition(" ")
        replies = self._replies.setdefault(f"{method} /v1/{path}", [])
        replies.append(Reply(status, headers or {}, content))

    @property
    def lines(self) -> list[str]:
        """What was asked, as `GET /v1/sys/mounts`."""
        return [asked.line for asked in self.asked]

    def take(self, asked: Asked) -> Reply:
        """Keep a request and return its answer."""
        self.asked.append(asked)
        replies = self._replies.get(asked.line)
        if not replies:
            return Reply(404, {}, b'{"errors":[]}')
        return replies.pop(0) if len(replies) > 1 else replies[0]


def _handler_of(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without this, Nagle's algorithm holds back the body until the head is acknowledged.
        disable_nagle_algorithm = True

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            body = json.loads(content) if content else None
            reply = wire.take(Asked(self.command, self.path, dict(self.headers), body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_LIST = do_PUT = answer  # noqa: N815 -- http.server looks for these names
        do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 -- as above

        def log_message(self, *_: object) -> None:
            pass

    return Handler
