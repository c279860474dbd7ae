"""The ASGI application keeps to its limits, and answers like the thin lane."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import h11
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from core.request import Response
from net.http.handover import Handover
from net.http.head import Head, parse_head
from net.http.requests import Client
from net.http.settings import HEAD_BYTES_MAX, ListenerSettings
from net.http.statistics import Statistics
from net.stream import PlainTransport
from server.app import DISCARDED_BYTES_MAX, build_app
from tests.net.http.bench import answers, bench, received
from tests.net.http.echo import EchoApplication
from tests.net.http.serving import dial, serving, until, until_end

SETTINGS: Final = ListenerSettings(request_bytes_max=1 << 10)
HEADERS_ALIKE: Final = frozenset(
    {b"cache-control", b"connection", b"content-length", b"content-type", b"location"}
)
CLIENT: Final = Client("127.0.0.1", 4711)
EXAMPLES: Final = 300
THIN_TURNS: Final = 3
SERVED_BY_THIN_LANE_MIN: Final = 0.5
REFUSED_MIN: Final = 0.1
REFUSALS: Final = (400, 405, 431, 501, 505)

Answer = tuple[int, dict[bytes, bytes], bytes]


def chunked(*chunks: bytes) -> bytes:
    """Return a request whose body comes in these chunks, the last one of which has to be empty."""
    head = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


async def test_a_body_as_large_as_may_be_is_taken() -> None:
    application = EchoApplication()
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(chunked(b"x" * 1000, b"y" * 24, b""))
        await stream.send_eof()
        await until_end(stream)

    assert [b"x" * 1000 + b"y" * 24] == [request.body for request in application.asked]


@pytest.mark.parametrize(
    "data",
    [
        chunked(b"x" * 1000, b"y" * 25, b"z", b""),
        b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n" + b"x" * 1025,
    ],
)
async def test_a_body_that_is_too_large_is_read_and_refused(data: bytes) -> None:
    application = EchoApplication()
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(data)

        answer = await until_end(stream)

    assert [(413, b'{"errors":["request body too large"]}')] == answers(answer)
    assert [] == application.asked


@pytest.mark.slow
async def test_not_everything_is_read() -> None:
    total = SETTINGS.request_bytes_max + DISCARDED_BYTES_MAX + 1
    async with serving(EchoApplication(), SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(
            b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (2 * total)
        )
        piece = b"x" * (1 << 20)
        with contextlib.suppress(trio.BrokenResourceError):
            for _ in range(total // len(piece) + 1):
                await stream.send_all(piece)

        answer = await until_end(stream)

    assert 413 == answers(answer)[0][0]


async def test_a_client_that_leaves_in_the_middle_is_not_answered() -> None:
    application = EchoApplication()
    async with serving(application, SETTINGS) as opened:
        async with await dial(opened) as stream:
            await stream.send_all(chunked(b"x" * 10))
            await stream.send_eof()
            answer = await until_end(stream)

        assert 0 == opened.statistics.handovers_failed
    assert 400 == answers(answer)[0][0]
    assert [] == application.asked


SMUGGLED: Final = b"GET /v1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
TWO_FRAMES: Final = (
    b"Content-Length: 2\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 2",
    b"transfer-encoding:chunked\r\ncontent-length:7",
)
ODD_FRAMES: Final = (
    b"Content-Length: 2\r\nContent-Length: 7",
    b"Content-Length: 2, 7",
    b"Content-Length: +2",
    b"Content-Length: -2",
    b"Content-Length: 0x2",
    b"Content-Length: 2 2",
    b"Content-Length: \xb2",
    b"Content-Length : 2",
    b"Content-Length:",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"X: a\rContent-Length: 2",
    b"X: a\x00b",
    b": a",
)


UNKNOWN_CODINGS: Final = frozenset(
    lines for lines in ODD_FRAMES if lines.startswith(b"Transfer-Encoding:")
)


@pytest.mark.parametrize("lines", TWO_FRAMES + ODD_FRAMES)
async def test_nobody_can_frame_a_body_in_two_ways(lines: bytes) -> None:
    """There is one refusal, and what follows it is not taken for a request."""
    application = EchoApplication()
    data = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n2\r\n{}\r\n0\r\n\r\n" % lines
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(data + SMUGGLED)

        answer = await until_end(stream)

    assert [400 if lines not in UNKNOWN_CODINGS else 501] == [
        status for status, _ in answers(answer)
    ]
    assert [] == application.asked


async def test_two_frames_are_named_as_the_fault() -> None:
    data = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n2\r\n{}\r\n0\r\n\r\n" % TWO_FRAMES[0]
    async with serving(EchoApplication(), SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(data)

        answer = await until_end(stream)

    expected = b'{"errors":["a body has either a length or a transfer encoding"]}'
    assert [(400, expected)] == answers(answer)


@pytest.mark.parametrize("more", [0, 1, 4_000])
async def test_a_header_may_be_so_long_and_no_longer(more: int) -> None:
    """Nor by a byte, of which both lanes count every one."""
    application = EchoApplication()
    head = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: %b\r\n\r\n"
    padding = b"x" * (HEAD_BYTES_MAX - len(head % b"") + more)
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(head % padding + b"0\r\n\r\n")
        await stream.send_eof()

        answer = await until_end(stream)

    assert [431 if more else 200] == [status for status, _ in answers(answer)]
    assert [] == application.asked[: bool(more)]


@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        (b"2;a=b;c\r\n{}\r\n0\r\nX-Trailer: y\r\n\r\n", b"{}"),
        (b"00001\r\n{\r\n1 \r\n}\r\n0;x\r\n\r\n", b"{}"),
    ],
)
async def test_chunks_may_have_extensions_and_trailers(chunks: bytes, body: bytes) -> None:
    """And a request that follows them is one."""
    application = EchoApplication()
    head = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(head + chunks + SMUGGLED)
        await stream.send_eof()
        await until_end(stream)

    assert [("a", body), ("smuggled", b"")] == [
        (request.path, request.body) for request in application.asked
    ]


@pytest.mark.parametrize("size", [b"-1", b"0x2", b"g", b"", b"2_0", b"f" * 20])
async def test_a_chunk_without_a_length_is_refused(size: bytes) -> None:
    application = EchoApplication()
    head = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(head + size + b"\r\n{}\r\n0\r\n\r\n" + SMUGGLED)
        await stream.send_eof()

        answer = await until_end(stream)

    assert b"smuggled" not in answer
    assert [] == application.asked


async def test_a_client_that_waits_to_send_is_told_to_go_on() -> None:
    application = EchoApplication()
    head = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(head)
        told = await until(stream, b"\r\n\r\n")
        await stream.send_all(b"{}")
        await stream.send_eof()
        await until_end(stream)

    assert told.startswith(b"HTTP/1.1 100 ")
    assert [b"{}"] == [request.body for request in application.asked]


@pytest.mark.parametrize(
    ("field", "length"),
    [(b"Expect: 100-continue", SETTINGS.request_bytes_max + 1), (b"X-A: b", 99_999_999_999)],
    ids=["who asks first", "far too much"],
)
async def test_a_body_that_is_too_large_is_not_waited_for(field: bytes, length: int) -> None:
    application = EchoApplication()
    head = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\n%b\r\nContent-Length: %d\r\n\r\n" % (field, length)
    async with serving(application, SETTINGS) as opened, await dial(opened) as stream:
        await stream.send_all(head)
        told = await until_end(stream)

    assert b"HTTP/1.1 413 " in told
    assert [] == application.asked


def last_answer(data: bytes, *methods: bytes) -> Answer:
    """Return status, the headers that have to be alike and body of the last of these answers."""
    client = h11.Connection(h11.CLIENT)
    client.receive_data(data)
    answer: Answer = (0, {}, b"")
    for method in methods:
        if client.our_state is h11.DONE:
            client.start_next_cycle()
        client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        response = client.next_event()
        assert isinstance(response, h11.Response)
        headers = {name: value for name, value in response.headers if name in HEADERS_ALIKE}
        body = b""
        while isinstance(event := client.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage)
        answer = (response.status_code, headers, body)
    return answer


def through_the_thin_lane(data: bytes) -> bytes:
    """Return what the thin lane answers; nothing if it hands over."""
    with bench(SETTINGS) as lane:
        client = lane.connect()
        client.sendall(data)
        for _ in range(THIN_TURNS):
            lane.lane.turn()
        return received(client)


def through_hypercorn(data: bytes, listening: socket.socket) -> bytes:
    """Return what Hypercorn answers to a connection that is handed over at once."""
    handover = Handover(build_app(EchoApplication(), SETTINGS), SETTINGS, Statistics())

    async def serve() -> bytes:
        with (
            socket.create_connection(listening.getsockname()) as far,
            listening.accept()[0] as near,
        ):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(handover.serve, PlainTransport(near), data, CLIENT)
                await trio.testing.wait_all_tasks_blocked()
                far.settimeout(0)
                answer = received(far)
                handover.close()
            return answer

    return trio.run(serve)


def behind_hypercorn(data: bytes) -> bytes:
    """Return what a connection answers that Hypercorn has just served another request of."""

    async def ask() -> bytes:
        async with serving(EchoApplication(), SETTINGS) as opened, await dial(opened) as stream:
            await stream.send_all(chunked(b"") + data)
            return await until_end(stream)

    return trio.run(ask)


def answered_alike(data: bytes, listening: socket.socket) -> type:
    """Return what a request is to the thin lane; fail if Hypercorn's lane answers otherwise."""
    head = parse_head(data)
    by_thin_lane = through_the_thin_lane(data)
    if isinstance(head, Head):
        method = head.method
        expected = last_answer(through_hypercorn(data, listening), method)
        assert expected == last_answer(by_thin_lane, method), data
    elif isinstance(head, Response):
        method = b"HEAD" if data.startswith(b"HEAD ") else b"GET"
        expected = last_answer(behind_hypercorn(data), b"PUT", method)
        assert expected == last_answer(by_thin_lane, method), data
        assert b"close" == expected[1][b"connection"]
        assert expected[0] in REFUSALS
    else:
        assert b"" == by_thin_lane
    return type(head)


