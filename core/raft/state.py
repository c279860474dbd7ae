"""One member's consensus state and the small steps that all its rules share.

Owns term, vote, role, log, configuration and commit index. The rules stand in `election`,
`replication`, `contact`, `reads`, `transfer`, `membership` and `snapshot`, as functions over
`Raft`, so that each can be read beside its chapter of the paper; `dispatch` hands each message to
its rule.
Messages gather in `outbox`; nothing is sent, stored or applied here.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from core.check import check
from core.entropy import Entropy, random_below
from core.moment import NEVER
from core.raft import quorum
from core.raft.configuration import EMPTY, Configuration, decode
from core.raft.entry import KIND_CONFIGURATION, Entry, HardState
from core.raft.incoming import Incoming, StagedChunk
from core.raft.leadership import Leadership
from core.raft.log import Log
from core.raft.messages import RaftMessage
from core.raft.progress import Leaving, Progress
from core.settings import RaftSettings
from core.store.base import Base


class Role(StrEnum):
    """What a member is doing; texts, as every message looks for its rule by one."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


class Outgoing(msgspec.Struct, frozen=True):
    """A message to a peer.

    Attributes:
        receiver: the peer's node id.
        message: what it is told.
        when_durable: it must not leave before the node's term and vote are durable.
        durable_index: nor before the log is durable up to here.
        term: the term in which it was made; it means nothing in a later one.
    """

    receiver: str
    message: RaftMessage
    when_durable: bool
    durable_index: int
    term: int


class ConfirmedRead(msgspec.Struct, frozen=True):
    """A batch of this node's own reads that may be answered.

    Attributes:
        batch: names the batch.
        index: the state must have been applied up to here.
    """

    batch: int
    index: int


