"""Scripts of clients that break the rules of HTTP, against a real listener.

Each gets one answer in Vault's shape, and can read it although it goes on sending; then the
connection ends. It makes no difference whether it is the first request of a connection or follows
one that Hypercorn has served, nor whether there is TLS.
"""

from pathlib import Path
from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.settings
import msgspec
import pytest
import trio
import trio.testing

from core.request import Response
from net.http import judgement, one_request
from net.http.connection import SPOKE_PLAIN_HTTP
from net.http.listener import Listener
from net.http.requests import METHOD_NOT_ALLOWED
from net.http.settings import HEAD_BYTES_MAX
from net.tls import ServerTls, ServerTlsSettings
from tests.net.certificates import issued, write
from tests.net.http.bench import answers, path_of
from tests.net.http.echo import EchoApplication
from tests.net.http.serving import HOST, dial, serving, until_end
from tests.net.tls_client import client_context

GET: Final = b"GET /v1/a HTTP/1.1\r\nHost: a\r\n%b\r\n"
CHUNKED: Final = b"%b /v1/before HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%b"
ONCE: Final = CHUNKED % (b"PUT", b"0\r\n\r\n")
HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x2a" * 100
MALFORMED: Final = {
    "a space in the path": (b"GET /v1/a b HTTP/1.1\r\nHost: a\r\n\r\n", judgement.BAD_REQUEST_LINE),
    "a control byte": (b"GET /v1/\x01 HTTP/1.1\r\nHost: a\r\n\r\n", judgement.BAD_REQUEST_LINE),
    "half a request line": (b"GET /v1/a\r\n", judgement.BAD_REQUEST_LINE),
    "a TLS handshake": (HELLO, judgement.BAD_REQUEST_LINE),
    "no path": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", judgement.BAD_TARGET),
    "a version to come": (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", judgement.UNKNOWN_VERSION),
    "no host": (b"GET /v1/a HTTP/1.1\r\n\r\n", judgement.BAD_HOST),
    "two hosts": (GET % b"Host: b\r\n", judgement.BAD_HOST),
    "two lengths": (GET % b"Content-Length: 1\r\nContent-Length: 2\r\n", judgement.BAD_LENGTH),
    "no number": (GET % b"Content-Length: x\r\n", judgement.BAD_LENGTH),
    "no colon": (GET % b"no colon\r\n", judgement.BAD_HEADER),
    "a folded line": (GET % b" folded\r\n", judgement.FOLDED_HEADER),
    "two frames": (
        GET % b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        judgement.FRAMED_TWICE,
    ),
    "an unknown coding": (GET % b"Transfer-Encoding: gzip\r\n", judgement.UNKNOWN_CODING),
    "a long head": (GET % (b"X-A: " + b"x" * HEAD_BYTES_MAX), judgement.HEAD_TOO_LARGE),
    "a long path": (b"GET /".ljust(HEAD_BYTES_MAX, b"x"), judgement.HEAD_TOO_LARGE),
    "a tunnel": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", METHOD_NOT_ALLOWED),
    "no chunk": (CHUNKED % (b"PUT", b"g\r\n{}\r\n0\r\n\r\n"), one_request.BAD_BODY),
    "a long chunk": (CHUNKED % (b"PUT", b"1\r\n{}}\r\n0\r\n\r\n"), one_request.BAD_BODY),
    "a bad trailer": (CHUNKED % (b"PUT", b"0\r\nno colon\r\n\r\n"), one_request.BAD_BODY),
    "a long trailer": (
        CHUNKED % (b"PUT", b"0\r\nX-A: " + b"x" * HEAD_BYTES_MAX + b"\r\n"),
        one_request.TRAILER_TOO_LARGE,
    ),
}
ALL_MALFORMED: Final = pytest.mark.parametrize("name", MALFORMED)


@pytest.fixture(name="tls", scope="module")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    """The TLS side of a listener."""
    folder: Path = tmp_path_factory.mktemp("tls")
    return ServerTls(ServerTlsSettings(*write(issued("server"), folder)))


async def encrypted(opened: Listener) -> trio.SSLStream[trio.SocketStream]:
    """Return the client's side of a new connection with TLS."""
    return trio.SSLStream(
        await dial(opened), client_context(), server_hostname=HOST, https_compatible=True
    )


async def say(stream: trio.abc.Stream, data: bytes) -> bytes:
    """Send something, and return what comes until the other side ends the connection."""
    async with stream:
        await stream.send_all(data)
        return await until_end(stream)


def check_refused(answer: bytes, status: int, body: bytes) -> None:
    """Check that an answer is an error of Vault's shape, whole, and the last one."""
    assert [(status, body)] == answers(answer)
    lines = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    for line in (
        b"content-type: application/json",
        b"cache-control: no-store",
        b"connection: close",
    ):
        assert lines.count(line) == 1
    errors = msgspec.json.decode(body, type=dict[str, list[str]])
    assert ["errors"] == list(errors)


@ALL_MALFORMED
async def test_the_first_request_of_a_connection(name: str) -> None:
    data, refusal = MALFORMED[name]
    application = EchoApplication()
    async with serving(application) as opened:
        answer = await say(await dial(opened), data)

    check_refused(answer, refusal.status, refusal.body)
    assert [] == application.asked


@ALL_MALFORMED
async def test_a_request_after_one_that_hypercorn_has_served(name: str) -> None:
    data, refusal = MALFORMED[name]
    application = EchoApplication()
    async with serving(application) as opened:
        both = await say(await dial(opened), ONCE + data)

    first, second = both[: (at := both.rindex(b"HTTP/1.1 %d " % refusal.status))], both[at:]
    assert "before" == path_of(answers(first)[0])
    check_refused(second, refusal.status, refusal.body)
    assert 1 == len(application.asked)


@ALL_MALFORMED
async def test_a_request_under_tls(tls: ServerTls, name: str) -> None:
    data, refusal = MALFORMED[name]
    async with serving(EchoApplication(), tls=tls) as opened:
        answer = await say(await encrypted(opened), data)

    check_refused(answer, refusal.status, refusal.body)


@pytest.mark.parametrize("name", ["no host", "no chunk", "two frames"])
async def test_the_answer_reaches_who_goes_on_sending(name: str) -> None:
    """A connection that is closed before all of it is read would be reset."""
    data, refusal = MALFORMED[name]
    async with serving(EchoApplication()) as opened:
        answer = await say(await dial(opened), data + b"x" * (256 << 10))

    check_refused(answer, refusal.status, refusal.body)


async def test_a_body_that_ends_too_early() -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        await stream.send_all(CHUNKED % (b"PUT", b"5\r\n{}"))
        await stream.send_eof()
        answer = await until_end(stream)

    check_refused(answer, one_request.BAD_BODY.status, one_request.BAD_BODY.body)


@pytest.mark.parametrize(
    "data", [b"HEAD /v1/a HTTP/1.1\r\n\r\n", CHUNKED % (b"HEAD", b"g\r\n")], ids=["head", "body"]
)
async def test_the_answer_to_head_has_no_body(data: bytes) -> None:
    async with serving(EchoApplication()) as opened:
        answer = await say(await dial(opened), data)

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [GET % b"", b"LIST /v1/a HTTP/1.1\r\nHost: a\r\n\r\n", b"get / HTTP/1.1\r\n\r\n", b"\x00" * 64],
    ids=["GET", "LIST", "get", "zeros"],
)
async def test_who_speaks_no_tls_to_a_port_with_tls_is_told(tls: ServerTls, data: bytes) -> None:
    async with serving(EchoApplication(), tls=tls) as opened:
        answer = await say(await dial(opened), data + b"x" * (256 << 10))

        assert 1 == opened.statistics.handshakes_failed
    check_refused(answer, 400, SPOKE_PLAIN_HTTP.body)


