"""Election safety: at most one leader in a term (Raft paper, figure 3)."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class ElectionSafety(Invariant):
    """At most one member leads in a term."""

    def __init__(self) -> None:
        self._leaders: dict[int, str] = {}

    def led(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare a leader with the one known of its term."""
        known = self._leaders.setdefault(raft.term, host.name)
        if known != host.name:
            raise self.violated(f"{known} and {host.name} both lead in term {raft.term}")
