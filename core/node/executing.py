"""What becomes of a request that this node may execute: run, recorded, committed, answered.

Owns the way from the vault to the answer: the records of a request, the entry that its writes
make, and who waits meanwhile, for a record (`Auditing`) or for a commit (`CommitQueue`). Must not
know which requests may be executed here and now (`core.node.serving`), nor how a request is
understood (`core.vault`).
"""

from collections.abc import Callable

from core.effects import Answer
from core.moment import Now
from core.node import forwarding
from core.node.auditing import Auditing
from core.node.committing import CommitQueue
from core.node.custody import Custody
from core.node.journal import Journal
from core.node.turn import Turn
from core.node.waiting import Uncommitted, Waiting
from core.raft import reads, transfer
from core.raft.entry import KIND_EMPTY, KIND_WRITES, Entry
from core.raft.state import Raft
from core.request import Response
from core.settings import Settings
from core.store import write_set
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction, WouldWrite
from core.vault import answers
from core.vault.outcome import Outcome
from core.vault.reply import Action
from core.vault.vault import Vault

Act = Callable[[Action, Now], tuple[Response | None, int]]
"""Carries out what a request asks of the node itself: an answer to give instead, or None, and
the index of the entry to wait for, or 0."""


class Executing:
    """The requests that one node executes.

    Attributes:
        auditing: the records of this turn, and the writes that wait for theirs.
        committing: the requests that were executed and wait for a commit.
    """

    __slots__ = (
        "_act",
        "_custody",
        "_journal",
        "_raft",
        "_settings",
        "_store",
        "_turn",
        "auditing",
        "committing",
    )

    def __init__(
        self,
        turn: Turn,
        raft: Raft,
        store: Store,
        journal: Journal,
        custody: Custody,
        settings: Settings,
        act: Act,
    ) -> None:
        """Begin with no requests.

        Args:
            turn: the turn under way.
            raft: agrees with the other members.
            store: what requests read, and where proposed writes show.
            journal: says whether there is room for a proposal.
            custody: has the vault, while the node is unsealed.
            settings: limits and timeouts.
            act: does what a request asks of the node itself.
        """
        self._raft = raft
        self._store = store
        self._journal = journal
        self._custody = custody
        self._settings = settings
        self._act = act
        self._turn = turn
        self.auditing = Auditing()
        self.committing = CommitQueue()

    # -- the turn ---------------------------------------------------------------------------

    def end_turn(self) -> None:
        """Have this turn's audit records appended before its answers leave."""
        if self.auditing.lines:
            self.auditing.end_turn(self._turn.effects)

    # -- reading ----------------------------------------------------------------------------

    def read(self, waiting: Waiting, lease_until_ns: int) -> bool:
        """Run a request on what has been applied, and answer it; tell if that was possible.

        It is not if the request turns out to write.
        """
        vault = self._custody.vault
        assert vault is not None  # what waited when the node was sealed has been answered
        try:
            outcome = vault.read(
                waiting.plan, waiting.request, Snapshot(self._store), self._raft.wall_ns
            )
        except WouldWrite:
            return False
        self.auditing.record(vault.audit_read(outcome, self._raft.wall_ns))
        self.finish(waiting, outcome.response, lease_until_ns=lease_until_ns, audited=vault.audits)
        return True

    # -- writing ----------------------------------------------------------------------------

    def may_write(self) -> bool:
        """Tell whether all there is has been applied or proposed here, and more may be proposed."""
        raft = self._raft
        leadership = raft.leadership
        return (
            leadership is not None
            and self._store.applied_index >= leadership.first_index
            and not transfer.is_under_way(raft)
        )

    def hold_for_record(self, vault: Vault, waiting: Waiting) -> bool:
        """Have the request recorded before it runs; tell whether there is anything to record."""
        if not vault.is_recorded(waiting.plan):
            return False
        transaction = Transaction(self._store)
        wall_ns = self._raft.wall_ns
        lines = vault.audit_request(waiting.plan, waiting.request, transaction, wall_ns)
        if lines:
            self.auditing.record(lines)
            self.auditing.hold(waiting)
        return bool(lines)

    def write(self, vault: Vault, waiting: Waiting) -> None:
        """Run a request on what has been applied and proposed, and propose what it writes."""
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
        elif outcome.action is None and not reads.holds_lease(
            self._raft, self._turn.now.monotonic_ns
        ):
            # What only looked on, a refusal for one, is true if this node leads. Another may
            # lead by now; an entry that is appended after the look and committed rules that out.
            # What is to be done to this node itself, such as to seal it, needs no others.
            if not self._may_propose(0):
                self._fail(vault, waiting, answers.NO_ROOM)
                return
            index = self._raft.append(KIND_EMPTY, b"")
        self._await_commit(waiting, outcome, index, wrote=bool(writes))

    def propose(self, writes: dict[bytes, bytes | None]) -> bool:
        """Propose writes that no client asked for; tell whether there was room."""
        data = write_set.encode(writes)
        if not self.may_write() or not self._may_propose(len(data)):
            return False
        self._store.propose(self._raft.append(KIND_WRITES, data), list(writes.items()))
        return True

    def _may_propose(self, size: int) -> bool:
        leadership = self._raft.leadership
        return (
            leadership is not None
            and leadership.uncommitted_bytes + size <= self._settings.raft.uncommitted_bytes_max
            and self._journal.has_room(size)
        )

    def _await_commit(self, waiting: Waiting, outcome: Outcome, index: int, *, wrote: bool) -> None:
        """Go on once the entry at `index` is applied; 0 waits for none."""
        if index > self._store.applied_index:
            term = self._raft.log.term_at(index) or 0
            self.committing.add(index, Uncommitted(waiting, outcome, term, wrote))
        elif outcome.action is not None:
            self._carry_out(waiting, outcome, outcome.action)
        else:
            self.conclude(waiting, outcome)

    def _carry_out(self, waiting: Waiting, outcome: Outcome, action: Action) -> None:
        """Do what a request asks of the node itself, after all that it wrote or saw is committed.

        So the use of a use-limited token counts before it opens anything.
        """
        instead, index = self._act(action, self._turn.now)
        if instead is not None:
            outcome = outcome.replaced(instead, "the node refused")
        else:
            outcome = Outcome(outcome.response, outcome.exchange)
        self._await_commit(waiting, outcome, index, wrote=True)

    def applied(self, entry: Entry) -> None:
        """Answer what waited for this entry."""
        for uncommitted in self.committing.applied(entry):
            self._await_commit(uncommitted.waiting, uncommitted.outcome, 0, wrote=True)

    # -- answering --------------------------------------------------------------------------

    def conclude(self, waiting: Waiting, outcome: Outcome) -> None:
        """Record what became of a request that was executed, and answer it."""
        vault = self._custody.vault
        assert vault is not None  # what waited when the node was sealed has been answered
        self.auditing.record(vault.audit_response(outcome, self._raft.wall_ns))
        self.finish(waiting, outcome.response, audited=vault.audits)

    def _fail(self, vault: Vault, waiting: Waiting, response: Response) -> None:
        refusal = vault.refusal(waiting.plan, waiting.request, response, "no room in the log")
        self.conclude(waiting, refusal)

    def finish(
        self,
        waiting: Waiting,
        response: Response,
        *,
        lease_until_ns: int = 0,
        audited: bool = False,
    ) -> None:
        """Answer a request, here or through the member that passed it on."""
        if waiting.peer:
            self._turn.effects.append(forwarding.answer(waiting, response, audited=audited))
        else:
            self._turn.effects.append(Answer(waiting.handle, response, lease_until_ns, audited))