@pytest.fixture(name="listening")
def listening_socket() -> Iterator[socket.socket]:
    """A socket that connections are made to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


CORPUS: Final = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /ui HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"HEAD /v1/sys/health?standbyok=true HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /v1/empty HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /v1/moved HTTP/1.1\r\nHost: a\r\n\r\n",
    b"DELETE /v1/empty HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/moved HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/later/a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"LIST /v1/secret/metadata HTTP/1.1\r\nHost: a\r\nX-Vault-Token: t\r\n\r\n",
    b"GET /v1/a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a%2F..%2Fb HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/%2e%2e/%2E HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1%2Fa HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%76%31/a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET //v1///a// HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a%252Fb HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a\\b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a%EF%BB%BF HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a%ED%A0%80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a?b=%ED%A0%80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a?b=%00&c=;&d HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a?list=1&list=0 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost: a\r\nUser-Agent: b/1\r\nX-Correlation-Id: 5\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost: a\r\nX-Vault-Token:\r\nAuthorization: Bearer b\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\nGET /v1/b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnull",
    b"POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n\xef\xbb\xbf{}",
    b"GET /v1/a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a? HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a??b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost:\r\nConnection: Close\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE",
    b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 002\r\n\r\n{}{}",
    b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024,
    b"PATCH /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
]


@pytest.mark.parametrize("data", CORPUS)
def test_both_lanes_answer_alike(data: bytes, listening: socket.socket) -> None:
    assert answered_alike(data, listening) is Head


VERBS: Final = st.sampled_from(
    [b"GET", b"PUT"] * 6
    + [b"POST", b"DELETE", b"HEAD", b"LIST", b"PATCH"] * 2
    + [b"OPTIONS", b"get", b"BREW", b"G(T", b""]
)
SEGMENTS: Final = st.sampled_from(
    [b"a", b"secret", b"data", b"later", b"x" * 40, b"a.b~c_d-e", b"%C3%A4", b"a%20b"] * 3
    + [b"", b".", b"..", b"%2e%2e", b"%2F", b"%00", b"%0A", b"%FF", b"%", b"a;b=c", b"+", b"#"]
    + [b" ", b"\x01", b"\xc3\xa4"]
)
QUERIES: Final = st.sampled_from(
    [b""] * 6
    + [b"?", b"?list=true", b"?list=x", b"?help=1", b"?version=2&version=3", b"?a=%FF", b"?a?b"]
)
PREFIXES: Final = st.sampled_from(
    [b"/v1/"] * 15 + [b"/", b"/v2/", b"//v1/", b"/v1", b"http://a/v1/", b"*", b"v1/"]
)
LINES: Final = st.sampled_from(
    [
        b"X-Vault-Token: hvs.token",
        b"x-vault-token: \t other",
        b"Authorization: Bearer hvs.bearer",
        b"Authorization: Basic YTpi",
        b"X-Vault-Namespace: team",
        b"X-Vault-Wrap-TTL: 60s",
        b"X-VAULT-REQUEST:true",
        b"Accept: */*",
        b"User-Agent: fuzz/1.0 (a, b)",
        b"Connection: keep-alive",
        b"Connection: close",
        b"Content-Type: application/json; charset=utf-8",
        b"Content-Type: application/merge-patch+json",
        b"Content-Type: application/x-www-form-urlencoded",
        b"X-Forwarded-For: 192.0.2.7",
        b"X-Correlation-ID: 1-2",
        b"X-Vault-Wrap-Format: jwt",
        b"X-Empty:",
    ]
)
ODD_LINES: Final = st.sampled_from(
    [[]] * 30
    + [[b"X-A: \xe4"], [b"X-A: b "], [b" folded"], [b"TE: trailers"], [b"Expect: x"], [b"Host: b"]]
    + [[b"Transfer-Encoding: chunked"], [b"Content-Length: 1"], [b"X-A: b\rc"], [b"X A: b"]]
    + [[b"Transfer-Encoding: gzip"], [b"Content-Length: x"], [b"Upgrade: h2c"], [b"no colon"]]
)
BODIES: Final = st.sampled_from(
    [b"", b"{}", b'{"a": [1, "b"]}', b"a=1&b=2&a=3", b"[", b"\xff\x00", b"null", b"\xef\xbb\xbf{}"]
)


@st.composite
def raw_requests(draw: st.DrawFn) -> bytes:
    """Draw a request, mostly a regular one."""
    target = draw(PREFIXES) + b"/".join(draw(st.lists(SEGMENTS, max_size=4))) + draw(QUERIES)
    lines = [
        b"Host: a",
        *draw(st.lists(LINES, max_size=4, unique_by=lambda line: line[:9].lower())),
    ]
    lines += draw(ODD_LINES)
    body = draw(BODIES)
    if body or draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
    version = draw(st.sampled_from([b"HTTP/1.1"] * 25 + [b"HTTP/1.0", b"HTTP/9.9", b"http/1.1"]))
    head = b"\r\n".join([b" ".join([draw(VERBS), target, version]), *draw(st.permutations(lines))])
    return head + b"\r\n\r\n" + body


@pytest.mark.slow
def test_both_lanes_answer_whatever_is_drawn_alike(listening: socket.socket) -> None:
    kinds: list[type] = []

    @settings(max_examples=EXAMPLES)
    @given(raw_requests())
    def compare(data: bytes) -> None:
        kinds.append(answered_alike(data, listening))

    compare()

    assert len(kinds) >= EXAMPLES
    assert kinds.count(Head) >= SERVED_BY_THIN_LANE_MIN * len(kinds)
    assert kinds.count(Response) >= REFUSED_MIN * len(kinds)
