"""The way between members: mutual TLS with certificates that the cluster itself has issued.

Owns who is let in, and which connection a message takes. Each member calls every other
(`net.peer_caller`) and sends on the connection that it made. Only to a node of which it does not
know the address, because its own configuration is behind, it answers on the one that came from
there. Must not know what messages say, but for one that it sends itself: whoever is refused because
it was removed is told so (`Removed`).
"""

import socket
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog
import trio

from core import effects, events
from core.node.messages import Removed, encode_message
from net import credentials, membership
from net.http.listener import CannotListenError
from net.peer_caller import HANDSHAKE_S_MAX, Caller
from net.peer_connection import PARTING_S, SendQueue, Take, exchange, name_of
from net.peer_frames import FrameReader, Malformed, framed
from net.stream import HandshakeError, TransportStream
from net.system import SystemEntropy
from net.tls import PeerTls

HANDSHAKES_MAX: Final = 64
"""Connections of which it is not known yet whose they are; further ones are closed."""
CALLEES_MAX: Final = 256
"""Nodes that are connected; with more, only members are let in."""
ACCEPT_PAUSE_S: Final = 0.1

_BACKLOG: Final = 128
# A peer that has vanished is noticed after 5 + 3 * 5 s; accepted sockets inherit this on Linux.
_OPTIONS: Final = (
    (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
_REMOVED: Final = encode_message(Removed())
_log = structlog.get_logger("holdfast.peers")


class Post(Protocol):
    """Takes what has arrived together."""

    def __call__(self, *taken: events.Event) -> None:
        """Hand it to the node."""
        ...


class Peers:
    """Connections to and from the other members.

    Attributes:
        host: the address that it listens on.
        port: the port; the one that the system chose if it was asked for 0.
        malformed: connections that were closed because what came was no message.
        refused: connections that were closed because their node was removed.
    """

    def __init__(self, address: str, directory: Path) -> None:
        """Listen on `address` (`host:port`), with the credentials in `directory` if there are.

        Raises:
            CannotListenError: the port is in use, or the address is not ours.
            DataDirectoryError: the credentials or the members can't be read.
        """
        self.malformed = 0
        self.refused = 0
        self._directory = directory
        self._known = self._kept = membership.load(directory)
        own = credentials.load(directory)
        self._tls = own.peer_tls() if own is not None else None
        self._socket = _listen(address)
        self.host, self.port = self._socket.getsockname()[:2]
        self._identified = trio.Event()
        if self._tls is not None:
            self._identified.set()
        self._node = ""
        self._entropy = SystemEntropy()
        self._callers: dict[str, Caller] = {}
        self._dropped = 0
        self._handshakes = 0
        self._callees: dict[str, _Callee] = {}
        self._nursery: trio.Nursery | None = None
        self._post: Post = _nobody

    @property
    def dropped(self) -> int:
        """Messages that had to make room for later ones."""
        queues = [caller.queue for caller in self._callers.values()]
        queues += [callee.queue for callee in self._callees.values()]
        return self._dropped + sum(queue.dropped for queue in queues)

    async def run(self, node: str, post: Post) -> None:
        """Carry messages until cancelled; `post` takes what arrives for `node`."""
        self._node = node
        self._post = post
        with self._socket:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._call_members()
                await self._accept(nursery)

    # -- what the driver asks for -----------------------------------------------------------

    def send(self, effect: effects.Send) -> None:
        """Put a message into the queue of a peer; without a way to it, it is lost."""
        receiver = effect.receiver
        line = self._callers.get(receiver) or self._callees.get(receiver)
        if line is not None:
            line.queue.put(encode_message(effect.message))

    def was_removed(self, node: str) -> bool:
        """Tell whether it is known that this node was removed."""
        return node in self._known.removed

    def admit(self, effect: effects.AdmitPeers) -> None:
        """Know the members in force: call them, and refuse those that are members no more."""
        known = self._known.followed_by(effect.configuration, effect.removed)
        self._known = known
        for node, callee in self._callees.items():
            if node in known.removed:
                self.refused += 1
                callee.part()
        if self._nursery is not None:
            self._call_members(effect.leaving)
        if known != self._kept:
            membership.save(self._directory, known)
            self._kept = known

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
        # The client is needed once in the life of a member, and takes 3 MiB.
        from net.cluster_client import ask_cluster  # noqa: PLC0415 -- as said above

        self._post(await ask_cluster(effect))

    def _call_members(self, leaving: tuple[str, ...] = ()) -> None:
        """Have a caller for each other member at its address; keep those for who is leaving."""
        assert self._nursery is not None
        members = self._known.configuration.members
        for node, caller in list(self._callers.items()):
            member = members.get(node)
            if node in leaving or (member and member.cluster_address == caller.address):
                continue
            self._dropped += caller.queue.dropped
            del self._callers[node]
            if member is None:
                caller.part()
            else:
                caller.cancel()
        for node, member in members.items():
            if node != self._node and node not in self._callers:
                caller = Caller(node, member.cluster_address, self._entropy)
                self._callers[node] = caller
                taker = partial(self._taker, node)
                self._nursery.start_soon(caller.run, self._tls_when_identified, taker)

    async def _tls_when_identified(self) -> PeerTls:
        await self._identified.wait()
        assert self._tls is not None
        return self._tls

    # -- receiving --------------------------------------------------------------------------

    async def _accept(self, nursery: trio.Nursery) -> None:
        await self._identified.wait()
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                connected, _ = self._socket.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                # Descriptors or memory are short, which may pass.
                _log.warning("a peer could not be let in", reason=str(error))
                await trio.sleep(ACCEPT_PAUSE_S)
                continue
            if self._handshakes >= HANDSHAKES_MAX:
                connected.close()
                continue
            nursery.start_soon(self._serve, connected)

    async def _serve(self, connected: socket.socket) -> None:
        transport = (await self._tls_when_identified()).accept(connected)
        stream = TransportStream(transport)
        self._handshakes += 1
        try:
            with trio.fail_after(HANDSHAKE_S_MAX):
                await stream.handshake()
            sender = name_of(transport)
            if not self._is_welcome(sender):
                self.refused += 1
                _log.warning("a node that is no member was refused", node=sender)
                await self._turn_away(sender, stream)
                return
        except (HandshakeError, trio.TooSlowError) as error:
            stream.abort()
            _log.info("a peer was not let in", reason=str(error))
            return
        except trio.Cancelled:
            stream.abort()
            raise
        finally:
            self._handshakes -= 1
        await self._hear(sender, stream)

    async def _turn_away(self, sender: str, stream: TransportStream) -> None:
        """Close a connection; who was removed is told so, and is given the time to read it."""
        try:
            if self.was_removed(sender):
                with trio.move_on_after(PARTING_S):
                    await stream.send_all(framed(_REMOVED))
                    while await stream.receive_some():
                        pass
        except trio.BrokenResourceError:
            _log.debug("a removed node has gone without being told so", node=sender)
        finally:
            stream.abort()

    async def _hear(self, sender: str, stream: TransportStream) -> None:
        """Be connected with a node until it ends that, calls anew or is removed."""
        former = self._callees.pop(sender, None)
        if former is not None:
            # It calls again only if it has given up the connection before.
            former.scope.cancel()
        self._callees[sender] = callee = _Callee()
        try:
            with callee.scope:
                await exchange(stream, callee.queue, self._taker(sender))
        finally:
            self._dropped += callee.queue.dropped
            if self._callees.get(sender) is callee:
                del self._callees[sender]

    def _taker(self, sender: str) -> Take:
        """Return who takes what arrives on one connection with `sender`."""
        reader = FrameReader()

        def take(data: bytes) -> bool:
            if self.was_removed(sender):
                return True  # it is being told so, and what it says counts no more
            try:
                messages = reader.take(data)
            except Malformed as malformed:
                self.malformed += 1
                _log.warning("a peer sent what is no message", node=sender, reason=str(malformed))
                return False
            if messages:
                self._post(*[events.Received(sender, message) for message in messages])
            return True

        return take

    def _is_welcome(self, node: str) -> bool:
        known = self._known
        if node in known.configuration.members:
            return True
        return node not in known.removed and len(self._callees) < CALLEES_MAX


class _Callee:
    """The connection of a node that has called."""

    __slots__ = ("queue", "scope")

    def __init__(self) -> None:
        self.queue = SendQueue()
        self.scope = trio.CancelScope()

    def part(self) -> None:
        """Tell its owner that it was removed, and end once that has had its time to leave."""
        self.queue.put(_REMOVED)
        self.scope.deadline = trio.current_time() + PARTING_S


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listening.settimeout(0)
            for option in _OPTIONS:
                listening.setsockopt(*option)
            listening.bind((host, int(port)))
            listening.listen(_BACKLOG)
        except BaseException:
            listening.close()
            raise
    except (OSError, ValueError, OverflowError) as error:
        raise CannotListenError(f"cannot listen on {address}: {error}") from error
    return listening


def _nobody(*_taken: events.Event) -> None:
    """Nothing runs yet."""