@pytest.mark.parametrize(
    ("upgrade", "frame"),
    [
        (b"websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA", b""),
        (b"h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", b""),
        (b"websocket", b"Transfer-Encoding: chunked\r\n"),
        (b"h2c", b"Transfer-Encoding: chunked\r\n"),
    ],
)
async def test_an_upgrade_is_an_offer_that_is_not_taken(upgrade: bytes, frame: bytes) -> None:
    """A proxy that passes on an upgrade must go on seeing what is asked."""
    head = GET % (b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n" + frame)
    last = GET % b"Connection: close\r\n"
    application = EchoApplication()
    async with serving(application) as opened:
        both = await say(await dial(opened), head + (b"0\r\n\r\n" if frame else b"") + last)

    assert ["a", "a"] == [path_of(each) for each in answers(both, 2)]


@pytest.mark.parametrize("method", [b"get", b"Put", b"OPTIONS", b"BREW"])
async def test_a_verb_that_is_not_vaults_is_refused_in_either_lane(method: bytes) -> None:
    thin = method + b" /v1/before HTTP/1.1\r\nHost: a\r\n\r\n"
    application = EchoApplication()
    async with serving(application) as opened, await dial(opened) as stream:
        await stream.send_all(thin + CHUNKED % (method, b"0\r\n\r\n"))
        await stream.send_all(GET % b"Connection: close\r\n")
        taken = answers(await until_end(stream), 3)

        assert (2, 1) == (opened.statistics.requests, opened.statistics.handed_over)
    assert [(405, METHOD_NOT_ALLOWED.body)] * 2 == taken[:2]
    assert "a" == path_of(taken[2])
    assert ["a"] == [request.path for request in application.asked]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n" + GET % b"",
        b"GET /v1/a HTTP/1.1\nHost: a\n\n",
        b"GET /v1/a HTTP/1.2\r\nHost: a\r\n\r\n",
        b"GET http://a/v1/a HTTP/1.1\r\nHost: a\r\n\r\n",
        GET % b"X-A: \xc3\xa4 \r\nX-A:\r\n",
        GET % b"Content-Length: 2\r\nContent-Length: 2, 2\r\n" + b"{}",
    ],
)
async def test_what_is_odd_but_legal_is_served(data: bytes) -> None:
    async with serving(EchoApplication()) as opened:
        both = await say(await dial(opened), data + GET % b"Connection: close\r\n")

    assert ["a", "a"] == [path_of(each) for each in answers(both, 2)]


