"""Who belongs to the cluster, and whether this node still does.

Owns what the transport is told of that, and how a node finds out that it was removed. Its leader
tells it, unless that could not reach it. So whoever hears no leader for a while, a learner and a
sealed node too, asks the other members; one that has seen it removed says so. The transport vouches
that who says so is of this cluster. Must not know what a removed node does then: `member` does.
"""

from core.effects import AdmitPeers, Effect, Send
from core.moment import NEVER
from core.node.messages import Inquiry
from core.node.status import Condition
from core.raft.configuration import EMPTY, Configuration
from core.raft.state import Raft


class Belonging:
    """The place of one node in its cluster.

    Attributes:
        deadline_ns: when it looks next whether it hears a leader (monotonic).
    """

    __slots__ = (
        "_admitted",
        "_condition",
        "_gone",
        "_leaving",
        "_raft",
        "_silence_ns",
        "deadline_ns",
    )

    def __init__(self, raft: Raft, condition: Condition, silence_ns: int, now_ns: int) -> None:
        """Begin with what `condition` says.

        Args:
            raft: knows the members.
            condition: is told of the removal.
            silence_ns: how often it looks whether it hears a leader.
            now_ns: monotonic.
        """
        self._raft = raft
        self._condition = condition
        self._silence_ns = silence_ns
        self._admitted: Configuration = EMPTY
        self._leaving: tuple[str, ...] = ()
        self._gone: tuple[str, ...] = ()
        self.deadline_ns = NEVER if condition.removed else now_ns + silence_ns

    def tick(self, now_ns: int, effects: list[Effect]) -> None:
        """Ask the other members whether this node belongs, if it hears no leader."""
        if now_ns < self.deadline_ns:
            return
        self.deadline_ns = now_ns + self._silence_ns
        raft = self._raft
        if raft.leadership is None and not raft.hears_leader(now_ns):
            others = [node for node in raft.configuration.members if node != raft.node]
            effects += [Send(node, Inquiry()) for node in others]

    def told(self, sender: str) -> None:
        """Believe a member of the cluster, as far as this node knows them, that it was removed."""
        if sender in self._raft.configuration.members:
            self._gone += (self._raft.node,)
            self._is_removed()

    def seen(self, removed: tuple[str, ...]) -> None:
        """Take note of members whose removal is committed."""
        self._gone += removed
        if self._raft.node in self._gone:
            self._is_removed()

    def _is_removed(self) -> None:
        self._condition.removed = True
        self.deadline_ns = NEVER

    def admit(self, effects: list[Effect]) -> None:
        """Tell the transport who belongs, if that has changed."""
        raft = self._raft
        configuration, leaving = raft.configuration, raft.leaving
        if not self._gone and configuration is self._admitted and leaving == self._leaving:
            return
        self._admitted, self._leaving = configuration, leaving
        gone, self._gone = self._gone, ()
        if self._condition.removed:
            # Who is told of its removal by another member still counts itself.
            configuration = configuration.without(raft.node)
        effects.append(AdmitPeers(configuration, gone, leaving))
