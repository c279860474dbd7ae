"""The planted bugs: for each a name, what is wrong, and how the source of `core` is changed.

Owns the list. Must import nothing of `core`; see `sim.mutation`. Each is a mistake that somebody
made in a real system, or that the code invites. A mutant that the simulator does not find within
200 seeds means that the simulator must get better, not the mutant easier.
"""

from typing import Final, NamedTuple


class Substitution(NamedTuple):
    """One change of one module.

    Attributes:
        module: its dotted name.
        old: what stands there, exactly once.
        new: what stands there instead.
    """

    module: str
    old: str
    new: str


class Mutant(NamedTuple):
    """A planted bug.

    Attributes:
        name: what it is called on the command line.
        summary: what is wrong, in one line.
        substitutions: how the source is changed.
    """

    name: str
    summary: str
    substitutions: tuple[Substitution, ...]

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it changes."""
        return tuple(dict.fromkeys(each.module for each in self.substitutions))

    def of_module(self, module: str) -> tuple[Substitution, ...]:
        """Return what it changes in a module."""
        return tuple(each for each in self.substitutions if each.module == module)


def mutant_of(name: str) -> Mutant:
    """Return the mutant of that name.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[name]


MUTANTS: Final = (
    Mutant(
        "no-empty-entry",
        "a new leader appends no entry of its own and serves at once",
        (
            Substitution(
                "core.raft.election",
                "first_index=raft.log.last_index + 1,",
                "first_index=0,",
            ),
            Substitution("core.raft.election", '    raft.append(KIND_EMPTY, b"")\n', ""),
        ),
    ),
    Mutant(
        "vote-not-persisted",
        "a restarted node remembers its term and not its vote",
        (
            Substitution(
                "core.raft.state",
                "return HardState(self.term, self.vote)",
                'return HardState(self.term, "")',
            ),
        ),
    ),
    Mutant(
        "old-term-counted",
        "entries of earlier terms are committed by counting who has them",
        (
            Substitution(
                "core.raft.replication",
                "if index <= raft.commit or raft.log.term_at(index) != raft.term:",
                "if index <= raft.commit:",
            ),
        ),
    ),
    Mutant(
        "acknowledged-before-fsync",
        "a follower acknowledges entries that are not durable yet",
        (
            Substitution(
                "core.raft.replication",
                "durable_index=index if success else 0,",
                "durable_index=0,",
            ),
        ),
    ),
    Mutant(
        "leader-counts-unsynced",
        "a leader counts its own entries before they are durable",
        (
            Substitution(
                "core.raft.replication",
                "matches[raft.node] = raft.log.stable_index",
                "matches[raft.node] = raft.log.last_index",
            ),
        ),
    ),
    Mutant(
        "match-from-probe",
        "a peer counts as having what it was sent, not what it acknowledged",
        (
            Substitution(
                "core.raft.replication",
                "if peer.accepted(message.index):\n            if message.index > raft.commit:",
                "if peer.accepted(max(message.index, peer.next - 1)):\n            if True:",
            ),
        ),
    ),
    Mutant(
        "lease-kept-in-transfer",
        "a leader keeps its lease after it asked another to campaign",
        (
            Substitution(
                "core.raft.transfer",
                "        leadership.lease_forgone = True\n        leadership.lease_until_ns = 0\n",
                "",
            ),
        ),
    ),
    Mutant(
        "cas-against-applied",
        "a write is checked against applied state and does not see pending writes",
        (
            Substitution(
                "core.store.transaction",
                "pending = self._store.pending.get(key)",
                "pending = None",
            ),
        ),
    ),
    Mutant(
        "use-counted-after-answer",
        "what a use-limited token opens is answered before its use is committed",
        (
            Substitution(
                "core.node.executing",
                "self._await_commit(waiting, outcome, index, wrote=bool(writes))",
                "self._await_commit(\n"
                "            waiting, outcome, index if waiting.plan.writes else 0, wrote=True\n"
                "        )",
            ),
        ),
    ),
    Mutant(
        "applied-before-deposed",
        "what waits for an index is answered by whatever entry comes to stand there",
        (
            Substitution(
                "core.node.member",
                "        self._notice_leader(now, effects)\n"
                "        if self.store.applied_index < raft.commit:\n",
                "        if self.store.applied_index < raft.commit:\n",
            ),
        ),
    ),
    Mutant(
        "read-before-own-commit",
        "a new leader confirms reads before it has committed an entry of its term",
        (
            Substitution(
                "core.raft.reads",
                "if leadership is None or raft.commit < leadership.first_index:\n",
                "if leadership is None:\n",
            ),
            Substitution(
                "core.raft.reads",
                "if leadership is None or not leadership.reads or raft.commit <"
                " leadership.first_index:",
                "if leadership is None or not leadership.reads:",
            ),
        ),
    ),
    Mutant(
        "drift-ignored",
        "a lease allows for no drift between clocks",
        (
            Substitution(
                "core.settings",
                "self.election_timeout_min_ns * 1_000_000 // (1_000_000 + self.clock_drift_ppm)",
                "self.election_timeout_min_ns",
            ),
        ),
    ),
    Mutant(
        "stale-acknowledgement",
        "an acknowledgement of an older term leaves although its entries were replaced",
        (
            Substitution(
                "core.node.journal",
                "if outgoing.term < raft.term:",
                "if outgoing.term < 0:",
            ),
        ),
    ),
    Mutant(
        "stale-sync",
        "the end of a write counts for entries that have replaced those it wrote",
        (
            Substitution(
                "core.raft.log",
                "if index > self.stable_index and self.term_at(index) == term:",
                "if index > self.stable_index:",
            ),
        ),
    ),
    Mutant(
        "log-not-voided",
        "an installed snapshot leaves what it replaced in the log",
        (
            Substitution(
                "core.node.upkeep",
                "            void_through = self._journal.void()\n",
                "            pass\n",
            ),
        ),
    ),
    Mutant(
        "refusal-unconfirmed",
        "what only looked on is answered by a leader that may have been deposed",
        (
            Substitution(
                "core.node.executing",
                "elif outcome.action is None and not reads.holds_lease(",
                "elif False and not reads.holds_lease(",
            ),
        ),
    ),
    Mutant(
        "removed-still-votes",
        "a member that is removed stays among the voters",
        (
            Substitution(
                "core.raft.configuration",
                "tuple(voter for voter in self.incoming if voter != node),",
                "self.incoming,",
            ),
        ),
    ),
    Mutant(
        "removal-untold",
        "a leader drops who it removes at once, and who is told later does not listen",
        (
            Substitution(
                "core.raft.membership",
                "if knows or now_ns >= leaving.due_ns:",
                "if True:",
            ),
            Substitution(
                "core.node.member",
                "        self._belonging.told(sender)\n",
                "        pass\n",
            ),
        ),
    ),
    Mutant(
        "learner-counted",
        "what a learner has counts as if a voter had it",
        (
            Substitution(
                "core.raft.state",
                "return quorum.agreed(values, configuration.incoming, configuration.outgoing)",
                "members = (*configuration.incoming, *configuration.learners)\n"
                "        counted = sorted(values.get(name, 0) for name in members)\n"
                "        return counted[-quorum.majority(len(configuration.incoming))]",
            ),
        ),
    ),
    Mutant(
        "configuration-when-committed",
        "a change of the membership is in force only when it is committed",
        (
            Substitution(
                "core.raft.state",
                "            self.adopt_configuration(decode(data), index)\n",
                "            self.configuration_index = index\n",
            ),
            Substitution(
                "core.raft.replication",
                "                raft.adopt_configuration(decode(new.data), new.index)\n",
                "                raft.configuration_index = new.index\n",
            ),
            Substitution(
                "core.node.upkeep",
                "        is_configuration = entry.kind == KIND_CONFIGURATION\n",
                "        is_configuration = entry.kind == KIND_CONFIGURATION\n"
                "        if is_configuration:\n"
                "            self._raft.adopt_configuration(decode(entry.data), entry.index)\n",
            ),
        ),
    ),
    Mutant(
        "expired-accepted",
        "a token may be used until the sweep comes to it, however long it has expired",
        (
            Substitution(
                "core.vault.tokens",
                "entry.uses_left != SPENT and (not entry.expires_ns or wall_ns < entry.expires_ns)",
                "entry.uses_left != SPENT",
            ),
        ),
    ),
    Mutant(
        "children-forgotten",
        "what descends from a token that has expired goes on",
        (
            Substitution(
                "core.vault.tokens",
                "            name = entry.parent\n            if not name:\n",
                "            name = entry.parent\n            if True:\n",
            ),
            Substitution(
                "core.vault.tokens",
                "                if entry is not None and 0 < entry.expires_ns <= wall_ns:\n"
                "                    removed += self._remove_tree("
                "transaction, entry.name, limit - removed)\n",
                "                if entry is not None and 0 < entry.expires_ns <= wall_ns:\n"
                "                    self._remove(transaction, entry)\n"
                "                    removed += 1\n",
            ),
        ),
    ),
    Mutant(
        "audit-after-answer",
        "answers leave before their audit records are written",
        (
            Substitution(
                "core.node.auditing",
                "effects.insert(0, AppendAudit(self._sequence, merge_lines(self.lines)))",
                "effects.append(AppendAudit(self._sequence, merge_lines(self.lines)))",
            ),
        ),
    ),
    Mutant(
        "run-unrecorded",
        "a request is run although no audit device has taken its record",
        (
            Substitution(
                "core.node.serving",
                "recorded = vault.is_audit_kept(unwritable)",
                "recorded = True",
            ),
        ),
    ),
)

_BY_NAME: Final = {mutant.name: mutant for mutant in MUTANTS}
