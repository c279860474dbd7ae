"""Term, commit and applied index never go back while a member lives (Raft paper, figure 2)."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class NothingGoesBack(Invariant):
    """What a member has reached stays so; what it has told others is the matter of votes."""

    def __init__(self) -> None:
        self._reached: dict[str, tuple[int, int, int]] = {}

    def crashed(self, _world: World, host: Host) -> None:
        """Forget what need not survive."""
        self._reached.pop(host.name, None)

    def advanced(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare with what was seen before."""
        node = host.node
        assert node is not None
        term, commit, applied = self._reached.get(host.name, (0, 0, 0))
        applied_index = node.store.applied_index
        if raft.term < term or raft.commit < commit or applied_index < applied:
            raise self.violated(
                f"{host.name} went back from term {term}, commit {commit}, applied {applied} to"
                f" {raft.term}, {raft.commit}, {applied_index}"
            )
        self._reached[host.name] = (raft.term, raft.commit, applied_index)
