"""Members talk to each other over loopback, and to nobody else."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from core import effects, events
from core.node.messages import Forwarded, Inquiry, Message, Removed, encode_message
from core.raft.configuration import Configuration, Member
from core.request import Response
from net import credentials, membership, peer_caller, peer_connection, peers
from net.http.listener import CannotListenError
from net.peer_connection import SendQueue
from net.peer_frames import FRAME_VERSION
from net.peers import Peers
from net.stream import TransportStream
from tests.net.members import credentials_of

PATIENCE_S = 10.0


def message(number: int, size: int = 0) -> Message:
    return Forwarded(1, number, Response(200, b"x" * size))


class Place:
    """One node's end of the transport.

    Attributes:
        peers: it.
        received: what came, as (sender, message).
    """

    def __init__(self, directory: Path, node: str, *, identified: bool = True) -> None:
        directory.mkdir(exist_ok=True)
        if identified:
            credentials.save(directory, credentials_of(node))
        self.node = node
        self.peers = Peers("127.0.0.1:0", directory)
        self.received: list[tuple[str, Message]] = []
        self.turns: list[int] = []

    @property
    def member(self) -> Member:
        return Member(self.node, f"{self.peers.host}:{self.peers.port}", "")

    def post(self, *taken: events.Event) -> None:
        self.turns.append(len(taken))
        for event in taken:
            assert isinstance(event, events.Received)
            self.received.append((event.sender, event.message))

    def waiting(self, receiver: str) -> int:
        """Return how many bytes wait to be sent."""
        return self.peers._callers[receiver].queue._bytes

    def know(
        self, *others: "Place", removed: tuple[str, ...] = (), leaving: tuple[str, ...] = ()
    ) -> None:
        members = {place.node: place.member for place in (self, *others)}
        configuration = Configuration(tuple(sorted(members)), members=members)
        self.peers.admit(effects.AdmitPeers(configuration, removed, leaving))

    def send(self, receiver: str, *messages: Message) -> None:
        for each in messages:
            self.peers.send(effects.Send(receiver, each))


@asynccontextmanager
async def running(*places: Place) -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        for place in places:
            nursery.start_soon(place.peers.run, place.node, place.post)
        await trio.testing.wait_all_tasks_blocked()
        yield nursery
        nursery.cancel_scope.cancel()


async def until(reached: Callable[[], bool], meanwhile: Callable[[], object] = bool) -> None:
    """Wait for the network: nothing else tells when something has come."""
    with trio.fail_after(PATIENCE_S):
        while not reached():
            meanwhile()
            await trio.sleep(0.005)  # the network gives no sign of its own


def pair(tmp_path: Path) -> tuple[Place, Place]:
    one, two = (Place(tmp_path / node, node) for node in ("a", "b"))
    one.know(two)
    two.know(one)
    return one, two


async def test_messages_arrive_in_order_and_together(tmp_path: Path) -> None:
    """What was sent in one turn comes as one turn."""
    one, two = pair(tmp_path)
    async with running(one, two):
        one.send("b", *map(message, range(5)))
        await until(lambda: len(two.received) == 5)
        two.send("a", message(9))
        await until(lambda: len(one.received) == 1)

    assert [("a", message(number)) for number in range(5)] == two.received
    assert [5] == two.turns
    assert [("b", message(9))] == one.received


async def test_a_long_message_arrives_whole(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    async with running(one, two):
        one.send("b", message(1, 5 << 20), message(2))
        await until(lambda: len(two.received) == 2)

    assert [("a", message(1, 5 << 20)), ("a", message(2))] == two.received


async def test_strangers_get_nothing(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    async with running(one, two):
        one.send("c", message(1))
        one.send("b", message(2))
        await until(lambda: two.received != [])

    assert [("a", message(2))] == two.received


async def test_nothing_leaves_before_a_node_has_credentials(tmp_path: Path) -> None:
    """They count from then on, and at the next start."""
    one = Place(tmp_path / "a", "a", identified=False)
    two = Place(tmp_path / "b", "b")
    one.know(two)
    two.know(one)
    own = credentials_of("a")
    async with running(one, two):
        one.send("b", message(1))
        two.send("a", message(2))
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert ([], []) == (one.received, two.received)
        one.peers.identify(
            effects.IssueIdentity(
                own.certificate.encode(), own.key.encode(), own.authority.encode(), own.cluster
            )
        )
        await until(lambda: two.received != [])
        await until(lambda: one.received != [], lambda: two.send("a", message(2)))

    assert ("a", message(1)) == two.received[0]
    assert own == credentials.load(tmp_path / "a")


@pytest.mark.slow
async def test_who_was_removed_is_told_so_and_heard_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the connection that it has, and whenever it calls again."""
    monkeypatch.setattr(peers, "PARTING_S", 0.05)
    one, two = pair(tmp_path)
    three = Place(tmp_path / "c", "c")
    one.know(two, three)
    three.know(one)
    async with running(one, two, three):
        three.send("a", message(1))
        await until(lambda: one.received != [])

        one.know(two, removed=("c",))

        assert 1 == one.peers.refused
        await until(lambda: three.received != [], lambda: three.send("a", message(2)))
        await until(lambda: one.peers.refused == 3, lambda: three.send("a", Inquiry()))
        await until(lambda: len(three.received) == 3)
        two.send("a", message(3))
        await until(lambda: len(one.received) == 2)

    assert [("c", message(1)), ("b", message(3))] == one.received
    assert [("a", Removed())] * 3 == three.received
    assert ("c",) == membership.load(tmp_path / "a").removed
    again = Place(tmp_path / "a", "a")
    again.peers._socket.close()
    assert (True, False) == (again.peers.was_removed("c"), again.peers.was_removed("b"))


