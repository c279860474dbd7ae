"""A listener takes connections, bounds them, survives what happens to it, and ends in order."""

import contextlib
import resource
import socket
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from net import descriptors
from net.http.listener import (
    ACCEPT_BURST_MAX,
    ACCEPT_PAUSE_S,
    SWEEP_INTERVAL_S,
    CannotListenError,
    Listener,
)
from net.http.settings import ListenerSettings, ListenerTimeouts
from net.tls import ServerTls, ServerTlsSettings
from tests.net.certificates import issued, write
from tests.net.http.bench import GET, answers, path_of
from tests.net.http.echo import BrokenApplication, EchoApplication
from tests.net.http.serving import HOST, dial, listener, running, serving, until, until_end
from tests.net.tls_client import client_context

SHARE = 20
"""Descriptors that are taken at first, and leave enough for both ends of a connection."""
LAST = b"GET /v1/%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
CHUNKED = b"PUT /v1/%b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


async def ask(opened: Listener, request: bytes) -> bytes:
    """Return all that comes on a new connection after this."""
    async with await dial(opened) as stream:
        await stream.send_all(request)
        return await until_end(stream)


async def test_a_listener_serves() -> None:
    async with serving(EchoApplication()) as opened:
        answer = await ask(opened, LAST % b"a")

        assert "a" == path_of(answers(answer)[0])
        assert (1, 1) == (opened.statistics.accepted, opened.statistics.requests)


async def test_a_listener_serves_under_tls(tmp_path: Path) -> None:
    tls = ServerTls(ServerTlsSettings(*write(issued("server"), tmp_path)))
    async with serving(EchoApplication(), tls=tls) as opened:
        stream = trio.SSLStream(await dial(opened), client_context(), server_hostname=HOST)
        await stream.send_all(LAST % b"a")

        answer = await until_end(stream)
        await stream.aclose()

    assert "a" == path_of(answers(answer)[0])


def test_a_port_in_use_is_an_error_at_once() -> None:
    opened = listener(EchoApplication())

    with pytest.raises(CannotListenError, match=f"{HOST}:{opened.port}: Address already in use"):
        listener(EchoApplication(), port=opened.port)
    opened.close()


def test_an_address_that_is_not_ours_is_an_error() -> None:
    settings = ListenerSettings()

    with pytest.raises(CannotListenError, match=r"192\.0\.2\.1:0: Cannot assign"):
        Listener(
            "192.0.2.1",
            0,
            application=EchoApplication(),
            build_app=lambda _: _no_app,
            settings=settings,
        )


async def _no_app(*_: object) -> None:
    """Serve nothing."""


async def is_reset(opened: Listener) -> bool:
    """Tell whether a new connection is reset, which may be as early as while it is made."""
    with socket.create_connection((opened.host, opened.port)) as client:
        client.settimeout(0)
        await trio.lowlevel.wait_readable(client)
        try:
            return client.recv(1) == b"?"
        except ConnectionResetError:
            return True


async def test_more_connections_than_the_limit_are_reset() -> None:
    async with serving(EchoApplication(), ListenerSettings(connections_max=1)) as opened:
        async with await dial(opened) as first:
            await first.send_all(GET % b"a")
            await until(first, b"}")

            assert await is_reset(opened)

            await first.send_all(LAST % b"b")
            await until_end(first)
        again = await ask(opened, LAST % b"c")

        assert "c" == path_of(answers(again)[0])
        assert (2, 1) == (opened.statistics.accepted, opened.statistics.refused)


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
async def test_clients_get_no_descriptor_beyond_their_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, secured: bool
) -> None:
    """The others are for the log and for peers. A client is served once a lower one is free."""
    tls = ServerTls(ServerTlsSettings(*write(issued("server"), tmp_path))) if secured else None
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as taken:
        end = max(taken.enter_context(socket.socket()).fileno() for _ in range(SHARE)) + 1
        monkeypatch.setattr(descriptors, "DESCRIPTORS_MAX", 2 * end)
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * end, before[1]))
        try:
            opened = listener(EchoApplication(), tls=tls)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        async with running(opened):
            assert await is_reset(opened)
            taken.close()
            stream: trio.abc.Stream = await dial(opened)
            if secured:
                stream = trio.SSLStream(stream, client_context(), server_hostname=HOST)
            await stream.send_all(LAST % b"a")
            answer = await until_end(stream)
            await stream.aclose()

    assert (1, 1) == (opened.statistics.accepted, opened.statistics.refused)
    assert "a" == path_of(answers(answer)[0])


