"""The door of the wide lane, with Hypercorn behind it."""

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
import trio
import trio.testing

from net.http.application import Application
from net.http.requests import Client
from net.http.settings import ListenerSettings
from net.http.statistics import Statistics
from net.http.wide import AsgiApp, WideLane
from net.stream import PlainTransport
from server.app import build_app
from tests.net.http.bench import answers, path_of
from tests.net.http.echo import EchoApplication
from tests.net.http.serving import HOST, until, until_end

CHUNKED = b"PUT /v1/%b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
SETTINGS = ListenerSettings()
CLIENT = Client(HOST, 4711)


def wide(build: Callable[[], AsgiApp]) -> WideLane:
    return WideLane(build, SETTINGS, Statistics())


def echo() -> AsgiApp:
    application: Application = EchoApplication()
    return build_app(application, SETTINGS)


def connected() -> tuple[PlainTransport, trio.SocketStream]:
    with socket.create_server((HOST, 0)) as listening:
        far = socket.create_connection(listening.getsockname())
        near, _ = listening.accept()
    return PlainTransport(near), trio.SocketStream(trio.socket.from_stdlib_socket(far))


@pytest.mark.slow
def test_a_start_loads_nothing_of_it() -> None:
    """Nor the client that a node needs only to join; each costs every start time and memory."""
    program = "import sys, server.process; print(*sys.modules)"
    loaded = subprocess.run(
        (sys.executable, "-c", program), capture_output=True, text=True, check=True
    ).stdout

    assert {"h2", "httpx", "hypercorn", "starlette"}.isdisjoint(loaded.split())


async def test_connections_that_come_together_load_it_once() -> None:
    built: list[AsgiApp] = []

    def build() -> AsgiApp:
        built.append(echo())
        return built[-1]

    lane = wide(build)
    pairs = [connected() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        async with lane._loading:
            for transport, _ in pairs:
                nursery.start_soon(lane.serve, transport, CHUNKED % b"a", CLIENT)
            await trio.testing.wait_all_tasks_blocked()
            count = len(lane)
        said = [await until(stream, b"}") for _, stream in pairs]
        await lane.drain()
        for transport, stream in pairs:
            transport.close()
            await stream.aclose()

    assert ["a"] * 3 == [path_of(answers(each)[0]) for each in said]
    assert (1, 3, 0) == (len(built), count, len(lane))


async def test_a_drain_counts_who_waits_for_it() -> None:
    lane = wide(echo)
    transport, stream = connected()
    async with trio.open_nursery() as nursery:
        async with lane._loading:
            nursery.start_soon(lane.serve, transport, CHUNKED % b"a", CLIENT)
            await trio.testing.wait_all_tasks_blocked()
            waiting = len(lane)
            nursery.start_soon(lane.drain)
            await trio.testing.wait_all_tasks_blocked()
        assert "a" == path_of(answers(await until(stream, b"}"))[0])
        await stream.aclose()
    transport.close()

    assert (1, 0) == (waiting, len(lane))


async def test_who_can_wait_no_longer_is_closed() -> None:
    def build() -> AsgiApp:
        raise ImportError("no module named starlette")

    lane = wide(build)
    transport, stream = connected()
    with pytest.raises(ImportError, match="starlette"):
        await lane.serve(transport, b"", CLIENT)
    rest = await until_end(stream)
    await stream.aclose()

    assert (b"", 0) == (rest, len(lane))


async def test_where_nobody_came_there_is_nothing_to_end() -> None:
    lane = wide(echo)
    lane.close()

    await lane.drain()

    assert 0 == len(lane)


async def test_close_ends_all_at_once() -> None:
    lane = wide(echo)
    transport, stream = connected()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lane.serve, transport, CHUNKED % b"a", CLIENT)
        await until(stream, b"}")
        lane.close()
        rest = await until_end(stream)
        await stream.aclose()

    assert (b"", 0) == (rest, len(lane))
