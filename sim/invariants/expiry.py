"""A token past its time opens nothing, nor do its children; one before its time is not refused.

Time is the cluster's wall clock (architecture, D19): each member has the latest that it has seen of
leaders' clocks. An observer knows it within bounds. It has reached what the committed entries are
stamped with, and what every clock of the cluster shows, as one of them is the leader's. It has
nowhere passed the latest that any member has seen. Clocks differ by their drift and by jumps.
"""

from typing import Final, NamedTuple

import msgspec

from core import effects
from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from core.node.messages import Forwarded, Message
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.invariants.tokens import (
    CREATE_PATHS,
    LONG_TTL_S,
    OPENED,
    REFUSED,
    Created,
    created_by,
    revoked_by,
)
from sim.world import Question, World

SWEPT_NS: Final = 5 * NANOSECONDS_PER_SECOND
"""A leader sweeps every second; if it has committed entries for so long, it has done so."""
_PAUSE_NS_MAX: Final = 2_000 * NANOSECONDS_PER_MILLISECOND
"""A leader that commits nothing for longer may have been held up."""


class _Life(msgspec.Struct):
    """What is known of a token.

    Attributes:
        parent: the token that it descends from, or empty.
        limited: it has a number of uses, so that it may end at any time.
        lasts: no run gets to its end, whatever clocks do, nor to that of an ancestor.
        ends_min_ns: it does not expire before this, by the cluster's clock.
        ends_max_ns: nor after this.
        leader: the term of the leader that has been at work since it expired.
        since_ns: since when that leader has been, in virtual time.
        swept: it has been removed, and its children with it.
    """

    parent: str
    limited: bool
    lasts: bool
    ends_min_ns: int
    ends_max_ns: int
    leader: int = 0
    since_ns: int = 0
    swept: bool = False


class _Asked(NamedTuple):
    """What was so when a question was asked.

    Attributes:
        wall_ns: what the committed entries had reached.
        clocks_ns: what every clock had reached.
        jumps: how often clocks had jumped.
        orphaned: the parent of its token had expired and been removed.
    """

    wall_ns: int
    clocks_ns: int
    jumps: int
    orphaned: bool


class TokensExpire(Invariant):
    """Looked at as answers leave members, whether or not they reach a client."""

    MESSAGES = (Forwarded,)

    def __init__(self) -> None:
        self._commit = 0
        self._committed_wall_ns = 0
        self._committed_at_ns = 0
        self._latest_wall_ns = 0
        self._lives: dict[str, _Life] = {}
        self._unswept: dict[str, _Life] = {}
        self._revoked: dict[str, None] = {}
        self._asked: dict[int, _Asked] = {}

    def led(self, world: World, _host: Host, raft: Raft) -> None:
        """Follow the clock of what is committed, and whether leaders sweep."""
        if raft.commit <= self._commit:
            return
        self._commit = raft.commit
        log = raft.log
        if raft.commit > log.start_index:
            wall_ns = log.entry(raft.commit).wall_ns
            self._committed_wall_ns = max(self._committed_wall_ns, wall_ns)
        idle_ns = world.time_ns - self._committed_at_ns
        self._committed_at_ns = world.time_ns
        for token in [*self._unswept]:
            life = self._unswept[token]
            if life.ends_max_ns > self._committed_wall_ns:
                continue
            if life.leader != raft.term or idle_ns > _PAUSE_NS_MAX:
                life.leader, life.since_ns = raft.term, world.time_ns
            elif world.time_ns - life.since_ns > SWEPT_NS:
                life.swept = True
                del self._unswept[token]

    def sent(self, _world: World, host: Host, _receiver: str, _message: Message) -> None:
        """Remember how late a leader is that answers another member."""
        if host.node is not None:
            self._latest_wall_ns = max(self._latest_wall_ns, host.node.raft.wall_ns)

    def asked(self, world: World, question: Question) -> None:
        """Remember what was so, and which tokens may be revoked by now."""
        request = question.request
        revoked = revoked_by(question)
        if revoked:
            self._revoked[revoked] = None
        life = self._lives.get(request.token)
        if (life is None or life.lasts) and request.path not in CREATE_PATHS:
            return
        hosts = world.hosts.values()
        parent = self._lives.get(life.parent) if life is not None else None
        self._asked[question.handle] = _Asked(
            self._committed_wall_ns,
            min(host.clock.now(world.time_ns).wall_ns for host in hosts),
            sum(host.clock.jumps for host in hosts),
            orphaned=parent is not None and parent.swept,
        )

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Compare an answer with what was known of the token."""
        response = effect.response
        life = self._lives.get(question.request.token)
        asked = self._asked.pop(question.handle, None)
        hosts = world.hosts.values()
        if asked is not None or response.status == REFUSED:
            latest_ns = max(each.node.raft.wall_ns for each in hosts if each.node is not None)
            self._latest_wall_ns = max(self._latest_wall_ns, latest_ns)
        if life is not None and response.status == REFUSED and self._lives_on(life, question):
            raise self.violated(f"{host.name} refuses a token that has not ended")
        if asked is None:
            return
        reached_ns = asked.wall_ns
        if asked.jumps == sum(each.clock.jumps for each in hosts):
            reached_ns = max(reached_ns, asked.clocks_ns)
        if life is not None and response.status in OPENED:
            if life.ends_max_ns <= reached_ns:
                raise self.violated(f"{host.name} lets a token be used that had expired before")
            if asked.orphaned:
                raise self.violated(f"{host.name} lets a token outlive its parent")
        created = created_by(question, response)
        if created is not None:
            self._know(created, reached_ns)

    def _know(self, created: Created, reached_ns: int) -> None:
        """Take note of a new token, created after the clock had reached that."""
        ttl_ns = created.ttl_s * NANOSECONDS_PER_SECOND
        life = _Life(
            created.parent,
            bool(created.uses),
            created.ttl_s >= LONG_TTL_S and created.parent not in self._lives,
            reached_ns + ttl_ns,
            self._latest_wall_ns + ttl_ns,
        )
        self._lives[created.token] = life
        if created.ttl_s < LONG_TTL_S:
            self._unswept[created.token] = life

    def _lives_on(self, life: _Life, question: Question) -> bool:
        """Tell whether nothing can have ended a token: no use, no revocation, no time."""
        token = question.request.token
        while True:
            ended = life.limited or token in self._revoked
            if ended or life.ends_min_ns <= self._latest_wall_ns:
                return False
            token = life.parent
            ancestor = self._lives.get(token)
            if ancestor is None:
                return True
            life = ancestor
