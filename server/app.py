"""The ASGI application: what Hypercorn serves of all that the thin lane does not.

It owns the way between ASGI and the one entry of both lanes (`net.http.requests`). It must not
know how a request is answered.
"""

from typing import Final

import trio
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from core.request import Request, Response
from net.http.application import Application, answer
from net.http.judgement import HEAD_TOO_LARGE
from net.http.requests import (
    TIMED_OUT,
    TOO_LARGE,
    Client,
    enter,
    merge_lines,
    read_fields,
)
from net.http.responses import send_response
from net.http.settings import HEAD_BYTES_MAX, ListenerSettings

DISCARDED_BYTES_MAX: Final = 64 << 20
"""How much of a body that is too large is read on; a client that sends is deaf for answers."""


_LAST_ANSWERS: Final = (TIMED_OUT, TOO_LARGE)
"""After these nothing more is taken from a client: where its next request begins is not certain."""

_LINE_OVERHEAD_BYTES: Final = len(b": \r\n")


def build_app(application: Application, settings: ListenerSettings) -> Starlette:
    """Return the application that answers by `application`, within the limits of `settings`."""
    app = Starlette()
    # Not a route: Starlette matches decoded paths, and takes none with a line feed.
    app.router.default = _Entry(application, settings)
    return app


class _ClientGoneError(Exception):
    """Nobody waits for an answer."""


class _Entry:
    """Answers everything under every path."""

    def __init__(self, application: Application, settings: ListenerSettings) -> None:
        self._application = application
        self._body_bytes_max = settings.request_bytes_max
        self._read_s = settings.timeouts.read_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except _ClientGoneError:
            return
        close = response in _LAST_ANSWERS and scope["http_version"] != "2"
        await send_response(send, response, close=close)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        headers = merge_lines(scope["headers"])
        if self._is_too_large(headers):
            return TOO_LARGE
        with trio.move_on_after(self._read_s) as reading:
            body = await self._read_body(receive)
        if reading.cancelled_caught:
            return TIMED_OUT
        if body is None:
            return TOO_LARGE
        if _has_long_header(scope):
            return HEAD_TOO_LARGE
        query = scope["query_string"]
        entered = enter(
            scope["method"].encode("ascii"),
            scope["raw_path"] + b"?" + query if query else scope["raw_path"],
            read_fields(headers),
            body,
            Client(*scope["client"]),
        )
        if isinstance(entered, Request):
            return await answer(self._application, entered)
        return entered

    def _is_too_large(self, headers: dict[bytes, bytes]) -> bool:
        """Tell whether a body is not even read to be thrown away; who asks first need not send."""
        length = headers.get(b"content-length", b"0")
        asks_first = b"expect" in headers
        bytes_max = self._body_bytes_max + (0 if asks_first else DISCARDED_BYTES_MAX)
        return length.isdigit() and int(length) > bytes_max

    async def _read_body(self, receive: Receive) -> bytes | None:
        """Return the whole body, or None if it is too large."""
        chunks: list[bytes] = []
        size = 0
        while size <= self._body_bytes_max + DISCARDED_BYTES_MAX:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientGoneError
            chunk = message["body"]
            size += len(chunk)
            if size <= self._body_bytes_max:
                chunks.append(chunk)
            else:
                chunks.clear()
            if not message["more_body"]:
                break
        return b"".join(chunks) if size <= self._body_bytes_max else None


def _has_long_header(scope: Scope) -> bool:
    """Tell whether a header is too long; of HTTP/1 none is that comes here.

    h2 bounds what it keeps of a header by counting 32 bytes more for each line.
    """
    lengths = (len(name) + len(value) + _LINE_OVERHEAD_BYTES for name, value in scope["headers"])
    return len(scope["raw_path"]) + len(scope["query_string"]) + sum(lengths) > HEAD_BYTES_MAX
