"""The wide lane: what Hypercorn serves, with the bytes already read.

It owns the way to Hypercorn's protocols and back, and their configuration. A request of HTTP/1
comes with its whole head and alone, so that the next one begins in the thin lane again; a
connection of HTTP/2 stays until its end. It must not know why they come here, nor what the ASGI
application does.
"""

from collections.abc import Iterator
from typing import Final

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from net.http.judgement import PREFACE
from net.http.many_requests import ManyRequests
from net.http.one_request import OneRequest
from net.http.requests import Client
from net.http.settings import HEAD_BYTES_MAX, ListenerSettings
from net.http.statistics import Statistics
from net.http.wide import AsgiApp
from net.stream import Transport, TransportStream
from net.tls import TlsTransport

_log = structlog.get_logger("holdfast.http")

STREAMS_MAX: Final = 100
"""Requests under way in one HTTP/2 connection."""

_FOREVER: Final = float("inf")


class _Conversation:
    """One protocol of Hypercorn's on one stream, from which it reads until either is at its end.

    Attributes:
        stream: the connection.
    """

    def __init__(self, stream: TransportStream, idle_s: float) -> None:
        self.stream = stream
        self._idle_s = idle_s
        self._idle = False
        self._retiring = trio.Event()
        self._scope = trio.CancelScope(deadline=trio.current_time() + idle_s)
        self._sending = trio.Lock()
        self._task_group = TaskGroup()
        self._protocol: OneRequest | ManyRequests | None = None

    async def hold(
        self,
        kind: type[OneRequest | ManyRequests],
        app: ASGIWrapper,
        config: Config,
        received: bytes,
        client: Client,
    ) -> bytes | None:
        """Let a protocol begin with what was received, once; see `Handover.serve`."""
        with self._scope:
            async with self._task_group:
                self._protocol = protocol = kind(
                    app,
                    config,
                    WorkerContext(None),
                    self._task_group,
                    ConnectionState({}),
                    isinstance(self.stream.transport, TlsTransport),
                    (client.address, client.port),
                    None,
                    self._do,
                )
                self._idle = kind is ManyRequests
                self._task_group.spawn(self._end_idle)
                await protocol.initiate()
                await protocol.handle(RawData(data=received))
                await self._read(protocol)
                self._scope.cancel()
        return protocol.rest if isinstance(protocol, OneRequest) else None

    def retire(self) -> None:
        """End with the next moment at which no request is under way."""
        self._retiring.set()

    async def _read(self, protocol: OneRequest | ManyRequests) -> None:
        data = b"?"
        while data:
            try:
                data = await self.stream.receive_some()
            except trio.ClosedResourceError:
                return
            await protocol.handle(RawData(data=data))
        if isinstance(protocol, OneRequest) and protocol.is_answering:
            # Whoever has said all may still be listening; if not, to send to him will fail.
            await trio.sleep_forever()

    async def _do(self, event: Event) -> None:
        """Do what the protocol asks for."""
        if isinstance(event, RawData):
            await self._send(event.data)
        elif isinstance(event, Closed):
            self._scope.cancel()
        elif isinstance(event, Updated):
            protocol = self._protocol
            self._idle = isinstance(protocol, ManyRequests) and protocol.is_idle
            self._scope.deadline = trio.current_time() + self._idle_s if self._idle else _FOREVER
            if self._idle and self._retiring.is_set():
                await self._end()

    async def _send(self, data: bytes) -> None:
        try:
            # Who is cancelled by now sends nothing: to Hypercorn he is one who has failed.
            async with self._sending:
                # Half an answer would leave the client in doubt about all that follows.
                with trio.CancelScope(shield=True):
                    await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._scope.cancel()

    async def _end_idle(self) -> None:
        await self._retiring.wait()
        if self._idle:
            await self._end()

    async def _end(self) -> None:
        if isinstance(self._protocol, ManyRequests):
            await self._protocol.say_goodbye()
        self._scope.cancel()


class Handover:
    """All connections of one listener that are not in the thin lane."""

    def __init__(self, app: AsgiApp, settings: ListenerSettings, statistics: Statistics) -> None:
        self._app = ASGIWrapper(app)
        self._timeouts = settings.timeouts
        self._config = _config()
        self._statistics = statistics
        self._conversations: set[_Conversation] = set()
        self._emptied = trio.Event()

    def __len__(self) -> int:
        return len(self._conversations)

    async def serve(self, transport: Transport, received: bytes, client: Client) -> bytes | None:
        """Serve one request of HTTP/1, or a connection of HTTP/2 to its end.

        Args:
            transport: the connection; closed only if it is cut off or this is cancelled.
            received: what was received from it and begins with a whole head.
            client: where it comes from.

        Returns:
            What was received behind the request, or None if the connection is to end.
        """
        is_http_2 = transport.protocol == "h2" or received.startswith(PREFACE)
        stream = TransportStream(transport, write_s=self._timeouts.write_s)
        conversation = _Conversation(stream, self._timeouts.idle_s)
        self._conversations.add(conversation)
        try:
            return await self._hold(conversation, received, client, is_http_2=is_http_2)
        except BaseException:
            stream.abort()
            raise
        finally:
            self._conversations.remove(conversation)
            if not self._conversations:
                self._emptied.set()
                self._emptied = trio.Event()

    async def _hold(
        self, conversation: _Conversation, received: bytes, client: Client, *, is_http_2: bool
    ) -> bytes | None:
        kind = ManyRequests if is_http_2 else OneRequest
        try:
            return await conversation.hold(kind, self._app, self._config, received, client)
        except* Exception as faults:  # noqa: BLE001 -- one of Hypercorn's ends this connection only
            self._statistics.handovers_failed += 1
            _log.error("a fault has ended a connection", kinds=sorted(set(_kinds(faults))))
        return None

    def retire(self) -> None:
        """End each connection with its answer, which says so, or as soon as it is idle."""
        self._config.keep_alive_max_requests = 0
        for conversation in self._conversations:
            conversation.retire()

    async def drain(self) -> None:
        """End each connection as soon as it has no request under way; wait for the last."""
        self.retire()
        if self._conversations:
            await self._emptied.wait()

    def close(self) -> None:
        """End all connections at once, even in the middle of a send."""
        for conversation in self._conversations:
            conversation.stream.abort()


def _kinds(faults: BaseExceptionGroup[Exception]) -> Iterator[str]:
    """Yield what faults are, but not their texts, which may quote what a client has sent."""
    for fault in faults.exceptions:
        if isinstance(fault, BaseExceptionGroup):
            yield from _kinds(fault)
        else:
            yield type(fault).__name__


def _config() -> Config:
    config = Config()
    config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = HEAD_BYTES_MAX
    config.h2_max_header_list_size = HEAD_BYTES_MAX
    config.h2_max_concurrent_streams = STREAMS_MAX
    return config
