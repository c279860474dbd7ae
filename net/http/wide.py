"""The door of the wide lane: Hypercorn is loaded when the first connection needs it.

Most servers never do, and every start would pay 60 ms and 5 MiB for it. Owns that moment. Must not
know why a connection comes here, nor what Hypercorn does with it.
"""

import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import trio

from net.http.requests import Client
from net.http.settings import ListenerSettings
from net.http.statistics import Statistics
from net.stream import Transport

if TYPE_CHECKING:
    from net.http.handover import Handover

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application; Starlette and Hypercorn spell its types differently."""

_MODULE: Final = "net.http.handover"


class WideLane:
    """All connections of one listener that are not in the thin lane."""

    def __init__(
        self, build_app: Callable[[], AsgiApp], settings: ListenerSettings, statistics: Statistics
    ) -> None:
        self._build_app = build_app
        self._settings = settings
        self._statistics = statistics
        self._handover: Handover | None = None
        self._retiring = False
        self._waiting = 0
        self._loading = trio.Lock()

    def __len__(self) -> int:
        return self._waiting + (len(self._handover) if self._handover is not None else 0)

    async def serve(self, transport: Transport, received: bytes, client: Client) -> bytes | None:
        """Serve one request of HTTP/1, or a connection of HTTP/2 to its end.

        Args:
            transport: the connection; closed only if it is cut off or this is cancelled.
            received: what was received from it and begins with a whole head.
            client: where it comes from.

        Returns:
            What was received behind the request, or None if the connection is to end.
        """
        self._waiting += 1
        try:
            handover = await self._load()
        except BaseException:
            transport.close()
            raise
        finally:
            self._waiting -= 1
        return await handover.serve(transport, received, client)

    def retire(self) -> None:
        """End each connection with its answer, which says so, or as soon as it is idle."""
        self._retiring = True
        if self._handover is not None:
            self._handover.retire()

    async def drain(self) -> None:
        """End each connection as soon as it has no request under way; wait for the last."""
        # Whoever waits for Hypercorn comes first.
        async with self._loading:
            handover = self._handover
        if handover is not None:
            await handover.drain()

    def close(self) -> None:
        """End all connections at once, even in the middle of a send that Hypercorn shields."""
        if self._handover is not None:
            self._handover.close()

    async def _load(self) -> "Handover":
        async with self._loading:
            if self._handover is None:
                module = sys.modules.get(_MODULE)
                if module is None:
                    # In a thread, so that others are served meanwhile.
                    module = await trio.to_thread.run_sync(import_module, _MODULE)
                app = self._build_app()
                self._handover = module.Handover(app, self._settings, self._statistics)
                if self._retiring:
                    self._handover.retire()
            return self._handover
