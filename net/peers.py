"""The way between members: mutual TLS with certificates that the cluster itself has issued.

Owns connections, frames and queues. Each member calls every other and sends only on connections
that it made; what it receives comes on those that others made. Must not know what messages
say. A message may get lost with its connection; none is ever sent twice.
"""

import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog
import trio
from cryptography.x509.oid import NameOID

from core import effects, events
from core.node.messages import decode_message, encode_message
from core.raft.configuration import EMPTY, Configuration
from net import credentials
from net.cluster_client import ask_cluster
from net.http.listener import CannotListenError
from net.stream import HandshakeError, TransportStream
from net.tls import PeerTls, TlsTransport

FRAME_VERSION: Final = 1
FRAME_BYTES_MAX: Final = 8 << 20
"""The longest message; an append carries at most one entry beyond its own limit."""
QUEUE_BYTES_MAX: Final = 32 << 20
"""What waits for one peer; beyond it the oldest messages are dropped."""
CONNECTIONS_MAX: Final = 256
HANDSHAKE_S_MAX: Final = 2.0
BACKOFF_S_MIN: Final = 0.05
BACKOFF_S_MAX: Final = 1.0

_HEADER: Final = struct.Struct("!BI")
_RECEIVE_BYTES: Final = 256 << 10
_BACKLOG: Final = 128
_log = structlog.get_logger("holdfast.peers")

Post = Callable[[events.Event], None]


class Peers:
    """Connections to and from the other members.

    Attributes:
        dropped: messages that had to make room for later ones.
        malformed: connections that were closed because what came was no message.
        refused: connections of nodes that are no members.
    """

    def __init__(self, address: str, directory: Path) -> None:
        """Listen on `address` (`host:port`), with the credentials in `directory` if there are.

        Raises:
            CannotListenError: the port is in use, or the address is not ours.
            DataDirectoryError: the credentials can't be read.
        """
        self.dropped = 0
        self.malformed = 0
        self.refused = 0
        self._directory = directory
        self._socket = _listen(address)
        own = credentials.load(directory)
        self._tls = own.peer_tls() if own is not None else None
        self._identified = trio.Event()
        if self._tls is not None:
            self._identified.set()
        self._configuration: Configuration = EMPTY
        self._node = ""
        self._callers: dict[str, _Caller] = {}
        self._connections = 0
        self._nursery: trio.Nursery | None = None
        self._post: Post = _nobody

    async def run(self, node: str, post: Post) -> None:
        """Carry messages until cancelled; `post` takes what arrives for `node`."""
        self._node = node
        self._post = post
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._follow_members()
            await self._accept(nursery)

    # -- what the driver asks for -----------------------------------------------------------

    def send(self, effect: effects.Send) -> None:
        """Put a message into the queue of a peer; strangers get none."""
        caller = self._callers.get(effect.receiver)
        if caller is not None:
            self.dropped += caller.put(encode_message(effect.message))

    def admit(self, effect: effects.AdmitPeers) -> None:
        """Know the members in force: call them, and let nobody else in."""
        self._configuration = effect.configuration
        if self._nursery is not None:
            self._follow_members()

    def identify(self, effect: effects.IssueIdentity) -> None:
        """Keep new credentials, and use them from the next connection on."""
        own = credentials.Credentials(
            effect.cluster,
            effect.authority.decode(),
            effect.certificate.decode(),
            effect.key.decode(),
        )
        credentials.save(self._directory, own)
        self._tls = own.peer_tls()
        self._identified.set()

    def ask(self, effect: effects.AskCluster) -> None:
        """Ask the API of a cluster that this node wants to join."""
        assert self._nursery is not None
        self._nursery.start_soon(self._ask, effect)

    async def _ask(self, effect: effects.AskCluster) -> None:
        self._post(await ask_cluster(effect))

    def _follow_members(self) -> None:
        assert self._nursery is not None
        members = self._configuration.members
        for node in list(self._callers):
            if node not in members:
                self._callers.pop(node).scope.cancel()
        for node, member in members.items():
            if node == self._node:
                continue
            known = self._callers.get(node)
            if known is not None and known.address == member.cluster_address:
                continue
            if known is not None:
                known.scope.cancel()
            self._callers[node] = caller = _Caller(node, member.cluster_address)
            self._nursery.start_soon(caller.run, self._tls_when_identified)

    async def _tls_when_identified(self) -> PeerTls:
        await self._identified.wait()
        assert self._tls is not None
        return self._tls

    # -- receiving --------------------------------------------------------------------------

    async def _accept(self, nursery: trio.Nursery) -> None:
        await self._identified.wait()
        while True:
            connected, _ = await self._socket.accept()
            if self._connections >= CONNECTIONS_MAX or self._tls is None:
                connected.close()
                continue
            nursery.start_soon(self._serve, self._tls.accept(_detached(connected)))

    async def _serve(self, transport: TlsTransport) -> None:
        self._connections += 1
        stream = TransportStream(transport)
        try:
            with trio.fail_after(HANDSHAKE_S_MAX):
                await stream.handshake()
            sender = _name_of(transport)
            received = bytearray()
            while self._is_member(sender):
                data = await stream.receive_some(_RECEIVE_BYTES)
                if not data:
                    return
                received += data
                self._take_frames(received, sender)
            self.refused += 1
            _log.warning("a node that is no member was refused", node=sender)
        except (HandshakeError, trio.TooSlowError, trio.BrokenResourceError):
            pass  # it calls again if it has something to say
        except (msgspec.MsgspecError, ValueError) as error:
            self.malformed += 1
            _log.warning("a peer sent what is no message", reason=str(error))
        finally:
            self._connections -= 1
            stream.abort()

    def _is_member(self, node: str) -> bool:
        """Tell whether a node may speak; one that is just joining listens to the whole cluster."""
        members = self._configuration.members
        return not members or node in members

    def _take_frames(self, received: bytearray, sender: str) -> None:
        start = 0
        while len(received) - start >= _HEADER.size:
            version, size = _HEADER.unpack_from(received, start)
            if version != FRAME_VERSION or size > FRAME_BYTES_MAX:
                raise ValueError(f"a frame of version {version} with {size} bytes")
            end = start + _HEADER.size + size
            if end > len(received):
                break
            message = decode_message(bytes(received[start + _HEADER.size : end]))
            self._post(events.Received(sender, message))
            start = end
        del received[:start]


