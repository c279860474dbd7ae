"""Runs one node in production: events in, effects out, one turn for all that came together.

Owns the queue of events and the waiters of requests. Must not decide anything: it carries out
what the node says. Everything here happens in the thread of the trio loop, between two
checkpoints, so a turn is never interrupted.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Protocol

import structlog
import trio

from core import effects, events
from core.moment import NANOSECONDS_PER_SECOND
from core.node.member import Node
from core.request import Request, Response
from core.vault.answers import AUDIT_FAILED, NO_LEADER
from net import system
from net.audit_files import AuditFiles
from net.durably import NO_ROOM
from net.http.application import Handle, Waiter
from net.storage import Storage
from net.watchdog import Watchdog

RETRY_NS: Final = NANOSECONDS_PER_SECOND
"""Before the transport is asked again to keep what there was no room for."""
LEASE_ATTEMPTS_MAX: Final = 8
"""How often a read is asked again because its lease ran out before the answer could leave."""

FAREWELL_S: Final = 0.5
"""How long after it has handed over other members may still take a node for the leader."""

_log = structlog.get_logger("holdfast.node")


class NodeHalted(Exception):
    """The node can no longer trust its own state; the process must end."""


class Transport(Protocol):
    """Carries messages between members; a node without peers needs none."""

    def send(self, effect: effects.Send) -> None:
        """Hand a message to a peer, sooner or later or never."""
        ...

    def admit(self, effect: effects.AdmitPeers) -> None:
        """Know the members in force, and keep them.

        Raises:
            OSError: they can't be kept; without room, this may be called again.
        """
        ...

    def identify(self, effect: effects.IssueIdentity) -> None:
        """Keep credentials and take them up.

        Raises:
            OSError: as from `admit`.
        """
        ...

    def ask(self, effect: effects.AskCluster) -> None:
        """Ask the API of a cluster that this node wants to join."""
        ...


class _Question:
    """A request under way."""

    __slots__ = ("attempts", "request", "waiter")

    def __init__(self, request: Request, waiter: Waiter) -> None:
        self.request = request
        self.waiter = waiter
        self.attempts = 0


class Driver:
    """One node and everything that it needs of the outside.

    It is the application that the HTTP lanes ask (`net.http.application.Application`).
    """

    def __init__(
        self,
        node: Node,
        storage: Storage,
        transport: Transport | None,
        patience_ns: int,
    ) -> None:
        """Drive `node`.

        Args:
            node: freshly made.
            storage: where it keeps what it keeps; its base is the node's.
            transport: the way to its peers.
            patience_ns: how long a client of this node waits for an answer.
        """
        self.node = node
        self.audit_files = AuditFiles()
        self._storage = storage
        self._transport = transport
        self._patience_ns = patience_ns
        self._events: list[events.Event] = []
        self._questions: dict[Handle, _Question] = {}
        self._last_handle = 0
        self._in_turn = False
        self._sleeping_until_ns = 0
        self._woken = trio.Event()
        self._audit_failed = False
        self._succeeded = trio.Event()
        self._failure = ""
        self._unkept: dict[Callable[[Any], None], effects.Effect] = {}
        self._unkept_due_ns = 0

    # -- asking -----------------------------------------------------------------------------

    def ask(self, request: Request, waiter: Waiter) -> Response | Handle:
        """Put a request into the next turn."""
        self._last_handle += 1
        handle = self._last_handle
        self._questions[handle] = _Question(request, waiter)
        self._events.append(events.Asked(handle, request, self._patience_ns))
        return handle

    def settle(self) -> None:
        """Take a turn with all requests that came together."""
        if self._events and not self._in_turn:
            self._turn()

    def abandon(self, handle: Handle) -> None:
        """Forget a request whose client has gone; what it asked for may still happen."""
        self._questions.pop(handle, None)

    def post(self, *taken: events.Event) -> None:
        """Hand the node events, in a turn of their own unless one is under way."""
        self._events += taken
        if not self._in_turn:
            self._turn()

    # -- running ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Take a turn whenever one is due, until cancelled.

        Raises:
            NodeHalted: the node has stopped itself.
        """
        with Watchdog() as watchdog:
            while not self._failure:
                watchdog.turned()
                self._keep_again()
                now_ns = time.monotonic_ns()
                due_ns = self.node.deadline_ns
                if due_ns <= now_ns:
                    self._turn()
                    await trio.lowlevel.checkpoint()
                    continue
                self._sleeping_until_ns = due_ns
                self._woken = trio.Event()
                pause_s = (due_ns - now_ns) / NANOSECONDS_PER_SECOND
                with trio.move_on_after(min(pause_s, watchdog.pause_s)):
                    await self._woken.wait()
        raise NodeHalted(self._failure)

    def fail(self, reason: str) -> None:
        """End `run`: the node can't go on, and takes no further turn."""
        _log.critical("the node stops", reason=reason)
        self._failure = reason
        self._woken.set()

    def _turn(self) -> None:
        """Take turns until nothing follows at once."""
        self._in_turn = True
        try:
            while not self._failure:
                taken, self._events = self._events, []
                self._audit_failed = False
                for effect in self.node.handle(taken, system.now()):
                    self._EFFECTS[type(effect)](self, effect)
                if not self._events:
                    break
        finally:
            self._in_turn = False
        if self.node.deadline_ns < self._sleeping_until_ns:
            self._woken.set()
        if not self.node.leads:
            self._succeeded.set()

    async def stop(self, patience_s: float) -> None:
        """Hand leadership over, if there is anybody to take it.

        Members that have not heard of the successor yet still pass requests on to this node. It
        tells them that it does nothing, where its silence would leave their clients in doubt.
        """
        led = self.node.leads
        self._succeeded = trio.Event()
        self.post(events.StopAsked())
        if led and len(self.node.raft.configuration.members) > 1:
            with trio.move_on_after(patience_s):
                await self._succeeded.wait()
                await trio.sleep(FAREWELL_S)

    def close(self) -> None:
        """Let go of the storage."""
        self._storage.close()

    # -- effects ----------------------------------------------------------------------------

    def _answer(self, effect: effects.Answer) -> None:
        question = self._questions.get(effect.handle)
        if question is None:
            return
        response = effect.response
        if effect.lease_until_ns and time.monotonic_ns() >= effect.lease_until_ns:
            # The process was held up between the clock and here: another may lead by now.
            if question.attempts < LEASE_ATTEMPTS_MAX:
                question.attempts += 1
                asked = events.Asked(effect.handle, question.request, self._patience_ns)
                self._events.append(asked)
                return
            response = NO_LEADER
        del self._questions[effect.handle]
        if effect.audited and self._audit_failed:
            response = AUDIT_FAILED
        question.waiter.deliver(effect.handle, response)

    def _send(self, effect: effects.Send) -> None:
        if self._transport is not None and not (effect.audited and self._audit_failed):
            self._transport.send(effect)

    def _store(self, effect: Any) -> None:  # noqa: ANN401 -- one of the effects of a storage
        self._storage.carry_out(effect, self.post)

    def _append_audit(self, effect: effects.AppendAudit) -> None:
        unwritable = self.audit_files.append(effect.lines)
        if unwritable:
            _log.error("audit records could not be written", files=unwritable)
            self._audit_failed = not effect.is_kept(unwritable)
        self._events.append(events.AuditAppended(effect.sequence, unwritable))

    def _admit_peers(self, effect: effects.AdmitPeers) -> None:
        if self._transport is not None:
            self._keep(self._transport.admit, effect)

    def _ask_cluster(self, effect: effects.AskCluster) -> None:
        if self._transport is not None:
            self._transport.ask(effect)

    def _issue_identity(self, effect: effects.IssueIdentity) -> None:
        if self._transport is not None:
            self._keep(self._transport.identify, effect)

    def _keep(self, take: Callable[[Any], None], effect: effects.Effect) -> None:
        """Have the transport take something that it also keeps in a file."""
        self._unkept.pop(take, None)
        try:
            take(effect)
        except OSError as error:
            if error.errno not in NO_ROOM:
                self.fail(f"what the peer transport has to keep can't be written: {error}")
                return
            _log.error("no room for what the peer transport has to keep", reason=str(error))
            self._unkept[take] = effect
            self._unkept_due_ns = time.monotonic_ns() + RETRY_NS

    def _keep_again(self) -> None:
        """Try again what there was no room for."""
        if self._unkept and time.monotonic_ns() >= self._unkept_due_ns:
            for take, effect in list(self._unkept.items()):
                self._keep(take, effect)

    def _report(self, effect: effects.Report) -> None:
        getattr(_log, effect.severity)(effect.text, **effect.fields)

    def _halt(self, effect: effects.Halt) -> None:
        # Not raised here: what the loop calls at the wish of a thread must not raise.
        self.fail(effect.reason)

    _EFFECTS: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        effects.Answer: _answer,
        effects.Send: _send,
        effects.WriteLog: _store,
        effects.PrepareSegment: _store,
        effects.DropSegments: _store,
        effects.FlushBase: _store,
        effects.StageSnapshot: _store,
        effects.ReplaceBase: _store,
        effects.AppendAudit: _append_audit,
        effects.AdmitPeers: _admit_peers,
        effects.AskCluster: _ask_cluster,
        effects.IssueIdentity: _issue_identity,
        effects.Report: _report,
        effects.Halt: _halt,
    }
