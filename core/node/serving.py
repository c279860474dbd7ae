"""The way of each request to its answer.

Owns the requests that wait: for a leader, for a read index, for the audit of a write, for a
commit, for the leader's answer. Every request ends in one answer. Must not know how a request is
understood (`core.vault`), nor how members agree (`core.raft`).
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from core.check import check
from core.effects import Answer, AppendAudit, Effect, Send
from core.moment import Now
from core.node.forwarding import Call, SeenCalls
from core.node.journal import Journal
from core.node.messages import Forward, Forwarded
from core.node.reading import ReadQueue
from core.node.waiting import Uncommitted, Waiting
from core.raft import reads, transfer
from core.raft.entry import KIND_EMPTY, KIND_WRITES, Entry
from core.raft.state import NEVER, Raft
from core.request import Request, Response
from core.settings import Settings
from core.store import write_set
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction, WouldWrite
from core.vault import answers
from core.vault.outcome import Outcome
from core.vault.plan import Plan
from core.vault.reply import Action
from core.vault.vault import AuditLines, Vault, merge_lines

STALE_HEADER: Final = "x-holdfast-read"
NO_FORWARDING_HEADER: Final = "x-vault-no-request-forwarding"

Act = Callable[[Action, Now], tuple[Response | None, int]]
"""Carries out what a request asks of the node itself: an answer to give instead, or None, and
the index of the entry to wait for, or 0."""


class Serving:
    """Requests of one node.

    Attributes:
        vault: what understands them; None while the node is sealed.
        touched: in this turn a request did more than read and be answered.
    """

    __slots__ = (
        "_act",
        "_audit_lines",
        "_audit_sequence",
        "_calls",
        "_declined",
        "_effects",
        "_gated",
        "_gated_now",
        "_incarnation",
        "_journal",
        "_last_call",
        "_now",
        "_raft",
        "_reads",
        "_seen_calls",
        "_settings",
        "_store",
        "_uncommitted",
        "_uncommitted_count",
        "_unled",
        "touched",
        "vault",
    )

    def __init__(
        self,
        raft: Raft,
        store: Store,
        journal: Journal,
        settings: Settings,
        act: Act,
        incarnation: int,
    ) -> None:
        self.vault: Vault | None = None
        self._raft = raft
        self._store = store
        self._journal = journal
        self._settings = settings
        self._act = act
        self._incarnation = incarnation
        self._last_call = 0
        self._now = Now(0, 0)
        self.touched = False
        self._effects: list[Effect] = []
        self._audit_lines: list[AuditLines] = []
        self._audit_sequence = 0
        self._gated_now: list[Waiting] = []
        self._gated: dict[int, list[Waiting]] = {}
        self._unled: deque[Waiting] = deque()
        self._calls: dict[int, Call] = {}
        self._declined = ("", 0)
        self._seen_calls = SeenCalls()
        self._uncommitted: dict[int, list[Uncommitted]] = {}
        self._uncommitted_count = 0
        self._reads = ReadQueue(settings, incarnation)

    def begin_turn(self, now: Now, effects: list[Effect]) -> None:
        """Let this turn's effects gather in `effects`."""
        self._now = now
        self._effects = effects
        self.touched = False

    # -- arrival ----------------------------------------------------------------------------

    def ask(self, handle: int, request: Request, patience_ns: int) -> None:
        """Take in a request of a client of this node."""
        vault = self.vault
        if vault is None:
            self._effects.append(Answer(handle, answers.SEALED))
            return
        if self._crowded():
            self._effects.append(Answer(handle, answers.OVERLOADED))
            return
        deadline_ns = self._now.monotonic_ns + patience_ns
        now_ns = self._now.monotonic_ns
        self._serve(Waiting(request, vault.plan(request), deadline_ns, handle, since_ns=now_ns))

    def take_forward(self, sender: str, message: Forward) -> None:
        """Take in a request that another member passes on."""
        if not self._seen_calls.is_new(message.incarnation, message.call):
            return
        vault = self.vault
        if vault is None or self._raft.leadership is None:
            self._effects.append(Send(sender, Forwarded(message.incarnation, message.call, None)))
            return
        if self._crowded():
            # Said to the client: a member that forwarded it again at once would crowd us more.
            refusal = Forwarded(message.incarnation, message.call, answers.OVERLOADED)
            self._effects.append(Send(sender, refusal))
            return
        deadline_ns = self._now.monotonic_ns + message.patience_ns
        request = message.request
        self._serve(
            Waiting(
                request,
                vault.plan(request),
                deadline_ns,
                0,
                sender,
                message.incarnation,
                message.call,
                since_ns=self._now.monotonic_ns,
            )
        )

    def take_forwarded(self, message: Forwarded) -> None:
        """Take in the leader's answer to a request that this node passed on."""
        call = None
        if message.incarnation == self._incarnation:
            call = self._calls.pop(message.call, None)
        if call is None:
            return
        if message.response is not None:
            self._effects.append(Answer(call.waiting.handle, message.response))
        else:
            self._declined = (call.leader, call.term)
            self._await_leader(call.waiting)

    def _crowded(self) -> bool:
        waiting = len(self._unled) + len(self._calls) + self._reads.count + self._uncommitted_count
        return waiting >= self._settings.requests.waiting_max

    def _serve(self, waiting: Waiting) -> None:
        if waiting.plan.writes:
            self._write(waiting)
        else:
            self._read(waiting)

    def _replan(self, waiting: Waiting) -> Plan:
        """Understand a request anew: mounts may have come or gone since it arrived."""
        if self.vault is not None:
            waiting.plan = self.vault.plan(waiting.request, waiting.plan.request_id)
        return waiting.plan

    def _await_leader(self, waiting: Waiting) -> None:
        waiting.audited = False
        self.touched = True
        self._unled.append(waiting)

    # -- reading ----------------------------------------------------------------------------

    def _read(self, waiting: Waiting) -> None:
        if waiting.request.headers.get(STALE_HEADER) == "stale":
            self._run_read(waiting, 0)
        elif self._holds_lease():
            self._run_read(waiting, reads.lease_until_ns(self._raft))
        elif self._raft.leader:
            self._reads.add(waiting)
            self.touched = True
        else:
            self._await_leader(waiting)

    def _run_read(self, waiting: Waiting, lease_until_ns: int) -> None:
        vault = self.vault
        if vault is None:
            self._finish(waiting, answers.SEALED)
            return
        try:
            outcome = vault.read(
                waiting.plan, waiting.request, Snapshot(self._store), self._raft.wall_ns
            )
        except WouldWrite:
            self._write(waiting)
            return
        self._audit(vault.audit_read(outcome, self._raft.wall_ns))
        self._finish(waiting, outcome.response, lease_until_ns=lease_until_ns, audited=vault.audits)

    # -- writing ----------------------------------------------------------------------------

    def _leads(self) -> bool:
        """Tell whether this node may execute: what it has applied and proposed is all there is."""
        raft = self._raft
        leadership = raft.leadership
        return (
            leadership is not None
            and self._store.applied_index >= leadership.first_index
            and not transfer.is_under_way(raft)
        )

    def _write(self, waiting: Waiting) -> None:
        raft = self._raft
        vault = self.vault
        self.touched = True
        if vault is None:
            self._finish(waiting, answers.SEALED)
        elif self._leads():
            if not waiting.audited and vault.is_recorded(waiting.plan):
                self._audit(
                    vault.audit_request(
                        waiting.plan, waiting.request, Transaction(self._store), raft.wall_ns
                    )
                )
                self._gated_now.append(waiting)
            else:
                self._execute(vault, waiting)
        elif raft.leadership is not None or not raft.leader:
            self._await_leader(waiting)
        elif waiting.peer:
            self._effects.append(
                Send(waiting.peer, Forwarded(waiting.incarnation, waiting.call, None))
            )
        else:
            self._forward(waiting)

    def _execute(self, vault: Vault, waiting: Waiting) -> None:
        transaction = Transaction(self._store)
        outcome = vault.write(
            waiting.plan, waiting.request, transaction, self._raft.wall_ns, waiting.unwritable
        )
        index = transaction.depends_on
        writes = transaction.writes
        if writes:
            data = write_set.encode(writes)
            if not self._may_propose(len(data)):
                self._fail(vault, waiting, answers.NO_ROOM)
                return
            index = self._raft.append(KIND_WRITES, data)
            self._store.propose(index, list(writes.items()))
        elif outcome.action is None and not self._holds_lease():
            # What only looked on, a refusal for one, is true if this node leads. Another may
            # lead by now; an entry that is appended after the look and committed rules that out.
            # What is to be done to this node itself, such as to seal it, needs no others.
            if not self._may_propose(0):
                self._fail(vault, waiting, answers.NO_ROOM)
                return
            index = self._raft.append(KIND_EMPTY, b"")
        self._await_commit(waiting, outcome, index, wrote=bool(writes))

    def _holds_lease(self) -> bool:
        return reads.holds_lease(self._raft, self._now.monotonic_ns)

    def _await_commit(self, waiting: Waiting, outcome: Outcome, index: int, *, wrote: bool) -> None:
        """Go on once the entry at `index` is applied; 0 waits for none."""
        if index > self._store.applied_index:
            term = self._raft.log.term_at(index) or 0
            entry = Uncommitted(waiting, outcome, term, wrote)
            self._uncommitted.setdefault(index, []).append(entry)
            self._uncommitted_count += 1
        elif outcome.action is not None:
            self._carry_out(waiting, outcome, outcome.action)
        else:
            self._conclude(waiting, outcome)

    def _carry_out(self, waiting: Waiting, outcome: Outcome, action: Action) -> None:
        """Do what a request asks of the node itself, after all that it wrote or saw is committed.

        So the use of a use-limited token counts before it opens anything.
        """
        instead, index = self._act(action, self._now)
        if instead is not None:
            outcome = outcome.replaced(instead, "the node refused")
        else:
            outcome = Outcome(outcome.response, outcome.exchange)
        self._await_commit(waiting, outcome, index, wrote=True)

    def _may_propose(self, size: int) -> bool:
        leadership = self._raft.leadership
        return (
            leadership is not None
            and leadership.uncommitted_bytes + size <= self._settings.raft.uncommitted_bytes_max
            and self._journal.has_room(size)
        )

    def propose(self, writes: dict[bytes, bytes | None]) -> bool:
        """Propose writes that no client asked for; tell whether there was room."""
        data = write_set.encode(writes)
        if not self._leads() or not self._may_propose(len(data)):
            return False
        self._store.propose(self._raft.append(KIND_WRITES, data), list(writes.items()))
        return True

    def applied(self, entry: Entry) -> None:
        """Answer what waited for this entry."""
        for uncommitted in self._uncommitted.pop(entry.index, ()):
            check(uncommitted.term == entry.term, "another entry than the one that was awaited")
            self._uncommitted_count -= 1
            self._await_commit(uncommitted.waiting, uncommitted.outcome, 0, wrote=True)

    def lost_leadership(self) -> None:
        """Tell those who wait for a commit; what only looked on is asked again.

        What is committed by now, such as the removal of this very leader, is about to be applied,
        and answered then.
        """
        raft = self._raft
        committed: dict[int, list[Uncommitted]] = {}
        entries: list[Uncommitted] = []
        for index, batch in self._uncommitted.items():
            if index <= raft.commit and raft.log.term_at(index) == batch[0].term:
                committed[index] = batch
            else:
                entries += batch
        self._uncommitted = committed
        self._uncommitted_count -= len(entries)
        self._store.drop_pending()
        for entry in entries:
            if entry.wrote:
                outcome = entry.outcome.replaced(answers.UNKNOWN_OUTCOME, "outcome unknown")
                self._conclude(entry.waiting, outcome)
            else:
                self._await_leader(entry.waiting)
        for waiting in self._reads.take_all():
            self._await_leader(waiting)

    # -- forwarding -------------------------------------------------------------------------

    def _forward(self, waiting: Waiting) -> None:
        raft = self._raft
        leader = raft.leader
        if waiting.request.headers.get(NO_FORWARDING_HEADER):
            member = raft.configuration.members.get(leader)
            address = member.api_address if member is not None else ""
            self._finish(waiting, answers.redirect(address, waiting.request))
            return
        now_ns = self._now.monotonic_ns
        if len(self._calls) >= self._settings.requests.forwarded_max:
            self._finish(waiting, answers.OVERLOADED)
            return
        self._last_call += 1
        due_ns = min(waiting.deadline_ns, now_ns + self._patience_ns())
        self._calls[self._last_call] = Call(waiting, leader, raft.term, due_ns)
        self._effects.append(
            Send(
                leader,
                Forward(
                    self._incarnation,
                    self._last_call,
                    waiting.deadline_ns - now_ns,
                    waiting.request.forwarded(raft.node),
                ),
            )
        )

    def _patience_ns(self) -> int:
        return 2 * self._settings.raft.election_timeout_max_ns

    # -- answering --------------------------------------------------------------------------

    def _conclude(self, waiting: Waiting, outcome: Outcome) -> None:
        vault = self.vault
        if vault is not None:
            self._audit(vault.audit_response(outcome, self._raft.wall_ns))
        self._finish(waiting, outcome.response, audited=vault is not None and vault.audits)

    def _fail(self, vault: Vault, waiting: Waiting, response: Response) -> None:
        refusal = vault.refusal(waiting.plan, waiting.request, response, "no room in the log")
        self._conclude(waiting, refusal)

    def _finish(
        self,
        waiting: Waiting,
        response: Response,
        *,
        lease_until_ns: int = 0,
        audited: bool = False,
    ) -> None:
        if waiting.peer:
            message = Forwarded(waiting.incarnation, waiting.call, response)
            self._effects.append(Send(waiting.peer, message, audited))
        else:
            self._effects.append(Answer(waiting.handle, response, lease_until_ns, audited))

    def _audit(self, lines: AuditLines) -> None:
        if lines:
            self._audit_lines.append(lines)

    def audit_appended(self, sequence: int, unwritable: tuple[str, ...]) -> bool:
        """Execute the writes whose records as requests have been written; tell if any were."""
        gated = self._gated.pop(sequence, ())
        recorded = self.vault is None or self.vault.is_audit_kept(unwritable)
        for waiting in gated:
            if recorded:
                waiting.audited = True
                waiting.unwritable = unwritable
                self._write(waiting)
            else:
                self._finish(waiting, answers.AUDIT_FAILED)
        return bool(gated)

    def end_turn(self) -> None:
        """Ask for one append of all the audit records of this turn, before its answers."""
        if self._audit_lines:
            self._audit_sequence += 1
            if self._gated_now:
                self._gated[self._audit_sequence] = self._gated_now
                self._gated_now = []
            lines = merge_lines(self._audit_lines)
            self._audit_lines = []
            self._effects.insert(0, AppendAudit(self._audit_sequence, lines))

    # -- waiting ----------------------------------------------------------------------------

    def pump(self) -> None:
        """Take up what waited for a leader, once there is one that can execute.

        Who has declined a call leads no more in that term: it is not asked again and again.
        """
        raft = self._raft
        leader = (raft.leader, raft.term)
        follows = raft.leader and raft.leadership is None and leader != self._declined
        if self._unled and (follows or self._leads()):
            unled, self._unled = self._unled, deque()
            for waiting in unled:
                self._replan(waiting)
                self._serve(waiting)

    def ask_for_reads(self) -> None:
        """Ask the leader to confirm the reads that have gathered."""
        self._reads.ask(self._raft, self._now.monotonic_ns, self._effects)

    def run_confirmed_reads(self) -> None:
        """Run the reads that were confirmed and whose index has been applied."""
        raft = self._raft
        if raft.confirmed_reads:
            for read in raft.confirmed_reads:
                self._reads.confirmed(read)
            raft.confirmed_reads = []
        if raft.refused_reads:
            for batch in raft.refused_reads:
                for waiting in self._reads.refused(batch):
                    self._await_leader(waiting)
            raft.refused_reads = []
        for waiting in self._reads.ready(self._store.applied_index):
            if self._replan(waiting).writes:
                self._write(waiting)
            else:
                self._run_read(waiting, 0)

    def leader_changed(self) -> None:
        """Give the former leader little time to answer calls: it may be gone."""
        due_ns = self._now.monotonic_ns + self._settings.raft.election_timeout_min_ns
        for call in self._calls.values():
            if call.leader != self._raft.leader:
                call.due_ns = min(call.due_ns, due_ns)
        for waiting in self._reads.take_all():
            self._await_leader(waiting)

    @property
    def deadline_ns(self) -> int:
        """When `tick` has something to do."""
        if not (self._unled or self._calls or self._reads.count):
            return NEVER
        due_ns = NEVER
        patience_ns = self._patience_ns()
        for waiting in self._unled:
            due_ns = min(due_ns, waiting.due_ns(patience_ns))
        for call in self._calls.values():
            due_ns = min(due_ns, call.due_ns)
        return min(due_ns, self._reads.deadline_ns(patience_ns))

    def tick(self) -> None:
        """Answer what has waited too long."""
        now_ns = self._now.monotonic_ns
        patience_ns = self._patience_ns()
        kept: deque[Waiting] = deque()
        for waiting in self._unled:
            if now_ns >= waiting.due_ns(patience_ns):
                self._finish(waiting, answers.NO_LEADER)
            else:
                kept.append(waiting)
        self._unled = kept
        overdue = [number for number, call in self._calls.items() if now_ns >= call.due_ns]
        for number in overdue:
            self._finish(self._calls.pop(number).waiting, answers.UNKNOWN_OUTCOME)
        for waiting in self._reads.overdue(now_ns, patience_ns):
            self._finish(waiting, answers.NO_LEADER)

    def drop_all(self, response: Response) -> None:
        """Answer everything that waits: this node is sealed or stops."""
        everything = [
            *self._unled,
            *self._reads.take_all(),
            *self._gated_now,
            *(waiting for batch in self._gated.values() for waiting in batch),
        ]
        unknown = [entry.waiting for batch in self._uncommitted.values() for entry in batch]
        unknown += [call.waiting for call in self._calls.values()]
        self._unled.clear()
        self._gated_now = []
        self._gated.clear()
        self._uncommitted.clear()
        self._uncommitted_count = 0
        self._calls.clear()
        for waiting in everything:
            self._finish(waiting, response)
        for waiting in unknown:
            self._finish(waiting, answers.UNKNOWN_OUTCOME)
