"""The lane serves what is ready, settles once for each turn, and comes to an end."""

import time

import pytest
import trio
import trio.testing

from core.request import Request, Response
from net.http.application import Handle, Waiter
from net.http.lane import LINGER_S, TURN_EVENTS_MAX
from tests.net.http.bench import GET, PUT, answers, bench, ended, path_of, received
from tests.net.http.echo import EchoApplication

CLOSES = b"\r\nConnection: close\r\n"


class Jealous(EchoApplication):
    """Ends all other connections when it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[Waiter] = []

    def ask(self, request: Request, waiter: Waiter) -> Response | Handle:
        for other in self.others:
            if other is not waiter:
                other.close()  # type: ignore[attr-defined] # every waiter here is a connection
        return super().ask(request, waiter)


def test_what_comes_together_is_settled_together() -> None:
    with bench() as lane:
        clients = [lane.connect() for _ in range(3)]
        for client in clients:
            client.sendall(GET % b"later/a")

        lane.lane.turn()

        assert [3] == lane.application.settled
        assert ["later/a"] * 3 == [path_of(answers(received(client))[0]) for client in clients]


def test_a_turn_is_bounded() -> None:
    with bench() as lane:
        for _ in range(TURN_EVENTS_MAX + 1):
            lane.connect().sendall(GET % b"a")

        lane.lane.turn()
        lane.lane.turn()

        assert [TURN_EVENTS_MAX, TURN_EVENTS_MAX + 1] == lane.application.settled


def test_a_connection_may_be_ended_in_the_turn_in_which_it_is_ready() -> None:
    application = Jealous()
    with bench(application=application) as lane:
        for _ in range(2):
            lane.connect().sendall(GET % b"a")
        application.others = list(lane.lane._connections.values())

        lane.lane.turn()

        assert (1, 1) == (len(application.asked), len(lane.lane))


async def test_a_lane_serves_by_itself() -> None:
    with bench() as lane:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lane.lane.run)
            client = lane.connect()
            client.sendall(GET % b"a")
            await trio.lowlevel.wait_readable(client)
            nursery.cancel_scope.cancel()

        assert "a" == path_of(answers(received(client))[0])


def test_only_who_waits_too_long_is_swept_out() -> None:
    with bench() as lane:
        lane.connect()
        lane.exchange(lane.connect(), GET % b"a")
        now_s = time.monotonic()

        lane.lane.sweep(now_s)
        before = len(lane.lane)
        lane.lane.sweep(now_s + lane.lane.settings.timeouts.read_header_s)

        assert (2, 1) == (before, len(lane.lane))


def test_who_is_answered_while_the_lane_retires_is_told_that_it_is_the_last_time() -> None:
    with bench() as lane:
        client = lane.connect()
        before = lane.exchange(client, GET % b"a")
        lane.lane.retire()

        last = lane.exchange(client, GET % b"b")

        assert ["a", "b"] == [path_of(answers(each)[0]) for each in (before, last)]
        assert [False, True] == [CLOSES in each for each in (before, last)]
        assert (True, 0) == (ended(client), len(lane.lane))


async def test_a_lane_is_drained_as_soon_as_all_have_been_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with bench() as lane:
        new, idle = lane.connect(), lane.connect()
        lane.exchange(idle, GET % b"a")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lane.lane.drain)
            await trio.testing.wait_all_tasks_blocked()
            last = [lane.exchange(client, GET % b"b") for client in (new, idle)]

        assert [True, True] == [CLOSES in each for each in last]
        assert autojump_clock.current_time() < LINGER_S


async def test_who_asks_nothing_is_not_waited_for_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with bench() as lane:
        new, idle, slow = (lane.connect() for _ in range(3))
        lane.exchange(idle, GET % b"a")
        lane.exchange(slow, b"GET /v1")

        await lane.lane.drain()

        assert 0 == len(lane.lane)
        assert [True] * 3 == [ended(client) for client in (new, idle, slow)]
        assert LINGER_S == pytest.approx(autojump_clock.current_time())


async def test_draining_waits_for_requests_under_way() -> None:
    with bench() as lane:
        waiting, sending = lane.connect(), lane.connect()
        lane.exchange(waiting, GET % b"held/a")
        lane.exchange(sending, PUT % 4)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lane.lane.drain)
            await trio.testing.wait_all_tasks_blocked()
            lane.application.release(1)
            await trio.testing.wait_all_tasks_blocked()
            left = len(lane.lane)
            last = lane.exchange(sending, b"body")

        assert 1 == left
        for answer in (received(waiting), last):
            assert CLOSES in answer
            assert 200 == answers(answer)[0][0]


def test_closing_abandons_what_is_under_way() -> None:
    with bench() as lane:
        client = lane.connect()
        lane.exchange(client, GET % b"held/a")

        lane.lane.close()

        assert [1] == lane.application.abandoned
        assert ended(client)
