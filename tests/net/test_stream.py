"""Plain sockets without waiting, and any transport as a trio stream."""

import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from net.stream import RECEIVE_BYTES_MAX, PlainTransport, TransportStream, discard

Pair = tuple[socket.socket, socket.socket]
LONG = b"0123456789abcdef" * (256 << 10)


@pytest.fixture(name="pair")
def connected_pair() -> Iterator[Pair]:
    """Two connected sockets with room for little."""
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 10)
    with near, far:
        yield near, far


def reset(connected: socket.socket) -> None:
    """Close a socket whose input was not read, which breaks the connection."""
    connected.close()


def test_a_transport_receives_what_is_there(pair: Pair) -> None:
    near, far = pair
    transport = PlainTransport(near)

    nothing = transport.receive()
    far.sendall(b"abc")
    something = transport.receive()
    far.shutdown(socket.SHUT_WR)
    end = transport.receive()

    assert (None, b"abc", b"") == (nothing, something, end)


def test_a_broken_connection_is_at_its_end(pair: Pair) -> None:
    near, far = pair
    transport = PlainTransport(near)
    near.send(b"unread")
    far.close()

    received = transport.receive()

    assert b"" == received
    with pytest.raises(BrokenPipeError):
        transport.send(b"a")


def test_a_transport_that_has_finished_lets_the_other_side_go_on(pair: Pair) -> None:
    near, far = pair
    transport = PlainTransport(near)

    transport.finish()
    end = far.recv(1)
    nothing = discard(near)
    far.send(b"abc")
    something = discard(near)
    far.close()

    assert (b"", None, 3, 0) == (end, nothing, something, discard(near))
    transport.finish()


def test_what_a_broken_connection_holds_is_at_its_end(pair: Pair) -> None:
    near, far = pair
    near.settimeout(0)
    near.send(b"unread")
    far.close()

    assert 0 == discard(near)


def test_a_transport_sends_what_there_is_room_for(pair: Pair) -> None:
    near, far = pair
    transport = PlainTransport(near)

    first = transport.send(LONG)
    second = transport.send(LONG[first:])
    transport.close()
    transport.close()

    assert 0 < first < len(LONG)
    assert 0 == second
    with far.makefile("rb") as incoming:
        assert LONG[:first] == incoming.read()


async def test_a_stream_begins_with_what_was_received(pair: Pair) -> None:
    near, far = pair
    far.sendall(b"def")
    far.close()
    stream = TransportStream(PlainTransport(near), received=b"abc")

    received = [
        await stream.receive_some(2),
        await stream.receive_some(),
        await stream.receive_some(),
        await stream.receive_some(),
    ]

    assert [b"ab", b"c", b"def", b""] == received


async def test_a_stream_carries_much_both_ways(pair: Pair) -> None:
    near, far = (TransportStream(PlainTransport(each)) for each in pair)
    received = bytearray()

    async def receive() -> None:
        while chunk := await far.receive_some():
            assert len(chunk) <= RECEIVE_BYTES_MAX
            received.extend(chunk)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await near.send_all(LONG)
        await near.wait_send_all_might_not_block()
        await near.aclose()

    assert LONG == received


async def test_a_stream_gives_up_on_who_takes_nothing(pair: Pair) -> None:
    near, _ = pair
    stream = TransportStream(PlainTransport(near), write_s=0.01)

    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(LONG)


async def test_sending_into_a_broken_connection_fails(pair: Pair) -> None:
    near, far = pair
    far.close()

    with pytest.raises(trio.BrokenResourceError):
        await TransportStream(PlainTransport(near)).send_all(b"a")


async def test_closing_wakes_who_waits(pair: Pair) -> None:
    near, _ = pair
    stream = TransportStream(PlainTransport(near))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_expect_closed, stream)
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()
        await stream.aclose()

    with pytest.raises(trio.ClosedResourceError):
        await stream.send_all(b"a")


async def _expect_closed(stream: TransportStream) -> None:
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
