"""A real listener on the loopback address, for tests."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial

import trio

from net.http.listener import Listener
from net.http.settings import ListenerSettings
from net.tls import ServerTls
from server.app import build_app
from tests.net.http.echo import EchoApplication

HOST = "127.0.0.1"


def listener(
    application: EchoApplication,
    settings: ListenerSettings | None = None,
    tls: ServerTls | None = None,
    *,
    port: int = 0,
) -> Listener:
    """Return a listener on a free port, unless one is named."""
    settings = settings or ListenerSettings()
    build = partial(build_app, settings=settings)
    return Listener(
        HOST, port, application=application, build_app=build, settings=settings, tls=tls
    )


@contextlib.asynccontextmanager
async def serving(
    application: EchoApplication,
    settings: ListenerSettings | None = None,
    tls: ServerTls | None = None,
) -> AsyncIterator[Listener]:
    """Serve on a free port, and drain in the end without patience."""
    opened = listener(application, settings, tls)
    async with running(opened):
        yield opened


@contextlib.asynccontextmanager
async def running(opened: Listener) -> AsyncIterator[None]:
    """Let a listener serve, and drain in the end without patience."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(opened.serve)
        yield
        await opened.drain(0)


async def dial(opened: Listener) -> trio.SocketStream:
    """Return the client's side of a new connection."""
    return await trio.open_tcp_stream(opened.host, opened.port)


async def until_end(stream: trio.abc.ReceiveStream) -> bytes:
    """Return everything that comes before the other side ends the connection."""
    return b"".join([chunk async for chunk in stream])


async def until(stream: trio.abc.ReceiveStream, end: bytes) -> bytes:
    """Return what comes, which ends with this."""
    data = b""
    while not data.endswith(end):
        chunk = await stream.receive_some()
        assert chunk, data
        data += chunk
    return data
