"""The way of each request to its answer.

Owns which request goes which way: answered at once, executed, passed on, or made to wait; the
queues of those that wait are `WaitingQueue` (for a leader), `ReadQueue` (for a read index),
`Auditing` (for a record to be kept), `CommitQueue` (for a commit) and `Calls` (for the leader's
answer). Every request ends in one answer. Must not know how a request is understood
(`core.vault`), nor how members agree (`core.raft`).
"""

from collections.abc import Callable
from typing import Final

from core.effects import Answer, Effect, Send
from core.moment import Now
from core.node.auditing import Auditing
from core.node.committing import CommitQueue
from core.node.custody import Custody
from core.node.forwarding import FORWARDED_BYTES_MAX, Calls, SeenCalls
from core.node.journal import Journal
from core.node.messages import Forward, Forwarded
from core.node.reading import ReadQueue
from core.node.waiting import Uncommitted, Waiting, WaitingQueue
from core.raft import reads, transfer
from core.raft.entry import KIND_EMPTY, KIND_WRITES, Entry
from core.raft.state import Raft
from core.request import Request, Response
from core.settings import Settings
from core.store import write_set
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction, WouldWrite
from core.vault import answers
from core.vault.outcome import Outcome
from core.vault.plan import Plan
from core.vault.reply import Action
from core.vault.vault import Vault

STALE_HEADER: Final = "x-holdfast-read"
NO_FORWARDING_HEADER: Final = "x-vault-no-request-forwarding"

Act = Callable[[Action, Now], tuple[Response | None, int]]
"""Carries out what a request asks of the node itself: an answer to give instead, or None, and
the index of the entry to wait for, or 0."""


