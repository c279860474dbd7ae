"""What a request asks of the node itself: membership, leadership, the seal."""

from typing import Final

from core.moment import NANOSECONDS_PER_SECOND, Now
from core.raft import membership, transfer
from core.raft.configuration import Configuration, Member
from core.raft.state import Raft
from core.request import Response
from core.vault.envelope import failure
from core.vault.reply import Action, AddLearner, RemovePeer, Seal, StepDown

STEP_DOWN_PAUSE_NS: Final = 10 * NANOSECONDS_PER_SECOND
"""For how long a node that was asked to step down does not campaign."""

_BUSY: Final = failure(
    503,
    "another membership change is under way; nothing was done",
    headers={"Retry-After": "1"},
)


class Administration:
    """Carries out actions on the leader.

    Attributes:
        seal_asked: the node is to be sealed at the end of this turn.
    """

    __slots__ = ("_raft", "seal_asked")

    def __init__(self, raft: Raft) -> None:
        self._raft = raft
        self.seal_asked = False

    def act(self, action: Action, now: Now) -> tuple[Response | None, int]:
        """Do it; return an answer if it can't be done, and the index to wait for or 0."""
        if isinstance(action, Seal):
            self.seal_asked = True
            return None, 0
        if isinstance(action, StepDown):
            step_down(self._raft, now)
            return None, 0
        if not membership.may_change(self._raft):
            return _BUSY, 0
        if isinstance(action, RemovePeer):
            return self._remove(action)
        return self._add(action)

    def _remove(self, action: RemovePeer) -> tuple[Response | None, int]:
        configuration = self._raft.configuration
        found = [
            node
            for node, member in configuration.members.items()
            if action.server_id in (node, member.name)
        ]
        if not found:
            return failure(400, f"no member is called {action.server_id!r}"), 0
        smaller = configuration.without(found[0])
        if not smaller.incoming:
            return failure(400, "the last voter cannot be removed"), 0
        return None, self._propose(smaller)

    def _add(self, action: AddLearner) -> tuple[Response | None, int]:
        configuration = self._raft.configuration
        if action.node in configuration.removed:
            return failure(
                400, "this node was removed from the cluster; it needs a new directory"
            ), 0
        for node, member in configuration.members.items():
            if member.name == action.name and node != action.node:
                return failure(400, f"another member is called {action.name!r}"), 0
        member = Member(
            action.name, action.cluster_address, action.api_address, action.stays_learner
        )
        return None, self._propose(configuration.with_learner(action.node, member))

    def _propose(self, configuration: Configuration) -> int:
        return membership.propose(self._raft, configuration)


def step_down(raft: Raft, now: Now) -> None:
    """Hand leadership over, or at least give it up, and hold back for a while."""
    raft.abstain_until_ns = now.monotonic_ns + STEP_DOWN_PAUSE_NS
    if not transfer.start(raft, now.monotonic_ns):
        raft.follow(raft.term, "", now.monotonic_ns)