class Raft:
    """The consensus state of one member.

    Attributes:
        node: its id.
        role: what it is doing.
        leader: the leader of this term as far as known, or empty.
        commit: the highest index known to be committed.
        matched: the highest index known to equal the log of this term's leader.
        electable: it may campaign: the node above says so.
        abstain_until_ns: it does not campaign before this (monotonic).
        snapshot_floor: its state was lost; it needs a snapshot of at least this index.
        outbox: messages of this turn.
        confirmed_reads: this node's reads that may be answered now.
        refused_reads: batches that the leader could not confirm; they must be asked again.
        incoming: the snapshot that is being received.
        staged_chunks: what of it is to be kept aside in this turn.
    """

    __slots__ = (
        "_heard_ns",
        "_stamp",
        "_timer_ns",
        "abstain_until_ns",
        "base",
        "campaign_due_ns",
        "commit",
        "configuration",
        "configuration_index",
        "confirmed_reads",
        "electable",
        "entropy",
        "hard_state_changed",
        "incoming",
        "leader",
        "leadership",
        "log",
        "matched",
        "node",
        "outbox",
        "refused_reads",
        "role",
        "settings",
        "snapshot_floor",
        "staged_chunks",
        "term",
        "timeout_ns",
        "vote",
        "votes",
        "wall_ns",
    )

    def __init__(  # noqa: D417 -- the class names the rest
        self,
        node: str,
        settings: RaftSettings,
        entropy: Entropy,
        base: Base,
        hard_state: HardState,
        entries: Sequence[Entry],
        now_ns: int,
    ) -> None:
        """Take up where the durable state stands.

        Args:
            hard_state: what recovery of the log found.
            entries: the recovered entries; those up to the index of the base may be missing.
            now_ns: monotonic. A restarted node remembers no leader, but it may have
                acknowledged one just before, so it counts this as contact.
        """
        self.node = node
        self.settings = settings
        self.entropy = entropy
        self.base = base
        self.term = hard_state.term
        self.vote = hard_state.vote
        self.role = Role.FOLLOWER
        self.leader = ""
        self.electable = False
        self.leadership: Leadership | None = None
        self.votes: dict[str, bool] = {}
        self.outbox: list[Outgoing] = []
        self.confirmed_reads: list[ConfirmedRead] = []
        self.refused_reads: list[int] = []
        self.incoming: Incoming | None = None
        self.staged_chunks: list[StagedChunk] = []
        self.hard_state_changed = False
        self.configuration = EMPTY
        self.configuration_index = 0
        self._stamp = 0
        self._heard_ns = self._timer_ns = now_ns
        meta = base.meta
        self.wall_ns = meta.wall_ns
        start_index, start_term, self.snapshot_floor = meta.index, meta.term, 0
        if entries and entries[0].index > meta.index + 1:
            start_index = self.snapshot_floor = entries[0].index - 1
            start_term = 0
        elif entries and entries[0].index <= meta.index:
            start_index, start_term = entries[0].index, entries[0].term
            entries = entries[1:]
        self.log = Log(start_index, start_term, entries)
        if self.log.last_index < meta.index:
            self.log.reset(meta.index, meta.term)
        if not self.snapshot_floor:
            agrees = self.log.term_at(meta.index) == meta.term
            check(agrees, "the log says otherwise than the base where that stands")
        self.commit = max(meta.index, self.snapshot_floor)
        self.matched = 0
        self.recall_configuration()
        if entries:
            self.wall_ns = max(self.wall_ns, entries[-1].wall_ns)
        self.timeout_ns = 0
        self.abstain_until_ns = 0
        self.campaign_due_ns = NEVER
        self.draw_timeout()

    @property
    def awaits_base(self) -> bool:
        """Whether its state was lost or is being replaced: until then nothing attaches to it."""
        return self.snapshot_floor > 0 or (self.incoming is not None and self.incoming.complete)

    # -- clocks -----------------------------------------------------------------------------

    @property
    def deadline_ns(self) -> int:
        """When `dispatch.tick` is due next (monotonic)."""
        leadership = self.leadership
        if leadership is not None:
            heartbeat_ns, transfer_ns = leadership.heartbeat_due_ns, leadership.transfer_due_ns
            return heartbeat_ns if heartbeat_ns < transfer_ns else transfer_ns
        return self.campaign_due_ns

    def draw_timeout(self) -> None:
        """Draw a new election timeout, counted from where the timer was last restarted."""
        settings = self.settings
        spread = settings.election_timeout_max_ns - settings.election_timeout_min_ns
        self.timeout_ns = settings.election_timeout_min_ns + random_below(self.entropy, spread + 1)
        self.schedule_campaign()

    def schedule_campaign(self) -> None:
        """Set when this node campaigns, if it may."""
        may_lead = self.electable and not self.snapshot_floor and self.incoming is None
        if may_lead and self.configuration.votes(self.node):
            voters = (*self.configuration.incoming, *self.configuration.outgoing)
            # The only voter has nobody to hear from before it campaigns.
            lonely = voters == (self.node,) and not self.leader
            at_once = lonely and self.role is Role.FOLLOWER
            due_ns = self._timer_ns + (0 if at_once else self.timeout_ns)
            self.campaign_due_ns = max(due_ns, self.abstain_until_ns)
        else:
            self.campaign_due_ns = NEVER

    def heard(self, now_ns: int) -> None:
        """Take note of a sign of life from the leader."""
        self._heard_ns = now_ns
        self.restart_timer(now_ns)

    def restart_timer(self, now_ns: int) -> None:
        """Count the election timeout from now."""
        self._timer_ns = now_ns
        if self.campaign_due_ns != NEVER:
            due_ns = now_ns + self.timeout_ns
            abstain_ns = self.abstain_until_ns
            self.campaign_due_ns = due_ns if due_ns > abstain_ns else abstain_ns

    def hears_leader(self, now_ns: int) -> bool:
        """Tell whether a leader was heard recently enough to refuse votes (thesis, 4.2.3)."""
        return now_ns - self._heard_ns < self.settings.election_timeout_min_ns

    def stamp(self, now_ns: int) -> int:
        """Return a stamp greater than all before, which is the time as far as that allows."""
        stamp = self._stamp + 1
        self._stamp = stamp = now_ns if now_ns > stamp else stamp
        return stamp

    def wall(self, wall_ns: int) -> int:
        """Return the cluster's wall clock, moved on to `wall_ns` if that is later."""
        if wall_ns > self.wall_ns:
            self.wall_ns = wall_ns
        return self.wall_ns

    # -- roles ------------------------------------------------------------------------------

    def set_electable(self, now_ns: int, *, electable: bool) -> None:
        """Say whether this node may lead; one that may not, and leads, steps down."""
        self.electable = electable
        if not electable and self.role is not Role.FOLLOWER:
            self.follow(self.term, "", now_ns)
        self.schedule_campaign()

    def follow(self, term: int, leader: str, now_ns: int) -> None:
        """Become a follower in `term`; a vote is only forgotten with its term."""
        check(term >= self.term, "terms never go back")
        if term > self.term:
            self.term = term
            self.vote = ""
            self.hard_state_changed = True
            self.matched = 0
            if self.incoming is not None and not self.incoming.complete:
                self.incoming = None
        if self.leadership is not None:
            for peer in self.leadership.peers.values():
                peer.end_transfer()
            self.leadership = None
            self._timer_ns = now_ns
        if self.leader != leader:
            self.matched = 0
        self.role = Role.FOLLOWER
        self.leader = leader
        self.votes = {}
        self.draw_timeout()

    def send(
        self,
        receiver: str,
        message: RaftMessage,
        *,
        when_durable: bool = False,
        durable_index: int = 0,
    ) -> None:
        """Put a message into the outbox; see `Outgoing`."""
        self.outbox.append(Outgoing(receiver, message, when_durable, durable_index, self.term))

    def hard_state(self) -> HardState:
        """Return what must be durable before this node speaks."""
        return HardState(self.term, self.vote)

    # -- log --------------------------------------------------------------------------------

    def append(self, kind: int, data: bytes) -> int:
        """Append an entry of this term, as leader; return its index."""
        leadership = self.leadership
        check(leadership is not None, "only a leader appends")
        assert leadership is not None
        index = self.log.last_index + 1
        entry = Entry(index, self.term, kind, self.wall_ns, data)
        self.log.append(entry)
        leadership.uncommitted_bytes += len(data)
        if kind == KIND_CONFIGURATION:
            self.adopt_configuration(decode(data), index)
        return index

    def adopt_configuration(self, configuration: Configuration, index: int) -> None:
        """Put a configuration into force, appended or not yet committed though it is."""
        self.configuration = configuration
        self.configuration_index = index
        if self.leadership is not None:
            self.refresh_peers(self.leadership)
        else:
            self.schedule_campaign()

    @property
    def leaving(self) -> tuple[str, ...]:
        """Members that this leader is still telling of their removal."""
        leadership = self.leadership
        return tuple(leadership.leaving) if leadership is not None and leadership.leaving else ()

    def refresh_peers(self, leadership: Leadership) -> None:
        """Know the peers of the configuration in force; who is not among them is leaving."""
        known = leadership.peers
        for peer in known:
            if peer not in self.configuration.members:
                leadership.leaving.setdefault(peer, Leaving(self.configuration_index))
        for peer in self.configuration.members:
            if peer != self.node and peer not in known:
                known[peer] = Progress(match=0, next=self.log.last_index + 1)

    def recall_configuration(self) -> None:
        """Find the configuration in force: the last in the log, or that of the base."""
        for index in range(self.log.last_index, self.base.meta.index, -1):
            if index <= self.log.start_index:
                break
            entry = self.log.entry(index)
            if entry.kind == KIND_CONFIGURATION:
                self.configuration = decode(entry.data)
                self.configuration_index = index
                return
        self.configuration = decode(self.base.meta.configuration)
        self.configuration_index = self.base.meta.index

    def quorum_value(self, values: dict[str, int]) -> int:
        """Return the greatest number that a quorum of the voters has reached."""
        configuration = self.configuration
        return quorum.agreed(values, configuration.incoming, configuration.outgoing)
