"""HTTP/2 as Hypercorn serves it: all requests of a connection.

It owns what Hypercorn's protocol must not do here: fall over a request whose method or path no
request may have, take `get` for `GET`, offer WebSockets. Frames are h2's matter.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from h2.events import DataReceived, Event, RequestReceived
from h2.settings import SettingCodes
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.events import Updated
from hypercorn.protocol.events import Request
from hypercorn.protocol.h2 import H2Protocol, StreamBuffer
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.utils import filter_pseudo_headers
from priority.priority import DuplicateStreamError

from core.request import Response
from net.http.judgement import refuse_target
from net.http.responses import send_response

_NO_PATH: Final = b"/"


class ManyRequests(H2Protocol):
    """Serves all requests of a connection."""

    async def initiate(
        self, headers: list[tuple[bytes, bytes]] | None = None, settings: bytes | None = None
    ) -> None:
        """Begin, without an offer to carry WebSockets (RFC 8441)."""
        del self.connection.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        await super().initiate(headers, settings)

    @property
    def is_idle(self) -> bool:
        """Whether all requests are answered, and all answers sent."""
        return not self.streams and not self.stream_buffers

    async def say_goodbye(self) -> None:
        """Tell the client which request was its last, so that it may repeat any later one."""
        self.connection.close_connection()
        await self._flush()

    async def _handle_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                # The rest of a body that was answered before its end.
                self.connection.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            else:
                await super()._handle_events([event])
        await self._flush()

    async def _send_data(self, stream_id: int) -> None:
        await super()._send_data(stream_id)
        if self.is_idle:
            # Hypercorn says so when the answer has ended, but its end may not be sent yet.
            await self.send(Updated(idle=True))

    async def _create_stream(self, request: RequestReceived) -> None:
        headers = dict(request.headers)
        method = headers[b":method"]
        target = headers.get(b":path", _NO_PATH)
        refused = refuse_target(method, target)
        stream_id = request.stream_id
        self.streams[stream_id] = HTTPStream(
            self.app if refused is None else ASGIWrapper(_Refusal(refused)),
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            stream_id,
        )
        self.stream_buffers[stream_id] = StreamBuffer(self.context.event_class)
        try:
            self.priority.insert_stream(stream_id)
        except DuplicateStreamError:
            pass  # Its priority came before it.
        else:
            self.priority.block(stream_id)
        await self.streams[stream_id].handle(
            Request(
                stream_id=stream_id,
                headers=filter_pseudo_headers(request.headers),
                http_version="2",
                method=method.decode("latin-1"),
                raw_path=target if refused is None else _NO_PATH,
                state=self.connection_state,
            )
        )


class _Refusal:
    """An ASGI application with one answer."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def __call__(
        self, _scope: object, _receive: object, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        await send_response(send, self._response)
