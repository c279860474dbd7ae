"""The way of each request to its answer.

Owns which request goes which way: executed, passed on, refused, or made to wait; the queues of
those that wait are `WaitingQueue` (for a leader), `ReadQueue` (for a read index) and `Calls` (for
the leader's answer). Every request ends in one answer. Must not know what becomes of a request
that is executed (`core.node.executing`), nor how members agree (`core.raft`).
"""

from typing import Final

from core.effects import Answer, Send
from core.node import forwarding
from core.node.custody import Custody
from core.node.executing import Executing
from core.node.forwarding import FORWARDED_BYTES_MAX, Calls, SeenCalls
from core.node.messages import Forward, Forwarded
from core.node.reading import ReadQueue
from core.node.turn import Turn
from core.node.waiting import Waiting, WaitingQueue
from core.raft import reads
from core.raft.state import Raft
from core.request import Request, Response
from core.settings import Settings
from core.store.store import Store
from core.vault import answers
from core.vault.plan import Plan

STALE_HEADER: Final = "x-holdfast-read"
NO_FORWARDING_HEADER: Final = "x-vault-no-request-forwarding"


class Serving:
    """Requests of one node.

    Attributes:
        touched: the request that was asked last did more than read and be answered.
    """

    __slots__ = (
        "_calls",
        "_custody",
        "_declined",
        "_executing",
        "_raft",
        "_reads",
        "_seen_calls",
        "_settings",
        "_store",
        "_turn",
        "_unled",
        "touched",
    )

    def __init__(
        self,
        turn: Turn,
        raft: Raft,
        store: Store,
        custody: Custody,
        executing: Executing,
        settings: Settings,
        incarnation: int,
    ) -> None:
        """Begin with no requests.

        Args:
            turn: the turn under way.
            raft: agrees with the other members.
            store: says what has been applied, and keeps what is proposed.
            custody: has the vault, while the node is unsealed.
            executing: runs what may be run here, and gives the answers.
            settings: limits and timeouts.
            incarnation: tells this life of the node from its others.
        """
        self._raft = raft
        self._store = store
        self._custody = custody
        self._executing = executing
        self._settings = settings
        self._turn = turn
        self._declined = ("", 0)
        self._seen_calls = SeenCalls()
        self._unled = WaitingQueue()
        self._reads = ReadQueue(settings, incarnation)
        self._calls = Calls(settings, incarnation)
        self.touched = False

    # -- the turn ---------------------------------------------------------------------------

    def proceed(self) -> None:
        """Take up what waited for a leader, and ask the leader to confirm reads.

        Who has declined a call leads no more in that term: it is not asked again and again.
        """
        raft = self._raft
        if self._unled.waiting:
            leader = (raft.leader, raft.term)
            follows = raft.leader and raft.leadership is None and leader != self._declined
            if follows or self._executing.may_write():
                for waiting in self._unled.take_all():
                    self._replan(waiting)
                    self._serve(waiting)
        if self._reads.count:
            self._reads.ask(raft, self._turn.now.monotonic_ns, self._turn.effects)

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
                if self._replan(waiting).writes or not self._executing.read(waiting, 0):
                    self._write(waiting)

    @property
    def deadline_ns(self) -> int:
        """When `tick` has something to do, or earlier (monotonic)."""
        due_ns = self._unled.due_ns
        if self._reads.due_ns < due_ns:
            due_ns = self._reads.due_ns
        return self._calls.due_ns if self._calls.due_ns < due_ns else due_ns

    def tick(self) -> None:
        """Answer what has waited too long."""
        now_ns = self._turn.now.monotonic_ns
        if now_ns >= self._unled.due_ns:
            for waiting in self._unled.take_overdue(now_ns):
                self._executing.finish(waiting, answers.NO_LEADER)
        if now_ns >= self._calls.due_ns:
            for waiting in self._calls.take_overdue(now_ns):
                self._executing.finish(waiting, answers.UNKNOWN_OUTCOME)
        if now_ns >= self._reads.due_ns:
            for waiting in self._reads.tick(now_ns):
                self._executing.finish(waiting, answers.NO_LEADER)

    # -- arrival ----------------------------------------------------------------------------

    def ask(self, handle: int, request: Request, patience_ns: int) -> None:
        """Take in a request of a client of this node."""
        self.touched = False
        vault = self._custody.vault
        if vault is None:
            self._turn.effects.append(Answer(handle, answers.SEALED))
        elif self._crowded():
            self._turn.effects.append(Answer(handle, answers.OVERLOADED))
        else:
            deadline_ns, due_ns = self._patience(patience_ns)
            self._serve(Waiting(request, vault.plan(request), deadline_ns, due_ns, handle))

    def take_forward(self, sender: str, message: Forward) -> None:
        """Take in a request that another member passes on."""
        if not self._seen_calls.is_new(message.incarnation, message.call):
            return
        vault = self._custody.vault
        if vault is None or self._raft.leadership is None:
            self._turn.effects.append(
                Send(sender, Forwarded(message.incarnation, message.call, None))
            )
        elif self._crowded():
            # Said to the client: a member that forwarded it again at once would crowd us more.
            refusal = Forwarded(message.incarnation, message.call, answers.OVERLOADED)
            self._turn.effects.append(Send(sender, refusal))
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
            self._turn.effects.append(Answer(call.waiting.handle, message.response))
        else:
            self._declined = (call.leader, call.term)
            self._await_leader(call.waiting)

    def _patience(self, patience_ns: int) -> tuple[int, int]:
        """Return a request's deadline, and until when it waits for a leader (monotonic)."""
        now_ns = self._turn.now.monotonic_ns
        return now_ns + patience_ns, now_ns + min(patience_ns, self._settings.leader_patience_ns)

    def _crowded(self) -> bool:
        waiting = len(self._unled.waiting) + len(self._calls) + self._reads.count
        waiting += self._executing.auditing.count + self._executing.committing.count
        return waiting >= self._settings.requests.waiting_max

    def _serve(self, waiting: Waiting) -> None:
        if waiting.plan.writes:
            self._write(waiting)
        else:
            self._read(waiting)

    def _replan(self, waiting: Waiting) -> Plan:
        """Understand a request anew: mounts may have come or gone since it arrived."""
        vault = self._custody.vault
        assert vault is not None  # what waited when the node was sealed has been answered
        waiting.plan = vault.plan(waiting.request, waiting.plan.request_id)
        return waiting.plan

    def _await_leader(self, waiting: Waiting) -> None:
        self.touched = True
        if waiting.peer and self._raft.leadership is None:
            self._turn.effects.append(forwarding.decline(waiting))
        else:
            self._unled.add(waiting)

    # -- reading ----------------------------------------------------------------------------

    def _read(self, waiting: Waiting) -> None:
        raft = self._raft
        if waiting.request.headers.get(STALE_HEADER) == "stale":
            lease_until_ns = 0
        elif reads.holds_lease(raft, self._turn.now.monotonic_ns):
            lease_until_ns = reads.lease_until_ns(raft)
        elif raft.leader:
            self._reads.add(waiting)
            self.touched = True
            return
        else:
            self._await_leader(waiting)
            return
        if not self._executing.read(waiting, lease_until_ns):
            self._write(waiting)

    # -- writing ----------------------------------------------------------------------------

    def _write(self, waiting: Waiting) -> None:
        raft = self._raft
        vault = self._custody.vault
        executing = self._executing
        assert vault is not None  # what waited when the node was sealed has been answered
        self.touched = True
        if executing.may_write():
            if waiting.audited or not executing.hold_for_record(vault, waiting):
                executing.write(vault, waiting)
        elif raft.leadership is not None or not raft.leader:
            self._await_leader(waiting)
        elif waiting.peer:
            self._turn.effects.append(forwarding.decline(waiting))
        else:
            self._forward(waiting)

    def audit_appended(self, sequence: int, unwritable: tuple[str, ...]) -> bool:
        """Execute the writes whose records as requests have been written; tell if any were."""
        held = self._executing.auditing.appended(sequence)
        if not held:
            return False
        vault = self._custody.vault
        assert vault is not None  # what waited when the node was sealed has been answered
        recorded = vault.is_audit_kept(unwritable)
        for waiting in held:
            if recorded:
                waiting.audited = True
                waiting.unwritable = unwritable
                self._write(waiting)
            else:
                self._executing.finish(waiting, answers.AUDIT_FAILED)
        return True

    # -- forwarding -------------------------------------------------------------------------

    def _forward(self, waiting: Waiting) -> None:
        raft = self._raft
        if waiting.request.headers.get(NO_FORWARDING_HEADER):
            member = raft.configuration.members.get(raft.leader)
            address = member.api_address if member is not None else ""
            self._executing.finish(waiting, answers.redirect(address, waiting.request))
        elif len(waiting.request.body) > FORWARDED_BYTES_MAX:
            self._executing.finish(waiting, answers.TOO_LARGE_TO_FORWARD)
        elif self._calls.full:
            self._executing.finish(waiting, answers.OVERLOADED)
        else:
            self._calls.send(waiting, raft, self._turn.now.monotonic_ns, self._turn.effects)

    # -- changes ----------------------------------------------------------------------------

    def leader_changed(self) -> None:
        """Ask again what another leader was asked."""
        self._calls.leader_changed(self._raft.leader, self._turn.now.monotonic_ns)
        for waiting in self._reads.take_all():
            self._await_leader(waiting)

    def lost_leadership(self) -> None:
        """Tell those who wait for a commit; what only looked on is asked again."""
        self._store.drop_pending()
        for entry in self._executing.committing.take_uncommitted(self._raft):
            if entry.wrote:
                outcome = entry.outcome.replaced(answers.UNKNOWN_OUTCOME, "outcome unknown")
                self._executing.conclude(entry.waiting, outcome)
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
            *self._executing.auditing.take_all(),
        ):
            self._executing.finish(waiting, refusal)
        unknown = [entry.waiting for entry in self._executing.committing.take_all()]
        for waiting in (*unknown, *self._calls.take_all()):
            self._executing.finish(waiting, answers.UNKNOWN_OUTCOME)
