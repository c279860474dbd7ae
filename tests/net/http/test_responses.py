"""Answers are rendered with what every answer carries, and nothing that does not belong."""

from email.utils import parsedate_to_datetime

import h11
import pytest

from core.check import InvariantBroken
from core.request import Response
from net.http.responses import Renderer, header_lines


def parsed(data: bytes, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, header and body of an answer, as h11 understands it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    response = connection.next_event()
    assert isinstance(response, h11.Response)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert (b"", False) == connection.trailing_data
    return response.status_code, dict(response.headers), body


def rendered(
    response: Response, *, without_body: bool = False, close: bool = False
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return an answer as a client sees it, without the date."""
    data = Renderer().render(response, without_body=without_body, close=close)
    status, header, body = parsed(data, "HEAD" if without_body else "GET")
    assert parsedate_to_datetime(header.pop(b"date").decode("ascii")).tzinfo is not None
    return status, header, body


JSON = {b"cache-control": b"no-store", b"content-type": b"application/json"}


@pytest.mark.parametrize("status", [200, 403, 472, 599])
def test_an_answer_with_a_body(status: int) -> None:
    expected = (status, JSON | {b"content-length": b"2"}, b"{}")

    assert expected == rendered(Response(status, b"{}"))


def test_an_answer_without_content() -> None:
    assert (204, {b"cache-control": b"no-store"}, b"") == rendered(Response(204))


def test_an_answer_with_an_empty_body() -> None:
    expected = {b"cache-control": b"no-store", b"content-length": b"0", b"location": b"/ui/"}

    assert (307, expected, b"") == rendered(Response(307, b"", {"Location": "/ui/"}))


def test_the_answer_to_head_announces_the_body() -> None:
    expected = (200, JSON | {b"content-length": b"2"}, b"")

    assert expected == rendered(Response(200, b"{}"), without_body=True)


def test_the_last_answer_says_so() -> None:
    expected = (200, JSON | {b"content-length": b"2", b"connection": b"close"}, b"{}")

    assert expected == rendered(Response(200, b"{}"), close=True)


def test_further_headers_are_sent_and_may_name_the_type() -> None:
    response = Response(200, b"a", {"Content-Type": "text/plain", "Retry-After": "5"})

    _, header, _ = rendered(response)

    assert (b"text/plain", b"5") == (header[b"content-type"], header[b"retry-after"])


def test_a_renderer_renders_again_and_again() -> None:
    renderer = Renderer()
    response = Response(200, b"{}")

    first = renderer.render(response, without_body=False, close=False)
    renderer._second -= 1
    second = renderer.render(response, without_body=False, close=False)

    assert parsed(first)[2] == parsed(second)[2] == b"{}"


def test_a_header_that_breaks_its_line_is_ours() -> None:
    with pytest.raises(InvariantBroken):
        header_lines(Response(200, b"", {"Location": "a\r\nSet-Cookie: b"}))