class Serving:
    """Requests of one node.

    Attributes:
        touched: in this turn a request did more than read and be answered.
    """

    __slots__ = (
        "_act",
        "_auditing",
        "_calls",
        "_committing",
        "_custody",
        "_declined",
        "_effects",
        "_journal",
        "_now",
        "_raft",
        "_reads",
        "_seen_calls",
        "_settings",
        "_store",
        "_unled",
        "touched",
    )

    def __init__(
        self,
        raft: Raft,
        store: Store,
        journal: Journal,
        custody: Custody,
        settings: Settings,
        act: Act,
        incarnation: int,
    ) -> None:
        """Begin with no requests.

        Args:
            raft: agrees with the other members.
            store: what requests read, and where proposed writes show.
            journal: says whether there is room for a proposal.
            custody: has the vault, while the node is unsealed.
            settings: limits and timeouts.
            act: does what a request asks of the node itself.
            incarnation: tells this life of the node from its others.
        """
        self._raft = raft
        self._store = store
        self._journal = journal
        self._custody = custody
        self._settings = settings
        self._act = act
        self._now = Now(0, 0)
        self._effects: list[Effect] = []
        self._declined = ("", 0)
        self._seen_calls = SeenCalls()
        self._unled = WaitingQueue()
        self._reads = ReadQueue(settings, incarnation)
        self._auditing = Auditing()
        self._committing = CommitQueue()
        self._calls = Calls(settings, incarnation)
        self.touched = False

    # -- the turn ---------------------------------------------------------------------------

    def begin_turn(self, now: Now, effects: list[Effect]) -> None:
        """Let this turn's effects gather in `effects`."""
        self._now = now
        self._effects = effects
        self.touched = False

    def proceed(self) -> None:
        """Take up what waited for a leader, and ask the leader to confirm reads.

        Who has declined a call leads no more in that term: it is not asked again and again.
        """
        raft = self._raft
        if self._unled.waiting:
            leader = (raft.leader, raft.term)
            follows = raft.leader and raft.leadership is None and leader != self._declined
            if follows or self._leads():
                for waiting in self._unled.take_all():
                    self._replan(waiting)
                    self._serve(waiting)
        if self._reads.count:
            self._reads.ask(raft, self._now.monotonic_ns, self._effects)

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
        if self._reads.count:
            for waiting in self._reads.ready(self._store.applied_index):
                if self._replan(waiting).writes:
                    self._write(waiting)
                else:
                    self._run_read(waiting, 0)

    def end_turn(self) -> None:
        """Have this turn's audit records appended before its answers leave."""
        if self._auditing.lines:
            self._auditing.end_turn(self._effects)

    @property
    def deadline_ns(self) -> int:
        """When `tick` has something to do, or earlier (monotonic)."""
        return min(self._unled.due_ns, self._reads.due_ns, self._calls.due_ns)

    def tick(self) -> None:
        """Answer what has waited too long."""
        now_ns = self._now.monotonic_ns
        if now_ns >= self._unled.due_ns:
            for waiting in self._unled.take_overdue(now_ns):
                self._finish(waiting, answers.NO_LEADER)
        if now_ns >= self._calls.due_ns:
            for waiting in self._calls.take_overdue(now_ns):
                self._finish(waiting, answers.UNKNOWN_OUTCOME)
        if now_ns >= self._reads.due_ns:
            for waiting in self._reads.tick(now_ns):
                self._finish(waiting, answers.NO_LEADER)

    # -- arrival ----------------------------------------------------------------------------

    def ask(self, handle: int, request: Request, patience_ns: int) -> None:
        """Take in a request of a client of this node."""
        vault = self._custody.vault
        if vault is None:
            self._effects.append(Answer(handle, answers.SEALED))
        elif self._crowded():
            self._effects.append(Answer(handle, answers.OVERLOADED))
        else:
            deadline_ns, due_ns = self._patience(patience_ns)
            self._serve(Waiting(request, vault.plan(request), deadline_ns, due_ns, handle))

    def take_forward(self, sender: str, message: Forward) -> None:
        """Take in a request that another member passes on."""
        if not self._seen_calls.is_new(message.incarnation, message.call):
            return
        vault = self._custody.vault
        if vault is None or self._raft.leadership is None:
            self._effects.append(Send(sender, Forwarded(message.incarnation, message.call, None)))
        elif self._crowded():
            # Said to the client: a member that forwarded it again at once would crowd us more.
            refusal = Forwarded(message.incarnation, message.call, answers.OVERLOADED)
            self._effects.append(Send(sender, refusal))
        else:
            request = message.request
            deadline_ns, due_ns = self._patience(message.patience_ns)
            plan = vault.plan(request)
            named = (sender, message.incarnation, message.call)
            self._serve(Waiting(request, plan, deadline_ns, due_ns, 0, *named))

    def take_forwarded(self, message: Forwarded) -> None:
        """Take in the leader's answer to a request that this node passed on."""
        call = self._calls.answered(message.incarnation, message.call)
        if call is None:
            return
        if message.response is not None:
            self._effects.append(Answer(call.waiting.handle, message.response))
        else:
            self._declined = (call.leader, call.term)
            self._await_leader(call.waiting)

    def _patience(self, patience_ns: int) -> tuple[int, int]:
        """Return a request's deadline, and until when it waits for a leader (monotonic)."""
        now_ns = self._now.monotonic_ns
        return now_ns + patience_ns, now_ns + min(patience_ns, self._settings.leader_patience_ns)

    def _crowded(self) -> bool:
        waiting = len(self._unled.waiting) + len(self._calls) + self._reads.count
        waiting += self._auditing.count + self._committing.count
        return waiting >= self._settings.requests.waiting_max

    def _serve(self, waiting: Waiting) -> None:
        if waiting.plan.writes:
            self._write(waiting)
        else:
            self._read(waiting)

    def _replan(self, waiting: Waiting) -> Plan:
        """Understand a request anew: mounts may have come or gone since it arrived."""
        vault = self._custody.vault
        if vault is not None:
            waiting.plan = vault.plan(waiting.request, waiting.plan.request_id)
        return waiting.plan

    def _await_leader(self, waiting: Waiting) -> None:
        self.touched = True
        if waiting.peer and self._raft.leadership is None:
            self._decline(waiting)
        else:
            self._unled.add(waiting)

    def _decline(self, waiting: Waiting) -> None:
        """Hand a request back to the member that passed it on; it was not executed.

        That member waits for the next leader as well as this node could, which may be stopping.
        """
        declined = Forwarded(waiting.incarnation, waiting.call, None)
        self._effects.append(Send(waiting.peer, declined))

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
        vault = self._custody.vault
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
        self._auditing.record(vault.audit_read(outcome, self._raft.wall_ns))
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
        vault = self._custody.vault
        self.touched = True
        if vault is None:
            self._finish(waiting, answers.SEALED)
        elif self._leads():
            if waiting.audited or not self._hold_for_record(vault, waiting):
                self._execute(vault, waiting)
        elif raft.leadership is not None or not raft.leader:
            self._await_leader(waiting)
        elif waiting.peer:
            self._decline(waiting)
        else:
            self._forward(waiting)

    def _hold_for_record(self, vault: Vault, waiting: Waiting) -> bool:
        """Have the request recorded before it runs; tell whether there is anything to record."""
        if not vault.is_recorded(waiting.plan):
            return False
        transaction = Transaction(self._store)
        wall_ns = self._raft.wall_ns
        lines = vault.audit_request(waiting.plan, waiting.request, transaction, wall_ns)
        if lines:
            self._auditing.record(lines)
            self._auditing.hold(waiting)
        return bool(lines)

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
            self._committing.add(index, Uncommitted(waiting, outcome, term, wrote))
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
        for uncommitted in self._committing.applied(entry):
            self._await_commit(uncommitted.waiting, uncommitted.outcome, 0, wrote=True)

    # -- forwarding -------------------------------------------------------------------------

    def _forward(self, waiting: Waiting) -> None:
        raft = self._raft
        if waiting.request.headers.get(NO_FORWARDING_HEADER):
            member = raft.configuration.members.get(raft.leader)
            address = member.api_address if member is not None else ""
            self._finish(waiting, answers.redirect(address, waiting.request))
        elif len(waiting.request.body) > FORWARDED_BYTES_MAX:
            self._finish(waiting, answers.TOO_LARGE_TO_FORWARD)
        elif self._calls.full:
            self._finish(waiting, answers.OVERLOADED)
        else:
            self._calls.send(waiting, raft, self._now.monotonic_ns, self._effects)

    # -- answering --------------------------------------------------------------------------

    def _conclude(self, waiting: Waiting, outcome: Outcome) -> None:
        vault = self._custody.vault
        if vault is not None:
            self._auditing.record(vault.audit_response(outcome, self._raft.wall_ns))
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
            if len(response.body) > FORWARDED_BYTES_MAX:
                response = answers.ANSWER_TOO_LARGE
            message = Forwarded(waiting.incarnation, waiting.call, response)
            self._effects.append(Send(waiting.peer, message, audited))
        else:
            self._effects.append(Answer(waiting.handle, response, lease_until_ns, audited))

    def audit_appended(self, sequence: int, unwritable: tuple[str, ...]) -> bool:
        """Execute the writes whose records as requests have been written; tell if any were."""
        held = self._auditing.appended(sequence)
        vault = self._custody.vault
        recorded = vault is None or vault.is_audit_kept(unwritable)
        for waiting in held:
            if recorded:
                waiting.audited = True
                waiting.unwritable = unwritable
                self._write(waiting)
            else:
                self._finish(waiting, answers.AUDIT_FAILED)
        return bool(held)

    # -- changes ----------------------------------------------------------------------------

    def leader_changed(self) -> None:
        """Ask again what another leader was asked."""
        self._calls.leader_changed(self._raft.leader, self._now.monotonic_ns)
        for waiting in self._reads.take_all():
            self._await_leader(waiting)

    def lost_leadership(self) -> None:
        """Tell those who wait for a commit; what only looked on is asked again."""
        self._store.drop_pending()
        for entry in self._committing.take_uncommitted(self._raft):
            if entry.wrote:
                outcome = entry.outcome.replaced(answers.UNKNOWN_OUTCOME, "outcome unknown")
                self._conclude(entry.waiting, outcome)
            else:
                self._await_leader(entry.waiting)
        for waiting in self._unled.take_all():
            self._await_leader(waiting)

    @property
    def awaits_leader(self) -> bool:
        """Whether a leader has not answered yet what this node passed on to it."""
        return len(self._calls) > 0

    def seal(self, refusal: Response = answers.SEALED) -> None:
        """Answer everything that waits, with `refusal` what was not executed: keys are gone."""
        for waiting in (
            *self._unled.take_all(),
            *self._reads.take_all(),
            *self._auditing.take_all(),
        ):
            self._finish(waiting, refusal)
        unknown = [entry.waiting for entry in self._committing.take_all()]
        for waiting in (*unknown, *self._calls.take_all()):
            self._finish(waiting, answers.UNKNOWN_OUTCOME)