async def test_the_log_tells_that_clients_are_turned_away(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Once a second at most, and only if there were more of them."""
    with structlog.testing.capture_logs() as logged:
        async with serving(EchoApplication(), ListenerSettings(connections_max=0)) as opened:
            for _ in range(3):
                assert await is_reset(opened)
            await trio.sleep(3 * SWEEP_INTERVAL_S)  # of virtual time

    told = [line for line in logged if line["event"] == "clients are turned away"]
    assert [(3, 0)] == [(line["refused"], line["not_accepted"]) for line in told]
    assert autojump_clock.current_time() >= 3 * SWEEP_INTERVAL_S


async def test_connections_at_hypercorn_count_too() -> None:
    async with serving(EchoApplication(), ListenerSettings(connections_max=1)) as opened:
        async with await dial(opened) as first:
            await first.send_all(CHUNKED % b"a")
            await until(first, b"}")

            assert await is_reset(opened)

        assert (1, 1) == (opened.statistics.handed_over, opened.statistics.refused)


async def test_a_connection_that_waits_too_long_is_swept_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    settings = ListenerSettings(timeouts=ListenerTimeouts(read_header_s=0))
    async with serving(EchoApplication(), settings) as opened:
        async with await dial(opened) as stream:
            assert b"" == await until_end(stream)

        assert 1 == opened.statistics.expired
        assert autojump_clock.current_time() >= SWEEP_INTERVAL_S


async def test_a_listener_without_descriptors_waits_for_some(
    autojump_clock: trio.testing.MockClock,
) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving(EchoApplication()) as opened:
        with socket.socket() as client, trio.socket.from_stdlib_socket(client) as waiting:
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, before[1]))
            try:
                await waiting.connect((opened.host, opened.port))
                await trio.testing.wait_all_tasks_blocked()
                accepted = opened.statistics.accepted
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            await waiting.send(LAST % b"a")
            answer = await until_end(trio.SocketStream(waiting))

    assert (0, True) == (accepted, opened.statistics.not_accepted > 0)
    assert "a" == path_of(answers(answer)[0])
    assert autojump_clock.current_time() >= ACCEPT_PAUSE_S


def test_connections_are_taken_in_bursts() -> None:
    opened = listener(EchoApplication())
    with contextlib.ExitStack() as stack:
        for _ in range(ACCEPT_BURST_MAX + 1):
            client = stack.enter_context(socket.create_connection((HOST, opened.port)))
            client.settimeout(0)

        bursts = []
        for _ in range(3):
            opened._accept_burst()
            bursts.append(opened.statistics.accepted)

        assert [ACCEPT_BURST_MAX, ACCEPT_BURST_MAX + 1, ACCEPT_BURST_MAX + 1] == bursts
        opened.close()


async def test_a_listener_that_cannot_go_on_says_so() -> None:
    opened = listener(EchoApplication())
    opened._socket.shutdown(socket.SHUT_RD)

    with pytest.RaisesGroup(OSError):
        await opened.serve()

    assert -1 == opened._socket.fileno()


async def test_draining_finishes_what_is_under_way() -> None:
    application = EchoApplication()
    opened = listener(application)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(opened.serve)
        async with await dial(opened) as thin, await dial(opened) as wide:
            await thin.send_all(GET % b"held/a")
            await wide.send_all(CHUNKED % b"held/b")
            while len(application.held) < 2:
                await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(opened.drain, 60)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(OSError, match="failed"):
                await dial(opened)
            for handle in list(application.held):
                application.release(handle)
            first, second = await until_end(thin), await until_end(wide)

    assert ["held/a", "held/b"] == [path_of(answers(each)[0]) for each in (first, second)]


async def test_who_has_connected_before_a_drain_is_answered() -> None:
    """Even if nobody has noticed yet that there is a new connection."""
    opened = listener(EchoApplication())
    with socket.create_connection((HOST, opened.port)) as client:
        client.sendall(GET % b"a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(opened.drain, 60)
            nursery.start_soon(opened.serve)

        answer = client.recv(1 << 16)

    assert "a" == path_of(answers(answer)[0])
    assert b"\r\nConnection: close\r\n" in answer


async def test_draining_cuts_off_what_takes_too_long() -> None:
    application = EchoApplication()
    async with (
        serving(application) as opened,
        await dial(opened) as thin,
        await dial(opened) as wide,
    ):
        await thin.send_all(GET % b"held/a")
        await wide.send_all(CHUNKED % b"held/b")
        while len(application.held) < 2:
            await trio.testing.wait_all_tasks_blocked()

        await opened.drain(0)

        assert (b"", b"") == (await until_end(thin), await until_end(wide))
    assert [1, 2] == sorted(application.abandoned)


@pytest.mark.parametrize("request_", [GET % b"broken", CHUNKED % b"broken"])
async def test_a_fault_of_the_application_ends_the_listener(request_: bytes) -> None:
    opened = listener(BrokenApplication())
    stream = await dial(opened)
    await stream.send_all(request_)

    with pytest.RaisesGroup(ZeroDivisionError):
        await opened.serve()

    await stream.aclose()
    with pytest.raises(OSError, match="failed"):
        await dial(opened)
