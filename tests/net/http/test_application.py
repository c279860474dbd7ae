"""Waiting for an answer in a task, and noticing that an application has failed."""

import pytest
import trio
import trio.testing

from core.request import Request, Response
from net.http.application import Supervised, answer
from tests.net.http.echo import BrokenApplication, EchoApplication, respond


@pytest.mark.parametrize("path", ["now", "later/a"])
async def test_an_answer_is_waited_for(path: str) -> None:
    application = EchoApplication()
    request = Request("read", path)

    response = await answer(application, request)

    assert respond(request) == response
    assert [1] == application.settled


async def test_an_answer_may_come_much_later() -> None:
    application = EchoApplication()
    request = Request("read", "held/a")
    responses: list[Response] = []

    async def ask() -> None:
        responses.append(await answer(application, request))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        application.release(1)

    assert [respond(request)] == responses


async def test_a_wait_that_is_cancelled_abandons_the_request() -> None:
    application = EchoApplication()

    with trio.move_on_after(0) as scope:
        await answer(application, Request("read", "held/a"))

    assert scope.cancelled_caught
    assert [1] == application.abandoned


async def test_a_failure_is_raised_to_the_supervisor() -> None:
    supervised = Supervised(BrokenApplication())
    with pytest.raises(ZeroDivisionError):
        await answer(supervised, Request("read", "broken"))

    with pytest.raises(ZeroDivisionError):
        await supervised.watch()


async def test_a_supervised_application_works() -> None:
    application = EchoApplication()
    supervised = Supervised(application)
    with trio.move_on_after(0):
        await answer(supervised, Request("read", "held/a"))
    request = Request("read", "later/a")

    assert respond(request) == await answer(supervised, request)
    assert [1] == application.abandoned
