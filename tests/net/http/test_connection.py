"""The conversation of one connection, step by step."""

import contextlib
import socket
import time
from pathlib import Path

import pytest
import trio

from core.request import Response
from net.http.connection import (
    LINGER_BYTES_MAX,
    LINGER_S,
    SPOKE_PLAIN_HTTP,
    Awaits,
    Connection,
)
from net.http.judgement import BAD_HOST
from net.http.requests import TIMED_OUT
from net.http.settings import ListenerSettings, ListenerTimeouts
from net.tls import ServerTls, ServerTlsSettings
from tests.net.certificates import issued, write
from tests.net.http.bench import ADDRESS, GET, PUT, Bench, answers, bench, ended, path_of, received
from tests.net.tls_client import Client, client_context

TIMEOUTS = ListenerTimeouts(idle_s=1000, read_header_s=10, read_s=100, write_s=1)
TURNS_MAX = 1000
SETTINGS = ListenerSettings(timeouts=TIMEOUTS, request_bytes_max=1 << 20)


def only(lane: Bench) -> Connection:
    """Return the connection that is left in a lane."""
    (connection,) = lane.lane._connections.values()
    return connection


def expires_within(lane: Bench, seconds: float) -> bool:
    """Tell whether the connection ends that much later at the latest, and not at once."""
    now_s = time.monotonic()
    lane.lane.sweep(now_s)
    assert len(lane.lane) == 1
    lane.lane.sweep(now_s + seconds)
    return len(lane.lane) == 0


def test_a_request_is_answered_in_the_turn_in_which_it_came() -> None:
    with bench() as lane:
        answer = lane.exchange(lane.connect(), GET % b"a?b=c")

        (asked,) = lane.application.asked

    assert "a" == path_of(answers(answer)[0])
    assert ("read", "a", {"b": "c"}) == (asked.operation, asked.path, asked.parameters)
    assert (ADDRESS, 4711) == (asked.client_address, asked.client_port)
    assert 1 == lane.statistics.requests


def test_a_connection_serves_many_requests() -> None:
    with bench() as lane:
        client = lane.connect()

        paths = [path_of(answers(lane.exchange(client, GET % name))[0]) for name in (b"a", b"b")]

    assert ["a", "b"] == paths


def test_a_request_may_come_byte_by_byte() -> None:
    request = PUT % 4 + b"body"
    with bench() as lane:
        client = lane.connect()

        came = [lane.exchange(client, request[at : at + 1]) for at in range(len(request))]

        assert [b""] == sorted(set(came[:-1]))
        assert 200 == answers(came[-1])[0][0]
        assert [b"body"] == [request.body for request in lane.application.asked]