async def test_what_is_queued_for_a_removed_node_leaves_first(tmp_path: Path) -> None:
    """It may be the answer to the request that removed it."""
    one, two = pair(tmp_path)
    async with running(one, two):
        two.send("a", message(1))
        one.send("b", message(1))
        await until(lambda: one.received != [] and two.received != [])

        one.send("b", message(2, 1 << 20))
        one.know(removed=("b",))
        await until(lambda: len(two.received) == 3)

    assert ("a", message(2, 1 << 20)) in two.received
    assert ("a", Removed()) in two.received


async def test_who_is_leaving_is_still_sent_to_and_heard(tmp_path: Path) -> None:
    """Its leader has no other way to tell it."""
    one, two = pair(tmp_path)
    async with running(one, two):
        one.know(leaving=("b",))
        one.send("b", message(1))
        await until(lambda: two.received != [])
        two.send("a", message(2))
        await until(lambda: one.received != [])

        one.know()
        assert {} == one.peers._callers

    assert ([("b", message(2))], [("a", message(1))]) == (one.received, two.received)


async def test_a_removed_node_that_does_not_hang_up_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "PARTING_S", 0.05)
    one, two = pair(tmp_path)
    async with running(two):
        two.know(removed=("a",))
        stream = await _connected(one, two)
        with trio.fail_after(PATIENCE_S):
            told = await stream.receive_some()
            assert b"" == await stream.receive_some()
        stream.abort()
        await until(lambda: two.peers._handshakes == 0)

    assert encode_message(Removed()) in told
    one.peers._socket.close()


async def test_a_node_that_is_behind_hears_and_answers_members_it_does_not_know(
    tmp_path: Path,
) -> None:
    """One that joined while it was away may lead by now."""
    one, two = pair(tmp_path)
    leader = Place(tmp_path / "c", "c")
    leader.know(one, two)
    async with running(one, leader):
        leader.send("a", message(1))
        await until(lambda: one.received != [])
        one.send("c", message(2))
        await until(lambda: leader.received != [])

    assert [("c", message(1))] == one.received
    assert [("a", message(2))] == leader.received
    two.peers._socket.close()


