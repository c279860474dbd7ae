"""The port between the HTTP lanes and whoever answers requests.

It knows no transport. Both lanes ask through it, so that an answer is the same in either.

A request is asked in the task that read it, without a hop, and is either answered at once or
given a handle under which the answer comes later. Requests that arrive together are asked one
after the other and then settled once, so that a driver can run them as one turn, with one
append to the log and one to the audit file.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

from core.request import Request, Response

Handle = int
"""Names one request that is not answered yet; never used twice in a process."""

_Outcome = TypeVar("_Outcome")


class Waiter(Protocol):
    """Whoever waits for an answer."""

    def deliver(self, handle: Handle, response: Response) -> None:
        """Take the answer; one that is not waited for (any more) is ignored."""
        ...


class Application(Protocol):
    """Answers requests; everything is called from trio's thread, and must not block.

    What it raises is our own fault (`core.check`): it ends the listener, whichever lane asked.
    """

    def ask(self, request: Request, waiter: Waiter) -> Response | Handle:
        """Return the answer, or the handle under which `waiter` gets it after this returned."""
        ...

    def settle(self) -> None:
        """Work off what was asked since the last call; many requests may have come together."""
        ...

    def abandon(self, handle: Handle) -> None:
        """Learn that nobody waits for this answer any more."""
        ...


class _Mailbox:
    """The waiter of one task."""

    def __init__(self) -> None:
        self._responses: dict[Handle, Response] = {}
        self._delivered = trio.Event()

    def deliver(self, handle: Handle, response: Response) -> None:
        self._responses[handle] = response
        self._delivered.set()

    async def take(self, handle: Handle) -> Response:
        await self._delivered.wait()
        return self._responses[handle]


async def answer(application: Application, request: Request) -> Response:
    """Ask and wait for the answer; a cancelled wait abandons the request."""
    mailbox = _Mailbox()
    outcome = application.ask(request, mailbox)
    application.settle()
    if isinstance(outcome, Response):
        return outcome
    try:
        return await mailbox.take(outcome)
    except trio.Cancelled:
        application.abandon(outcome)
        raise


class Supervised:
    """Passes on to an application, and remembers how it failed.

    Hypercorn answers 500 to whatever an ASGI application raises, and carries on. Our own faults
    must stop the node instead, as they do where the thin lane lets them through.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._failures: list[Exception] = []
        self._failed = trio.Event()

    def ask(self, request: Request, waiter: Waiter) -> Response | Handle:
        """See `Application.ask`."""
        return self._guard(lambda: self._application.ask(request, waiter))

    def settle(self) -> None:
        """See `Application.settle`."""
        self._guard(self._application.settle)

    def abandon(self, handle: Handle) -> None:
        """See `Application.abandon`."""
        self._guard(lambda: self._application.abandon(handle))

    async def watch(self) -> None:
        """Wait for the application to fail, and raise what it raised."""
        await self._failed.wait()
        raise self._failures[0]

    def _guard(self, call: Callable[[], _Outcome]) -> _Outcome:
        try:
            return call()
        except Exception as error:
            self._failures.append(error)
            self._failed.set()
            raise