class _Caller:
    """Calls one peer, and sends what is queued for it.

    Attributes:
        address: where it listens.
        scope: cancels this.
    """

    def __init__(self, node: str, address: str) -> None:
        self.address = address
        self.scope = trio.CancelScope()
        self._node = node
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._filled = trio.Event()

    def put(self, message: bytes) -> int:
        """Queue a message; return how many older ones had to go for it."""
        self._queue.append(_HEADER.pack(FRAME_VERSION, len(message)) + message)
        self._queued_bytes += len(self._queue[-1])
        dropped = 0
        while self._queued_bytes > QUEUE_BYTES_MAX and len(self._queue) > 1:
            self._queued_bytes -= len(self._queue.popleft())
            dropped += 1
        self._filled.set()
        return dropped

    async def run(self, tls: Callable[[], Awaitable[PeerTls]]) -> None:
        """Keep a connection while there is something to send."""
        pause_s = BACKOFF_S_MIN
        with self.scope:
            while True:
                await self._filled.wait()
                stream = await self._connect(await tls())
                if stream is None:
                    self._forget()
                    await trio.sleep(pause_s)
                    pause_s = min(2 * pause_s, BACKOFF_S_MAX)
                    continue
                pause_s = BACKOFF_S_MIN
                try:
                    await self._send_all(stream)
                except trio.BrokenResourceError:
                    self._forget()
                finally:
                    stream.abort()

    def _forget(self) -> None:
        """Drop what is queued: by the time that the peer answers again it is out of date."""
        self._queue.clear()
        self._queued_bytes = 0
        self._filled = trio.Event()

    async def _connect(self, tls: PeerTls) -> TransportStream | None:
        host, _, port = self.address.rpartition(":")
        try:
            with trio.fail_after(HANDSHAKE_S_MAX):
                stream = await trio.open_tcp_stream(host.strip("[]"), int(port))
                transport = tls.connect(_detached(stream.socket))
                secured = TransportStream(transport)
                await secured.handshake()
        except (OSError, ValueError, HandshakeError, trio.TooSlowError, trio.BrokenResourceError):
            return None
        if _name_of(transport) != self._node:
            _log.warning("another node answers at a peer's address", address=self.address)
            secured.abort()
            return None
        return secured

    async def _send_all(self, stream: TransportStream) -> None:
        while True:
            await self._filled.wait()
            data = b"".join(self._queue)
            self._forget()
            await stream.send_all(data)


def _name_of(transport: TlsTransport) -> str:
    """Return the node id that a peer has proved."""
    certificate = transport.peer_certificate
    if certificate is None:
        return ""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _detached(connected: trio.socket.SocketType) -> socket.socket:
    """Return trio's socket as a plain one, without delay for small messages."""
    connected.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
    return socket.socket(fileno=connected.detach())


def _listen(address: str) -> trio.socket.SocketType:
    host, _, port = address.rpartition(":")
    try:
        plain = socket.create_server((host.strip("[]"), int(port)), backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        raise CannotListenError(f"cannot listen on {address}: {error}") from error
    return trio.socket.from_stdlib_socket(plain)


def _nobody(_event: events.Event) -> None:
    """Nothing runs yet."""