async def test_members_are_known_again_after_a_start(tmp_path: Path) -> None:
    """A node without log and base can answer its leader."""
    one, two = pair(tmp_path)
    two.peers._socket.close()
    again = Place(tmp_path / "b", "b")
    async with running(one, again):
        again.send("a", message(1))
        await until(lambda: one.received != [])

    assert [("b", message(1))] == one.received


async def test_who_is_merely_missing_is_not_removed(tmp_path: Path) -> None:
    """A joiner is told all members and then replays a log that begins with fewer."""
    one, two = pair(tmp_path)
    one.know()
    assert () == membership.load(tmp_path / "a").removed
    async with running(one, two):
        two.send("a", message(1))
        await until(lambda: one.received != [])
        one.send("b", message(2))
        await until(lambda: two.received != [])

    assert ([("b", message(1))], [("a", message(2))]) == (one.received, two.received)


async def test_a_peer_that_comes_back_is_called_again(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    async with running(one):
        async with running(two):
            one.send("b", message(1))
            await until(lambda: two.received != [])
        again = Place(tmp_path / "b", "b")
        one.know(again)
        async with running(again):
            await until(lambda: again.received != [], lambda: one.send("b", message(2)))

    assert ("a", message(2)) == again.received[-1]


async def test_a_peer_that_does_not_answer_is_called_again(tmp_path: Path) -> None:
    """What was meant for it meanwhile is forgotten."""
    one, two = pair(tmp_path)
    port = two.peers.port
    two.peers._socket.close()
    async with running(one):
        one.send("b", message(1))
        await until(lambda: one.waiting("b") == 0)
        again = Place(tmp_path / "b", "b")
        again.peers._socket.close()
        again.peers._socket = peers._listen(f"127.0.0.1:{port}")
        again.know(one)
        async with running(again):
            await until(lambda: again.received != [], lambda: one.send("b", message(2)))

    assert ("a", message(2)) == again.received[-1]


async def test_another_node_at_the_address_gets_nothing(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    three = Place(tmp_path / "c", "c")
    members = {"a": one.member, "b": three.member}
    one.peers.admit(effects.AdmitPeers(Configuration(("a", "b"), members=members)))
    async with running(one, three):
        one.send("b", message(1))
        await until(lambda: one.waiting("b") == 0)

    assert [] == three.received
    two.peers._socket.close()


async def test_another_authority_opens_nothing(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    credentials.save(tmp_path / "a", credentials_of("a", "another authority"))
    one.peers._socket.close()
    one = Place(tmp_path / "a", "a", identified=False)
    one.know(two)
    two.know(one)
    async with running(one, two):
        one.send("b", message(1))
        await until(lambda: one.waiting("b") == 0)
        two.send("a", message(1))
        await until(lambda: two.waiting("a") == 0)

    assert ([], []) == (one.received, two.received)


async def test_what_is_no_message_ends_the_connection(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    async with running(two):
        stream = await _connected(one, two)
        await stream.send_all(bytes([FRAME_VERSION + 1]) * 5)
        with trio.fail_after(PATIENCE_S):
            assert b"" == await stream.receive_some()
        stream.abort()

    assert ([], 1) == (two.received, two.peers.malformed)
    one.peers._socket.close()


async def test_a_new_connection_takes_the_place_of_the_former(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    async with running(two):
        streams = [await _connected(one, two)]
        await until(lambda: "a" in two.peers._callees)
        streams.append(await _connected(one, two))
        with trio.fail_after(PATIENCE_S):
            assert b"" == await streams[0].receive_some()
        assert 1 == len(two.peers._callees)
        for stream in streams:
            stream.abort()
        await until(lambda: two.peers._callees == {})
    one.peers._socket.close()


async def test_who_does_not_shake_hands_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so many at most may try at a time."""
    monkeypatch.setattr(peers, "HANDSHAKE_S_MAX", 0.05)
    monkeypatch.setattr(peers, "HANDSHAKES_MAX", 1)
    one, two = pair(tmp_path)
    async with running(two):
        silent = [socket.create_connection((two.peers.host, two.peers.port)) for _ in range(2)]
        for each in silent:
            each.setblocking(False)  # noqa: FBT003 -- its name says what it is
            with trio.fail_after(PATIENCE_S):
                await trio.lowlevel.wait_readable(each)
            assert b"" == each.recv(1)
            each.close()
        assert 0 == two.peers._handshakes
    one.peers._socket.close()


async def test_so_many_strangers_at_most_are_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members are always let in."""
    monkeypatch.setattr(peers, "CALLEES_MAX", 0)
    one, two = pair(tmp_path)
    stranger = Place(tmp_path / "c", "c")
    stranger.know(two)
    async with running(one, two, stranger):
        stranger.send("b", message(1))
        await until(lambda: two.peers.refused > 0, lambda: stranger.send("b", message(1)))
        one.send("b", message(2))
        await until(lambda: two.received != [])

    assert [("a", message(2))] == two.received


async def test_a_member_that_moves_is_called_where_it_is(tmp_path: Path) -> None:
    one, two = pair(tmp_path)
    async with running(one):
        one.send("b", message(1))
        elsewhere = Place(tmp_path / "b", "b")
        one.know(elsewhere)
        async with running(elsewhere):
            await until(lambda: elsewhere.received != [], lambda: one.send("b", message(2)))

    assert ("a", message(2)) == elsewhere.received[-1]
    two.peers._socket.close()


def test_the_oldest_messages_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is too long by itself is not dropped: nothing would ever be sent."""
    monkeypatch.setattr(peer_connection, "QUEUE_BYTES_MAX", 100)
    queue = SendQueue()
    for number in range(10):
        queue.put(bytes([number]) * 45)
    sent = queue.take()
    queue.put(bytes(200))

    assert (8, bytes([8]) * 45, bytes([9]) * 45) == (queue.dropped, sent[5:50], sent[-45:])
    assert (8, b"") == (queue.dropped, queue.take()[205:])


async def test_dropped_messages_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those for members that are gone."""
    monkeypatch.setattr(peer_connection, "QUEUE_BYTES_MAX", 1)
    one, two = pair(tmp_path)
    two.peers._socket.close()
    async with running(one):
        one.send("b", message(1), message(2), message(3))
        counted = one.peers.dropped
        one.know()
        assert [2, 2] == [counted, one.peers.dropped]


@pytest.mark.parametrize("address", ["127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:0", "nowhere"])
def test_an_address_that_is_not_ours_is_an_error(tmp_path: Path, address: str) -> None:
    with pytest.raises(CannotListenError, match=f"cannot listen on {address}"):
        Peers(address, tmp_path)


def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    first = Peers("127.0.0.1:0", tmp_path)

    with pytest.raises(CannotListenError, match="in use"):
        Peers(f"127.0.0.1:{first.port}", tmp_path)
    first._socket.close()


def test_an_address_may_be_of_the_sixth_version(tmp_path: Path) -> None:
    listening = Peers("[::1]:0", tmp_path)

    assert "::1" == listening.host
    listening._socket.close()


async def _connected(one: Place, two: Place) -> TransportStream:
    """Call a place as another does."""
    caller = peer_caller.Caller(two.node, two.member.cluster_address, one.peers._entropy)
    assert one.peers._tls is not None
    stream = await caller._connect(one.peers._tls)
    assert stream is not None
    return stream


async def test_a_handshake_that_stalls_is_cut_off_and_few_are_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members are heard all the same, once there is a place."""
    monkeypatch.setattr(peers, "HANDSHAKE_S_MAX", 0.1)
    monkeypatch.setattr(peers, "HANDSHAKES_MAX", 2)
    one, two = pair(tmp_path)
    async with running(one, two):
        silent = [await trio.open_tcp_stream(one.peers.host, one.peers.port) for _ in range(3)]
        with trio.fail_after(PATIENCE_S):
            ends = [await stream.receive_some() for stream in silent]
        for stream in silent:
            await stream.aclose()
        two.send("a", message(1))
        await until(lambda: one.received != [], lambda: two.send("a", message(1)))

    assert [b""] * 3 == ends
    assert ("b", message(1)) == one.received[0]
