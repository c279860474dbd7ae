"""An answer shows at least what was committed when it was asked for (thesis, section 6.4)."""

from typing import NamedTuple

from core import effects
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.invariants.tokens import created_by
from sim.world import Question, World

_UNKNOWING = (307, 500, 503)
"""Answers that say nothing of the state."""
_SHOWING = (200, 404)
"""Answers to a read that show it."""


class _Asked(NamedTuple):
    """What was so when a question was asked."""

    commit: int
    leader_term: int


class AnswersAreFresh(Invariant):
    """Sees a stale answer even if no client wrote what would show it.

    A read is answered by the node that was asked, but for what a use-limited token reads. Anything
    else, a refusal for one, is answered by the node that was asked if it leads all the while. What
    concerns the node itself, below `sys/`, is not looked at.
    """

    def __init__(self) -> None:
        self._commit = 0
        self._asked: dict[int, _Asked] = {}
        self._limited: dict[str, int] = {}

    def led(self, _world: World, _host: Host, raft: Raft) -> None:
        """Follow the commit index of whoever leads."""
        if raft.commit > self._commit:
            self._commit = raft.commit

    def asked(self, world: World, question: Question) -> None:
        """Remember what is committed now, and whether the node that is asked leads."""
        if not question.request.path.startswith("sys/"):
            term = _term_led(world.hosts[question.node])
            self._asked[question.handle] = _Asked(self._commit, term)

    def answered(
        self, _world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Compare the state that answers with what was committed."""
        created = created_by(question, effect.response)
        if created is not None and created.uses:
            self._limited[created.token] = created.uses
        asked = self._asked.pop(question.handle, None)
        node = host.node
        if asked is None or node is None or not self._is_its_own(host, asked, question, effect):
            return
        applied_index = node.store.applied_index
        if applied_index < asked.commit:
            raise self.violated(
                f"{host.name} answers {question.client} from {applied_index} although"
                f" {asked.commit} was committed when it asked"
            )

    def _is_its_own(
        self, host: Host, asked: _Asked, question: Question, effect: effects.Answer
    ) -> bool:
        """Tell whether this node found the answer in its own state."""
        request = question.request
        status = effect.response.status
        if request.operation == "read" and request.token not in self._limited:
            return status in _SHOWING
        leads = asked.leader_term != 0 and asked.leader_term == _term_led(host)
        return leads and status not in _UNKNOWING


def _term_led(host: Host) -> int:
    """Return the term in which a member leads, or 0."""
    node = host.node
    return node.raft.term if node is not None and node.raft.leadership is not None else 0