def test_the_answer_to_head_has_no_body() -> None:
    with bench() as lane:
        answer = lane.exchange(lane.connect(), b"HEAD /v1/a HTTP/1.1\r\nHost: a\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 1" in head
    assert b"" == body


def test_what_is_no_request_of_the_api_is_answered_without_asking() -> None:
    with bench() as lane:
        answer = lane.exchange(lane.connect(), b"GET /v2/a HTTP/1.1\r\nHost: a\r\n\r\n")

        assert [(404, b'{"errors":[]}')] == answers(answer)
        assert [] == lane.application.asked


def test_requests_that_come_together_take_turns() -> None:
    with bench() as lane:
        client = lane.connect()

        first = lane.exchange(client, GET % b"a" + GET % b"later/b" + GET % b"c" + b"GET")
        second = lane.exchange(client, b"")
        third = lane.exchange(client, b"")
        nothing = lane.exchange(client, b"")
        last = lane.exchange(client, (GET % b"d").removeprefix(b"GET"))

    came = [path_of(answers(each)[0]) for each in (first, second, third, last)]
    assert ["a", "later/b", "c", "d"] == came
    assert b"" == nothing


def test_one_who_sends_much_does_not_keep_others_waiting() -> None:
    with bench() as lane:
        greedy, modest = lane.connect(), lane.connect()
        greedy.sendall(GET % b"a" * 50)

        answer = lane.exchange(modest, GET % b"b")

        assert "b" == path_of(answers(answer)[0])
        assert 1 == received(greedy).count(b"HTTP/1.1 200 OK")


def test_an_answer_may_come_later() -> None:
    with bench() as lane:
        client = lane.connect()

        nothing = lane.exchange(client, GET % b"held/a")
        lane.application.release(1)
        first = received(client)
        second = lane.exchange(client, GET % b"b")

    assert b"" == nothing
    assert ["held/a", "b"] == [path_of(answers(each)[0]) for each in (first, second)]


def test_what_comes_before_the_answer_waits() -> None:
    with bench() as lane:
        client = lane.connect()
        lane.exchange(client, GET % b"held/a")

        nothing = [lane.exchange(client, GET % b"b"), lane.exchange(client, GET % b"c")]
        lane.application.release(1)
        first = received(client)
        second = [lane.exchange(client, b""), lane.exchange(client, b"")]

    assert [b"", b""] == nothing
    assert "held/a" == path_of(answers(first)[0])
    assert ["b", "c"] == [path_of(answers(each)[0]) for each in second]


def test_an_answer_that_is_not_waited_for_is_ignored() -> None:
    with bench() as lane:
        client = lane.connect()
        lane.exchange(client, GET % b"held/a")
        connection = only(lane)

        connection.deliver(7, Response(200, b"another's"))
        nothing = received(client)
        lane.application.release(1)
        answer = received(client)
        connection.deliver(1, Response(200, b"again"))

        assert b"" == nothing
        assert "held/a" == path_of(answers(answer)[0])
        assert b"" == received(client)


@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR])
def test_a_client_that_leaves_abandons_its_request(how: int) -> None:
    with bench() as lane:
        client = lane.connect()
        lane.exchange(client, GET % b"held/a")

        client.shutdown(how)
        lane.lane.turn()

        assert [1] == lane.application.abandoned
        assert 0 == len(lane.lane)


def test_a_client_that_leaves_ends_its_connection() -> None:
    with bench() as lane:
        clients = [lane.connect() for _ in range(3)]
        clients[1].sendall(b"GET /")
        clients[2].sendall(PUT % 9)
        lane.lane.turn()

        for client in clients:
            client.close()
        lane.lane.turn()

        assert 0 == len(lane.lane)


def test_a_connection_ends_when_the_client_says_so() -> None:
    request = b"GET /v1/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with bench() as lane:
        client = lane.connect()

        answer = lane.exchange(client, request)

        assert b"\r\nConnection: close\r\n" in answer
        assert ended(client)
        assert 0 == len(lane.lane)


def test_a_client_that_is_not_there_for_its_answer_ends_its_connection() -> None:
    with bench() as lane:
        client = lane.connect()
        client.sendall(GET % b"a")
        client.close()

        lane.lane.turn()

        assert 0 == len(lane.lane)


def test_a_long_answer_waits_for_the_client() -> None:
    size = 4 << 20
    answer = bytearray()
    with bench() as lane:
        client = lane.connect()
        client.sendall(GET % b"long/%d" % size + GET % b"b")

        for _ in range(TURNS_MAX):
            lane.lane.turn()
            answer += received(client)
            if answer.endswith(b"x" * size):
                break
            assert Awaits.ROOM == only(lane).awaits
        lane.lane.turn()

        assert [(200, b"x" * size)] == answers(bytes(answer))
        assert "b" == path_of(answers(received(client))[0])


def test_a_client_that_takes_nothing_ends_its_connection() -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()
        lane.exchange(client, GET % b"long/4194304")
        lane.exchange(client, b"")

        assert Awaits.ROOM == only(lane).awaits
        assert expires_within(lane, TIMEOUTS.write_s)
        assert 1 == lane.statistics.expired


