"""Answers as bytes for the thin lane, and as ASGI messages for the other.

It owns the headers that every answer carries; an answer may override none but the type of its
body. It must not know what an answer means.
"""

import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from core.check import check
from core.request import Response

_JSON: Final = "application/json"
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_NO_CONTENT: Final = HTTPStatus.NO_CONTENT.value


def header_lines(response: Response) -> list[tuple[str, str]]:
    """Return the header of an answer, but for `Date` and what concerns the connection.

    hvac compares the content type for equality before it reads `errors`, so it stands alone.
    """
    headers = {"Cache-Control": "no-store"}
    if response.body:
        headers["Content-Type"] = _JSON
    headers |= response.headers
    if response.status != _NO_CONTENT:
        headers["Content-Length"] = str(len(response.body))
    for value in headers.values():
        check("\r" not in value and "\n" not in value, "an answer's header breaks its line")
    return list(headers.items())


async def send_response(
    send: Callable[[Any], Awaitable[None]], response: Response, *, close: bool = False
) -> None:
    """Send an answer as an ASGI application does.

    Args:
        send: see ASGI.
        response: the answer.
        close: announce that the connection ends with this answer; not for HTTP/2.
    """
    lines = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in header_lines(response)
    ]
    if close:
        lines.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": lines})
    await send({"type": "http.response.body", "body": response.body})


class Renderer:
    """Renders answers; keeps what is the same for all answers of one status and second."""

    def __init__(self) -> None:
        self._second = 0
        self._prefixes: dict[int, bytes] = {}

    def render(self, response: Response, *, without_body: bool, close: bool) -> bytes:
        """Return a whole answer.

        Args:
            response: the answer.
            without_body: send the header that announces the body, but not the body (HEAD).
            close: announce that the connection ends with this answer.
        """
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._prefixes.clear()
        body = response.body
        if response.headers or without_body or close or not body:
            return self._render_any(response, without_body=without_body, close=close)
        status = response.status
        prefix = self._prefixes.get(status) or self._prefix(status)
        return b"%b%d\r\n\r\n%b" % (prefix, len(body), body)

    def _prefix(self, status: int) -> bytes:
        prefix = (
            f"{self._start(status)}Cache-Control: no-store\r\nContent-Type: {_JSON}\r\n"
            "Content-Length: "
        ).encode("ascii")
        self._prefixes[status] = prefix
        return prefix

    def _render_any(self, response: Response, *, without_body: bool, close: bool) -> bytes:
        lines = [f"{name}: {value}\r\n" for name, value in header_lines(response)]
        if close:
            lines.append("Connection: close\r\n")
        head = f"{self._start(response.status)}{''.join(lines)}\r\n".encode("latin-1")
        return head if without_body else head + response.body

    def _start(self, status: int) -> str:
        date = formatdate(self._second, usegmt=True)
        return f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\nDate: {date}\r\n"