async def test_only_a_connection_begins_with_the_preface_of_http_2() -> None:
    """Whoever can make a proxy pass it on must not come to speak past the proxy."""
    preface = judgement.PREFACE + b"SM\r\n\r\n"
    async with serving(EchoApplication()) as opened:
        both = await say(await dial(opened), ONCE + preface)

    assert [200, 505] == [status for status, _ in answers(both, 2)]


class Http2Client:
    """A client of HTTP/2 that can say what no request may say."""

    def __init__(self, stream: trio.SocketStream) -> None:
        config = h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
        )
        self._connection = h2.connection.H2Connection(config)
        self._stream = stream
        self._events: list[h2.events.Event] = []
        self._connection.initiate_connection()

    async def begin(self) -> None:
        """Send what a connection begins with, and wait for the same of the server."""
        await self._stream.send_all(self._connection.data_to_send())
        await self._event()

    async def ask(
        self, headers: list[tuple[bytes, bytes]], body: bytes = b"", *, ends: bool = True
    ) -> None:
        """Send a request, with head and body in one go."""
        stream_id = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream_id, headers, end_stream=ends and not body)
        if body:
            self._connection.send_data(stream_id, body, end_stream=True)
        await self._stream.send_all(self._connection.data_to_send())

    async def go_on(self, body: bytes) -> None:
        """Send more of the body of the last request, and not its end."""
        stream_id = self._connection.highest_outbound_stream_id
        self._connection.send_data(stream_id, body)
        await self._stream.send_all(self._connection.data_to_send())

    @property
    def offered(self) -> h2.settings.Settings:
        """What the server has said of itself."""
        return self._connection.remote_settings

    async def answer(self) -> tuple[bytes, bytes]:
        """Return status and body of the answer that comes next."""
        status = body = b""
        while not isinstance(event := await self._event(), h2.events.StreamEnded):
            if isinstance(event, h2.events.ResponseReceived):
                status = dict(event.headers)[b":status"]
            elif isinstance(event, h2.events.DataReceived):
                body += event.data
        return status, body

    async def farewell(self) -> h2.events.ConnectionTerminated:
        """Return how the server ends the connection."""
        while not isinstance(event := await self._event(), h2.events.ConnectionTerminated):
            pass
        return event

    async def _event(self) -> h2.events.Event:
        while not self._events:
            data = await self._stream.receive_some()
            assert data
            self._events += self._connection.receive_data(data)
        return self._events.pop(0)