def test_a_client_that_takes_nothing_may_be_waited_for() -> None:
    settings = ListenerSettings()
    with bench(settings) as lane:
        lane.connect().sendall(GET % b"long/4194304")
        lane.lane.turn()

        assert not expires_within(lane, 1e9)


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (b"", TIMEOUTS.read_header_s),
        (b"GET /v1/a", TIMEOUTS.read_header_s),
        (GET % b"a", TIMEOUTS.idle_s),
        (GET % b"a" + b"GET", TIMEOUTS.read_header_s),
    ],
)
def test_a_connection_ends_when_it_waits_too_long(data: bytes, seconds: float) -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()
        lane.exchange(client, data)
        lane.lane.turn()

        assert not expires_within(lane, seconds - 0.5)
        assert expires_within(lane, seconds)
        assert ended(client)
        assert 1 == lane.statistics.expired


def test_more_of_a_head_buys_no_more_time() -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()
        lane.exchange(client, GET % b"a")
        lane.exchange(client, b"G")
        deadline_s = only(lane).deadline_s

        lane.exchange(client, b"ET")

        assert deadline_s == only(lane).deadline_s


def test_a_body_that_takes_too_long_is_answered() -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()
        lane.exchange(client, PUT % 9)
        lane.exchange(client, b"part")

        assert not expires_within(lane, TIMEOUTS.read_s - 0.5)
        assert not expires_within(lane, TIMEOUTS.read_s)
        assert [(408, TIMED_OUT.body)] == answers(received(client))
        assert ended(client)


def test_a_request_is_waited_for_without_bound() -> None:
    with bench(SETTINGS) as lane:
        lane.exchange(lane.connect(), GET % b"held/a")

        assert not expires_within(lane, 1e9)


@pytest.mark.parametrize(
    "data",
    [
        b"GET http://a/v1/a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        PUT % (SETTINGS.request_bytes_max + 1) + b"x",
    ],
)
def test_what_the_lane_does_not_take_is_handed_over_whole(data: bytes) -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()

        before = lane.exchange(client, GET % b"a")
        nothing = lane.exchange(client, data)

        ((connection, handed_over),) = lane.handed_over
        assert 200 == answers(before)[0][0]
        assert (b"", data) == (nothing, handed_over)
        assert 0 == len(lane.lane)
        assert connection.transport.receive() is None


FOREIGN = b"GET /v1/a HTTP/1.0\r\n\r\n"
BAD = b"GET /v1/a HTTP/1.1\r\n\r\n"


def test_a_connection_goes_on_after_hypercorn() -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()
        lane.exchange(client, FOREIGN)
        ((connection, _),) = lane.handed_over

        lane.lane.take_back(connection, GET % b"a" + b"GET /v1")
        first = lane.exchange(client, b"")
        nothing = lane.exchange(client, b"/b HTTP/1.1\r\nHost: a\r\n\r\n")
        second = lane.exchange(client, b"")
        third = lane.exchange(client, GET % b"c")

        assert 1 == len(lane.lane)
    paths = [path_of(answers(each)[0]) for each in (first, second, third)]
    assert (b"", ["a", "b", "c"]) == (nothing, paths)


def test_a_connection_that_ends_at_hypercorn_is_closed_when_the_client_closes_it() -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()
        lane.exchange(client, FOREIGN)
        ((connection, _),) = lane.handed_over

        lane.lane.take_back(connection, None)
        end = ended(client)
        client.shutdown(socket.SHUT_WR)
        before = len(lane.lane)
        lane.lane.turn()

        assert (True, 1, 0) == (end, before, len(lane.lane))


def test_a_connection_that_was_cut_off_at_hypercorn_is_not_taken_back() -> None:
    with bench(SETTINGS) as lane:
        lane.exchange(lane.connect(), FOREIGN)
        ((connection, _),) = lane.handed_over
        connection.transport.close()

        lane.lane.take_back(connection, b"")

        assert 0 == len(lane.lane)


