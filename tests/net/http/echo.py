"""A small application: it says what it was asked, at once, later, or when it is told to."""

import msgspec

from core.request import Request, Response
from net.http.application import Handle, Waiter


class EchoApplication:
    """Answers with the request as JSON; the first segment of the path says how.

    `later/` is answered when the requests that came together are settled, `held/` when a test
    says so; `empty` has no body, `long/N` has one of N bytes, `moved` further headers.

    Attributes:
        asked: all requests, in order.
        settled: how many requests had been asked each time that they were settled.
        held: the waiters of requests that are not answered yet, by handle.
        abandoned: handles that nobody waits for any more, in order.
    """

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.settled: list[int] = []
        self.held: dict[Handle, tuple[Waiter, Request]] = {}
        self.abandoned: list[Handle] = []

    def ask(self, request: Request, waiter: Waiter) -> Response | Handle:
        self.asked.append(request)
        if request.path.startswith(("later/", "held/")):
            handle = len(self.asked)
            self.held[handle] = (waiter, request)
            return handle
        return respond(request)

    def settle(self) -> None:
        self.settled.append(len(self.asked))
        for handle, (_, request) in list(self.held.items()):
            if request.path.startswith("later/"):
                self.release(handle)

    def abandon(self, handle: Handle) -> None:
        self.abandoned.append(handle)
        del self.held[handle]

    def release(self, handle: Handle) -> None:
        """Answer a request that was held."""
        waiter, request = self.held.pop(handle)
        waiter.deliver(handle, respond(request))


class BrokenApplication(EchoApplication):
    """Raises when it is asked for `broken`."""

    def ask(self, request: Request, waiter: Waiter) -> Response | Handle:
        if request.path == "broken":
            raise ZeroDivisionError(request.path)
        return super().ask(request, waiter)


def respond(request: Request) -> Response:
    """Return the answer to a request."""
    first, _, rest = request.path.partition("/")
    if first == "empty":
        return Response(204)
    if first == "long":
        return Response(200, b"x" * int(rest))
    if first == "moved":
        return Response(307, b"", {"Location": "https://elsewhere/v1/moved"})
    # A port differs from connection to connection.
    echo = msgspec.structs.replace(request, client_port=0)
    return Response(200, msgspec.json.encode(msgspec.structs.asdict(echo)))
