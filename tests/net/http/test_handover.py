"""Hypercorn serves what the thin lane hands over, within the same limits."""

import contextlib
import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing

from net.http.handover import Handover
from net.http.lane import LINGER_S
from net.http.requests import Client
from net.http.settings import HEAD_BYTES_MAX, ListenerSettings, ListenerTimeouts
from net.http.statistics import Statistics
from net.stream import PlainTransport
from net.tls import ServerTls, ServerTlsSettings
from server.app import build_app
from tests.net.certificates import issued, write
from tests.net.http.bench import GET, answers, path_of
from tests.net.http.echo import EchoApplication
from tests.net.http.serving import HOST, dial, serving, until, until_end
from tests.net.tls_client import client_context

CHUNKED = (
    b"PUT /v1/%b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
)
CLIENT = Client(HOST, 4711)
ROUNDS = 20
UNFINISHED = b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{"


async def test_chunked_bodies_and_all_that_follows() -> None:
    """Hypercorn serves one request; the next one begins in the thin lane again."""
    application = EchoApplication()
    async with serving(application) as opened, await dial(opened) as stream:
        await stream.send_all(CHUNKED % b"a")
        first = await until(stream, b"}")
        await stream.send_all(b"GET /v1/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        second = await until_end(stream)

        assert (1, 1) == (opened.statistics.handed_over, opened.statistics.requests)
    assert ["a", "b"] == [path_of(answers(each)[0]) for each in (first, second)]
    assert [b"{}", b""] == [request.body for request in application.asked]


async def test_a_body_that_asks_first() -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        await stream.send_all(
            b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
            b"Content-Length: 2\r\nConnection: close\r\n\r\n"
        )
        interim = await until(stream, b"\r\n\r\n")
        await stream.send_all(b"{}")
        answer = await until_end(stream)

    assert interim.startswith(b"HTTP/1.1 100 ")
    assert "a" == path_of(answers(answer)[0])


async def test_http_1_0() -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        await stream.send_all(b"GET /v1/a HTTP/1.0\n\n")

        answer = await until_end(stream)

    assert "a" == path_of(answers(answer)[0])


@pytest.mark.parametrize("encrypted", [False, True])
async def test_http_2(tmp_path: Path, *, encrypted: bool) -> None:
    tls = ServerTls(ServerTlsSettings(*write(issued("server"), tmp_path))) if encrypted else None
    application = EchoApplication()
    async with (
        serving(application, tls=tls) as opened,
        httpx.AsyncClient(http1=False, http2=True, verify=client_context()) as client,
    ):
        scheme = "https" if encrypted else "http"
        url = f"{scheme}://{HOST}:{opened.port}/v1"

        written = await client.put(f"{url}/later/a", json={}, headers={"X-Vault-Token": "t"})
        listed = await client.request("LIST", f"{url}/b")
        missing = await client.get(f"{url}/a/../b%00")

        assert 1 == opened.statistics.handed_over
    assert ("HTTP/2", 200, "later/a") == (
        written.http_version,
        written.status_code,
        written.json()["path"],
    )
    assert "b/" == listed.json()["path"]
    assert 400 == missing.status_code
    assert ["t", ""] == [request.token for request in application.asked]
    assert [HOST] * 2 == [request.client_address for request in application.asked]


async def test_http_2_connections_may_lie_idle(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    tls = ServerTls(ServerTlsSettings(*write(issued("server"), tmp_path)))
    timeouts = ListenerTimeouts(idle_s=50, read_header_s=5)
    async with serving(EchoApplication(), ListenerSettings(timeouts=timeouts), tls) as opened:
        context = client_context(protocols=("h2",))
        stream = trio.SSLStream(await dial(opened), context, server_hostname=HOST)
        await stream.do_handshake()
        with contextlib.suppress(trio.BrokenResourceError, ssl.SSLError):
            await until_end(stream)
        await stream.transport_stream.aclose()

    assert 50 <= autojump_clock.current_time() < 55


async def test_what_follows_a_request_is_given_back() -> None:
    settings = ListenerSettings()
    handover = Handover(build_app(EchoApplication(), settings), settings, Statistics())
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"/v1/b")
        rest = await handover.serve(PlainTransport(near), CHUNKED % b"a" + b"GET ", CLIENT)
        answer = far.recv(1 << 16)
        near.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            rest = (rest or b"") + near.recv(1 << 10)

    assert "a" == path_of(answers(answer)[0])
    assert b"GET /v1/b" == rest


class _Afterwards(trio.abc.Instrument):
    """Sends something in the midst of a run: when the loop is about to look for the nth time."""

    def __init__(self, client: socket.socket, data: bytes, looks: int) -> None:
        self._client = client
        self._data = data
        self._left = looks

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 -- trio gives it
        self._left -= 1
        if self._left == 0:
            self._client.sendall(self._data)


@pytest.mark.parametrize("looks", range(1, 16))
async def test_what_follows_a_request_is_given_back_whenever_it_comes(looks: int) -> None:
    """Else the rest of the next request would be taken for a request of its own."""
    settings = ListenerSettings()
    handover = Handover(build_app(EchoApplication(), settings), settings, Statistics())
    for _ in range(ROUNDS):
        near, far = socket.socketpair()
        with near, far:
            instrument = _Afterwards(far, b"GET /v1/b", looks)
            trio.lowlevel.add_instrument(instrument)
            rest = await handover.serve(PlainTransport(near), CHUNKED % b"a", CLIENT)
            for _ in range(looks):
                await trio.lowlevel.checkpoint()
            trio.lowlevel.remove_instrument(instrument)
            near.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                rest = (rest or b"") + near.recv(1 << 10)

        assert b"GET /v1/b" == rest


async def test_the_last_request_of_a_connection_is_followed_by_none() -> None:
    settings = ListenerSettings()
    handover = Handover(build_app(EchoApplication(), settings), settings, Statistics())
    near, far = socket.socketpair()
    data = (CHUNKED % b"a").replace(b"Host: a", b"Host: a\r\nConnection: close")
    with near, far:
        assert await handover.serve(PlainTransport(near), data, CLIENT) is None


async def test_slow_bodies_end(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        await stream.send_all(UNFINISHED)

        answer = await until_end(stream)

    assert 408 == answers(answer)[0][0]
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert 30 <= autojump_clock.current_time() < 40


async def test_heads_have_a_bound() -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        await stream.send_all(b"GET /v1/" + b"a" * HEAD_BYTES_MAX)

        answer = await until_end(stream)

    assert 431 == answers(answer)[0][0]


async def test_a_client_that_takes_nothing_does_not_hold_up_the_end() -> None:
    application = EchoApplication()
    async with serving(application) as opened, await dial(opened) as stream:
        await stream.send_all(CHUNKED % b"long/33554432")
        while not application.asked:
            await trio.testing.wait_all_tasks_blocked()
        await trio.testing.wait_all_tasks_blocked()

        await opened.drain(0)

        with contextlib.suppress(trio.BrokenResourceError):
            assert len(await until_end(stream)) < 33554432


async def test_a_client_that_has_said_all_is_gone() -> None:
    """As in the thin lane; that nobody waits any more is no fault of the server's."""
    application = EchoApplication()
    async with serving(application) as opened, await dial(opened) as stream:
        await stream.send_all(CHUNKED % b"held/a")
        while not application.held:
            await trio.testing.wait_all_tasks_blocked()
        await stream.send_eof()

        assert b"" == await until_end(stream)
    assert [1] == application.abandoned


async def test_a_client_that_has_said_all_gets_a_whole_answer_or_none() -> None:
    async with serving(EchoApplication()) as opened:
        for _ in range(ROUNDS):
            async with await dial(opened) as stream:
                await stream.send_all(CHUNKED % b"long/9")
                await stream.send_eof()

                answer = await until_end(stream)

            assert b"" == answer or [(200, b"x" * 9)] == answers(answer)


async def test_draining_ends_idle_connections() -> None:
    async with (
        serving(EchoApplication()) as opened,
        await dial(opened) as one,
        await dial(opened) as other,
    ):
        for stream in (one, other):
            await stream.send_all(CHUNKED % b"a")
            await until(stream, b"}")

        await opened.drain(60)

        assert (b"", b"") == (await until_end(one), await until_end(other))


@pytest.mark.slow
async def test_draining_finishes_what_is_handed_over_meanwhile() -> None:
    """The thin lane may be the first to be empty."""
    application = EchoApplication()
    async with serving(application) as opened, await dial(opened) as stream:
        await stream.send_all(CHUNKED % b"a")
        await until(stream, b"}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(opened.drain, 60)
            await trio.testing.wait_all_tasks_blocked()
            await stream.send_all(CHUNKED % b"held/b")
            with trio.fail_after(30):
                while not application.held:
                    await trio.lowlevel.checkpoint()
            for handle in list(application.held):
                application.release(handle)

            last = await until_end(stream)

    assert "held/b" == path_of(answers(last)[0])


@pytest.mark.slow
@pytest.mark.parametrize("request_", [GET, CHUNKED])
async def test_draining_ends_a_connection_whose_answer_promised_more(request_: bytes) -> None:
    """It may have begun long before, and be taken to its end only now."""
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        await stream.send_all(request_ % b"long/33554432")
        await stream.receive_some(1)
        async with trio.open_nursery() as nursery:
            drained = trio.Event()

            async def drain() -> None:
                await opened.drain(60)
                drained.set()

            nursery.start_soon(drain)
            with trio.move_on_after(2 * LINGER_S):
                await drained.wait()
            assert not drained.is_set()

            with trio.fail_after(30):
                await until_end(stream)


async def test_a_client_that_leaves_abandons_its_requests() -> None:
    application = EchoApplication()
    async with serving(application) as opened:
        async with (
            httpx.AsyncClient(http1=False, http2=True) as client,
            trio.open_nursery() as nursery,
        ):
            for name in ("a", "b"):
                url = f"http://{HOST}:{opened.port}/v1/held/{name}"
                nursery.start_soon(client.put, url)
            while len(application.held) < 2:
                await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

        assert [1, 2] == sorted(application.abandoned)
        assert 0 == len(opened._wide)
        assert 0 == opened.statistics.handovers_failed


@pytest.mark.parametrize("loaded", [True, False])
async def test_the_last_answer_of_a_connection_says_so(loaded: bool) -> None:
    async with serving(EchoApplication()) as opened, await dial(opened) as stream:
        if loaded:
            await stream.send_all(CHUNKED % b"a")
            assert b"connection: close" not in await until(stream, b"}")
        opened.retire()

        await stream.send_all(CHUNKED % b"b")
        last = await until_end(stream)

    assert "b" == path_of(answers(last)[0])
    assert b"\r\nconnection: close\r\n" in last


@pytest.mark.slow
async def test_a_connection_of_http_2_takes_any_number_of_requests() -> None:
    """Left alone, Hypercorn does not answer the 1,001st."""
    async with (
        serving(EchoApplication()) as opened,
        httpx.AsyncClient(http1=False, http2=True) as client,
    ):
        url = f"http://{HOST}:{opened.port}/v1/a"
        statuses = {(await client.get(url)).status_code for _ in range(1_100)}

        assert ({200}, 1) == (statuses, opened.statistics.handed_over)


class _Faulty(PlainTransport):
    """A transport that fails in a way that nobody foresaw."""

    def receive(self) -> bytes | None:
        raise ZeroDivisionError


async def test_an_unforeseen_fault_ends_its_connection_only() -> None:
    settings = ListenerSettings()
    statistics = Statistics()
    handover = Handover(build_app(EchoApplication(), settings), settings, statistics)
    near, far = socket.socketpair()
    with near:
        far.close()
        rest = await handover.serve(_Faulty(near), UNFINISHED, CLIENT)

    assert (1, 0, None) == (statistics.handovers_failed, len(handover), rest)