def test_who_breaks_the_rules_is_waited_for_but_not_long() -> None:
    with bench(SETTINGS) as lane:
        client = lane.connect()
        answer = lane.exchange(client, BAD + GET % b"a")

        assert [(BAD_HOST.status, BAD_HOST.body)] == answers(answer)
        assert ended(client)
        assert [] == lane.application.asked
        assert not expires_within(lane, LINGER_S - 0.5)
        assert expires_within(lane, LINGER_S)
        assert 0 == lane.statistics.expired


def test_who_breaks_the_rules_is_listened_to_but_not_for_ever() -> None:
    piece = b"x" * (16 << 10)
    with bench(SETTINGS) as lane:
        client = lane.connect()
        lane.exchange(client, BAD)
        for _ in range(LINGER_BYTES_MAX // len(piece)):
            lane.exchange(client, piece)

        assert 1 == len(lane.lane)
        lane.exchange(client, piece)
        assert 0 == len(lane.lane)


def test_a_drain_does_not_wait_for_who_breaks_the_rules() -> None:
    with bench(SETTINGS) as lane:
        lane.exchange(lane.connect(), BAD)

        trio.run(lane.lane.drain)

        assert 0 == len(lane.lane)


def test_bodies_up_to_the_limit_are_taken() -> None:
    body = b"x" * SETTINGS.request_bytes_max
    data = memoryview(PUT % len(body) + body)
    with bench(SETTINGS) as lane:
        client = lane.connect()

        for _ in range(TURNS_MAX):
            with contextlib.suppress(BlockingIOError):
                data = data[client.send(data) :]
            lane.lane.turn()

        assert [body] == [request.body for request in lane.application.asked]


def test_closing_twice_does_nothing_more() -> None:
    with bench() as lane:
        lane.exchange(lane.connect(), GET % b"held/a")
        connection = only(lane)

        connection.close()
        connection.close()

        assert [1] == lane.application.abandoned


@pytest.fixture(name="tls")
def server_tls(tmp_path: Path) -> ServerTls:
    """The TLS side of a listener."""
    return ServerTls(ServerTlsSettings(*write(issued("server"), tmp_path)))


def handshaken(lane: Bench, tls: ServerTls, *protocols: str) -> Client:
    """Return a client that has shaken hands with the lane."""
    client = Client(client_context(protocols=protocols), lane.connect(tls))
    for _ in range(10):
        if client.handshake():
            lane.lane.turn()
            return client
        lane.lane.turn()
    pytest.fail("the handshake has no end")


def test_requests_under_tls(tls: ServerTls) -> None:
    with bench() as lane:
        client = handshaken(lane, tls, "http/1.1")
        client.send(GET % b"a")
        lane.lane.turn()
        answer = client.receive()
        client.close()

    assert answer is not None
    assert "a" == path_of(answers(answer)[0])


def test_http_2_is_handed_over_at_once(tls: ServerTls) -> None:
    with bench() as lane:
        client = handshaken(lane, tls, "h2")
        client.close()

        ((connection, data),) = lane.handed_over
        assert ("h2", b"") == (connection.transport.protocol, data)


def test_who_speaks_plainly_to_tls_is_told(tls: ServerTls) -> None:
    with bench() as lane:
        client = lane.connect(tls)

        answer = lane.exchange(client, GET % b"a")

        assert [(400, SPOKE_PLAIN_HTTP.body)] == answers(answer)
        assert 1 == lane.statistics.handshakes_failed


def test_a_handshake_that_fails_ends_the_connection(tls: ServerTls) -> None:
    with bench() as lane:
        client = lane.connect(tls)

        client.close()
        lane.lane.turn()

        assert (0, 1) == (len(lane.lane), lane.statistics.handshakes_failed)


def test_a_handshake_that_takes_too_long_ends(tls: ServerTls) -> None:
    with bench(SETTINGS) as lane:
        lane.connect(tls)

        assert expires_within(lane, TIMEOUTS.read_header_s)