def fields(method: bytes, path: bytes) -> list[tuple[bytes, bytes]]:
    """Return the header of a request of HTTP/2."""
    return [(b":method", method), (b":scheme", b"http"), (b":authority", b"a"), (b":path", path)]


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        (fields(b"get", b"/v1/a"), METHOD_NOT_ALLOWED),
        (fields(b"G T", b"/v1/a"), judgement.BAD_REQUEST_LINE),
        (fields(b"\xff", b"/v1/a"), judgement.BAD_REQUEST_LINE),
        (fields(b"PUT", b"/v1/\xc3\xa4"), judgement.BAD_REQUEST_LINE),
        (fields(b"PUT", b"/v1/a b"), judgement.BAD_REQUEST_LINE),
        (fields(b"PUT", b"a"), judgement.BAD_TARGET),
        ([(b":method", b"CONNECT"), (b":authority", b"a:443")], METHOD_NOT_ALLOWED),
    ],
)
async def test_a_request_of_http_2_that_cannot_be_harms_no_other(
    headers: list[tuple[bytes, bytes]], refusal: Response
) -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        client = Http2Client(stream)
        await client.ask(headers, b"x" * 1000)
        refused = await client.answer()
        await client.ask(fields(b"GET", b"/v1/a"))
        status, body = await client.answer()

        assert 0 == opened.statistics.handovers_failed
    assert (b"%d" % refusal.status, refusal.body) == refused
    assert "a" == path_of((int(status), body))


async def test_a_body_of_http_2_may_go_on_after_its_answer() -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        client = Http2Client(stream)
        await client.ask(
            [*fields(b"PUT", b"/v1/a"), (b"content-length", b"99999999999")], ends=False
        )
        status, _ = await client.answer()
        await client.go_on(b"x" * 1000)
        await client.ask(fields(b"GET", b"/v1/a"))
        after, _ = await client.answer()

        assert 0 == opened.statistics.handovers_failed
    assert (b"413", b"200") == (status, after)


async def test_http_2_offers_no_websockets() -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        client = Http2Client(stream)
        await client.begin()

        assert 0 == client.offered.enable_connect_protocol


@pytest.mark.parametrize("asked", [0, 1])
async def test_an_idle_connection_of_http_2_is_told_that_it_ends(asked: int) -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        client = Http2Client(stream)
        await client.begin()
        for _ in range(asked):
            await client.ask(fields(b"GET", b"/v1/a"))
            await client.answer()

        opened.retire()
        farewell = await client.farewell()

        assert b"" == await until_end(stream)
    assert (0, asked) == (farewell.error_code, farewell.last_stream_id)


async def test_a_busy_connection_of_http_2_is_told_after_its_answers() -> None:
    application = EchoApplication()
    async with serving(application) as opened, await dial(opened) as stream:
        client = Http2Client(stream)
        await client.ask(fields(b"GET", b"/v1/held/a"))
        while not application.held:
            await trio.testing.wait_all_tasks_blocked()

        opened.retire()
        application.release(1)
        status, _ = await client.answer()
        farewell = await client.farewell()

    assert (b"200", 0, 1) == (status, farewell.error_code, farewell.last_stream_id)
