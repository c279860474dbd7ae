"""A leader commits by counting only what it appended itself (Raft paper, 5.4.2 and figure 8)."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class CommitsOwnTerm(Invariant):
    """A leader moves its commit index to an entry of its own term, never to an earlier one."""

    def __init__(self) -> None:
        self._elected: dict[tuple[str, int], int] = {}

    def led(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare a leader's commit index with the one it was elected with."""
        elected = self._elected.setdefault((host.name, raft.term), raft.commit)
        if raft.commit > elected and raft.log.term_at(raft.commit) != raft.term:
            raise self.violated(
                f"{host.name} leads in term {raft.term} and committed {raft.commit}"
                f" of term {raft.log.term_at(raft.commit)}"
            )
