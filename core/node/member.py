"""`Node`: one member of a cluster, one turn at a time.

Owns the order of things within a turn. A turn takes many events, lets each room do its part,
and ends with one batch for the log, one message per peer and one append to each audit file.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from core import events
from core.check import InvariantBroken
from core.effects import Answer, Effect, Halt, Report, Send
from core.entropy import Entropy
from core.moment import Now
from core.node.administration import Administration, step_down
from core.node.belonging import Belonging
from core.node.custody import Custody
from core.node.executing import Executing
from core.node.info import NodeInfo
from core.node.journal import Journal
from core.node.messages import Forward, Forwarded, Inquiry, Removed
from core.node.serving import Serving
from core.node.turn import Turn
from core.node.upkeep import Upkeep
from core.raft import dispatch
from core.raft.entry import KIND_WRITES
from core.raft.state import Raft
from core.settings import Settings
from core.store import write_set
from core.store.base import Base
from core.store.store import Store
from core.store.transaction import Transaction
from core.vault import answers
from core.wal.recovery import Recovered


class Node:
    """One member of a cluster.

    Attributes:
        raft: its consensus state, for those who watch.
        store: its replicated state, for those who watch.
        info: what it was told about itself.
        deadline_ns: when the next turn is due even if nothing happens (monotonic).
    """

    __slots__ = (
        "_administration",
        "_begun",
        "_belonging",
        "_custody",
        "_executing",
        "_halted",
        "_journal",
        "_leader",
        "_led",
        "_left",
        "_quiet",
        "_serving",
        "_settings",
        "_stopping",
        "_turn",
        "_upkeep",
        "deadline_ns",
        "info",
        "raft",
        "store",
    )

    def __init__(
        self,
        info: NodeInfo,
        settings: Settings,
        entropy: Entropy,
        base: Base,
        recovered: Recovered,
        now: Now,
    ) -> None:
        """Take up where the durable state stands; the node starts sealed."""
        self.info = info
        self._settings = settings
        self.store = Store(base)
        self.raft = Raft(
            info.node,
            settings.raft,
            entropy,
            base,
            recovered.hard_state,
            recovered.entries,
            now.monotonic_ns,
        )
        self._journal = Journal(recovered.writer, settings.store.retry_ns)
        self._custody = Custody(info, self.raft, self.store, settings, entropy)
        self._belonging = Belonging(
            self.raft, self._custody.condition, settings.leader_patience_ns, now.monotonic_ns
        )
        self._administration = Administration(self.raft)
        self._turn = Turn(now)
        self._executing = Executing(
            self._turn,
            self.raft,
            self.store,
            self._journal,
            self._custody,
            settings,
            self._administration.act,
        )
        incarnation = int.from_bytes(entropy.random_bytes(7), "big")
        self._serving = Serving(
            self._turn,
            self.raft,
            self.store,
            self._custody,
            self._executing,
            settings,
            incarnation,
        )
        self._upkeep = Upkeep(self.raft, self.store, self._journal, settings.store)
        self._leader = ""
        self._led = False
        self._left = False
        self._stopping = False
        self._halted = False
        self._begun = False
        self._quiet = False
        self.deadline_ns = now.monotonic_ns

    # -- the face ---------------------------------------------------------------------------

    def handle(self, taken: Sequence[events.Event], now: Now) -> list[Effect]:
        """Take one turn.

        A broken invariant ends this node: the effects of the turn are dropped, and `Halt` is all
        that ever comes out again.
        """
        if self._halted:
            return []
        effects: list[Effect] = []
        turn = self._turn
        turn.effects = effects
        turn.now = now
        try:
            raft = self.raft
            if raft.leadership is not None:
                raft.wall(now.wall_ns)
            self._quiet = self._begun
            for event in taken:
                self._HANDLERS[type(event)](self, event)
            if self._quiet and (now.monotonic_ns < self.deadline_ns or not self._is_due(now)):
                if raft.outbox:
                    self._release(now, effects)
                if self._executing.auditing.lines:
                    self._executing.end_turn()
            else:
                self._begun = True
                self._end_turn(now, effects)
                self.deadline_ns = self._next_due_ns()
        except InvariantBroken as broken:
            self._halted = True
            return [Halt(f"an invariant is broken: {broken}")]
        return effects

    def _is_due(self, now: Now) -> bool:
        """Tell whether anything is due after all: a quiet turn does not put off the deadline."""
        self.deadline_ns = self._next_due_ns()
        return now.monotonic_ns >= self.deadline_ns

    def _next_due_ns(self) -> int:
        upkeep = self._upkeep
        due_ns = self.raft.deadline_ns
        for other_ns in (
            self._serving.deadline_ns,
            self._journal.due_ns,
            upkeep.sweep_due_ns,
            upkeep.retry_due_ns,
            self._custody.admission.deadline_ns,
            self._belonging.deadline_ns,
        ):
            if other_ns < due_ns:
                due_ns = other_ns
        return due_ns

    @property
    def leads(self) -> bool:
        """Whether this node is the leader."""
        return self.raft.leadership is not None

    @property
    def sealed(self) -> bool:
        """Whether this node is sealed."""
        return self._custody.vault is None

    @property
    def removed(self) -> bool:
        """Whether this node knows that it was removed from its cluster."""
        return self._custody.condition.removed

    # -- events: all but those that were answered at once call for a whole turn ---------------

    def _received(self, event: events.Received) -> None:
        message: Any = event.message
        take = self._MESSAGES.get(type(message))
        if take is not None:
            self._quiet = False
            take(self, event.sender, message)
        elif dispatch.step(self.raft, event.sender, message, self._turn.now.monotonic_ns):
            self._quiet = False

    def _take_forward(self, sender: str, message: Forward) -> None:
        self._serving.take_forward(sender, message)

    def _take_forwarded(self, _sender: str, message: Forwarded) -> None:
        self._serving.take_forwarded(message)

    def _take_inquiry(self, _sender: str, _message: Inquiry) -> None:
        """Answer nothing: its sender belongs as far as this node knows, or it had not got here."""

    def _take_removed(self, sender: str, _message: Removed) -> None:
        self._belonging.told(sender)

    def _asked(self, event: events.Asked) -> None:
        request = event.request
        if self._custody.answers(request.path):
            self._quiet = False
            self._custody.answer(event.handle, request, self._turn.now, self._turn.effects)
        elif self._custody.condition.removed:
            self._turn.effects.append(Answer(event.handle, answers.REMOVED))
        elif self._stopping:
            self._turn.effects.append(Answer(event.handle, answers.STOPPING))
        else:
            self._serving.ask(event.handle, request, event.patience_ns)
            if self._serving.touched:
                self._quiet = False

    def _log_written(self, event: events.LogWritten) -> None:
        self._quiet = False
        self._journal.written(self.raft, event.sequence, self._turn.now.monotonic_ns)

    def _segment_ready(self, event: events.SegmentReady) -> None:
        self._quiet = False
        self._journal.writer.segment_ready(event.number)

    def _segment_refused(self, event: events.SegmentRefused) -> None:
        self._quiet = False
        self._journal.refused(event.number, self._turn.now.monotonic_ns)
        self._turn.effects.append(
            Report(
                "the log cannot be extended",
                {"reason": event.reason, "segment": event.number},
                "error",
            )
        )

    def _base_flushed(self, event: events.BaseFlushed) -> None:
        self._quiet = False
        self._upkeep.flushed(event.index, self._turn.effects)

    def _base_flush_refused(self, event: events.BaseFlushRefused) -> None:
        self._quiet = False
        self._upkeep.refused(event.reason, self._turn.now.monotonic_ns, self._turn.effects)

    def _snapshot_staged(self, event: events.SnapshotStaged) -> None:
        self._quiet = False
        self._upkeep.staged(event.snapshot, event.number, self._turn.effects)

    def _snapshot_refused(self, event: events.SnapshotRefused) -> None:
        self._quiet = False
        self._upkeep.staging_refused(event.snapshot, event.number, event.reason, self._turn.effects)

    def _base_replaced(self, event: events.BaseReplaced) -> None:
        self._quiet = False
        self._upkeep.replaced(event.snapshot, self._turn.effects)
        self._custody.follow_keys()
        self._custody.open_if_possible(self._turn.now, self._turn.effects)

    def _audit_appended(self, event: events.AuditAppended) -> None:
        if self._serving.audit_appended(event.sequence, event.unwritable):
            self._quiet = False

    def _cluster_answered(self, event: events.ClusterAnswered) -> None:
        self._quiet = False
        self._custody.admission.answered(event, self._turn.now.monotonic_ns, self._turn.effects)

    def _stop_asked(self, _event: events.StopAsked) -> None:
        self._quiet = False
        self._stopping = True
        if self.leads:
            step_down(self.raft, self._turn.now)

    # -- the turn ---------------------------------------------------------------------------

    def _end_turn(self, now: Now, effects: list[Effect]) -> None:
        """Let what the events have changed take its way: messages, applying, serving, writing.

        Most turns change little, a heartbeat nothing: whatever can be passed over is.
        """
        raft = self.raft
        journal = self._journal
        serving = self._serving
        now_ns = now.monotonic_ns
        if now_ns >= self.deadline_ns:
            self._tick(now_ns, effects)
        if raft.outbox or journal.held:
            self._release(now, effects)
        # What waits for an index must be told of lost leadership before that index is applied:
        # the entry there may be another leader's by now.
        self._notice_leader(now, effects)
        if self.store.applied_index < raft.commit:
            self._apply(now, effects)
        if self._custody.beginning is not None:
            self._custody.proceed(now, effects)
            self._notice_leader(now, effects)
        serving.proceed()
        if raft.leadership is not None:
            if raft.configuration.learners:
                self._upkeep.promote()
            dispatch.finish_turn(raft, now_ns)
        serving.run_confirmed_reads()
        if raft.staged_chunks:
            self._upkeep.stage(effects)
        self._upkeep.flush(effects)
        if self._administration.seal_asked:
            self._seal(now, effects)
        removed = self._upkeep.take_removed(raft.leaving)
        if removed:
            self._belonging.seen(removed)
        if self._custody.condition.removed:
            self._leave(now, effects)
        journal.prepare(now_ns, effects)
        journal.write(raft, now_ns, effects)
        if raft.outbox:
            self._release(now, effects)
        self._belonging.admit(effects)
        self._executing.end_turn()

    def _release(self, now: Now, effects: list[Effect]) -> None:
        """Send what may leave by now; a candidate's own vote comes back to it at once."""
        raft = self.raft
        for outgoing in self._journal.release(raft):
            if outgoing.receiver == raft.node:
                dispatch.step(raft, raft.node, outgoing.message, now.monotonic_ns)
            else:
                effects.append(Send(outgoing.receiver, outgoing.message))

    def _tick(self, now_ns: int, effects: list[Effect]) -> None:
        dispatch.tick(self.raft, now_ns)
        self._serving.tick()
        self._upkeep.tick(now_ns, effects)
        self._custody.admission.tick(now_ns, effects)
        self._belonging.tick(now_ns, effects)
        vault = self._custody.vault
        if self._upkeep.take_sweep(now_ns) and vault is not None:
            transaction = Transaction(self.store)
            vault.sweep(transaction, self.raft.wall_ns)
            if transaction.writes:
                self._executing.propose(transaction.writes)
        self._step_down_if_stalled(now_ns, effects)

    def _step_down_if_stalled(self, now_ns: int, effects: list[Effect]) -> None:
        """Let another lead whose disk still works, if there may be one."""
        raft = self.raft
        others = len(raft.configuration.incoming) > 1
        stalled_ns = self._journal.stalled_ns(now_ns)
        if self.leads and others and stalled_ns > self._settings.store.stall_ns:
            effects.append(Report("the log is stalled; stepping down", {}, "error"))
            raft.follow(raft.term, "", now_ns)

    def _apply(self, now: Now, effects: list[Effect]) -> None:
        raft = self.raft
        store = self.store
        if raft.awaits_base:
            return
        for entry in raft.log.between(store.applied_index + 1, raft.commit):
            writes = write_set.decode(entry.data) if entry.kind == KIND_WRITES else ()
            store.apply(entry.index, writes)
            self._upkeep.applied(entry)
            self._custody.follow_keys()
            self._executing.applied(entry)
        self._custody.open_if_possible(now, effects)

    def _notice_leader(self, now: Now, effects: list[Effect]) -> None:
        """Tell the waiting requests when leadership is won or lost, here or elsewhere."""
        raft = self.raft
        leads = raft.leadership is not None
        if leads == self._led and raft.leader == self._leader:
            return
        if self._led and not leads:
            self._serving.lost_leadership()
        if leads and not self._led:
            self._custody.condition.active_since_ns = now.wall_ns
            self._upkeep.begin_sweeping(now.monotonic_ns)
        self._led = leads
        self._leader = raft.leader
        self._serving.leader_changed()
        member = raft.configuration.members.get(raft.leader)
        name = member.name if member is not None else raft.leader
        effects.append(Report("the leader has changed", {"leader": name, "term": raft.term}))

    def _seal(self, now: Now, effects: list[Effect]) -> None:
        self._administration.seal_asked = False
        self._custody.close(now, effects)
        self._serving.seal()
        self._notice_leader(now, effects)

    def _leave(self, now: Now, effects: list[Effect]) -> None:
        """Serve nobody any more and forget every key, as a member that was removed.

        What the leader was asked for a client of this node may be that very removal: its answer
        is awaited.
        """
        if not self._left:
            self._left = True
            self.raft.set_electable(now.monotonic_ns, electable=False)
            effects.append(Report("this node was removed from its cluster", {}, "error"))
        if not self.sealed and not self._serving.awaits_leader:
            self._custody.close(now, effects)
            self._serving.seal(answers.REMOVED)
        self._notice_leader(now, effects)

    _MESSAGES: ClassVar[dict[type, Callable[[Any, str, Any], None]]] = {
        Forward: _take_forward,
        Forwarded: _take_forwarded,
        Inquiry: _take_inquiry,
        Removed: _take_removed,
    }
    """Which handler takes which message; all others are consensus, and its own table has them."""

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        events.Received: _received,
        events.Asked: _asked,
        events.LogWritten: _log_written,
        events.SegmentReady: _segment_ready,
        events.SegmentRefused: _segment_refused,
        events.BaseFlushed: _base_flushed,
        events.BaseFlushRefused: _base_flush_refused,
        events.SnapshotStaged: _snapshot_staged,
        events.SnapshotRefused: _snapshot_refused,
        events.BaseReplaced: _base_replaced,
        events.AuditAppended: _audit_appended,
        events.ClusterAnswered: _cluster_answered,
        events.StopAsked: _stop_asked,
    }
    """Which handler takes which event; the union in `core.events` is closed."""
