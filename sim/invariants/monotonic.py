"""Term, vote, commit and applied index never go back while a member lives; term and vote never."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class NothingGoesBack(Invariant):
    """What a member has promised or reached stays so."""

    def __init__(self) -> None:
        self._indices: dict[str, tuple[int, int]] = {}
        self._votes: dict[tuple[str, int], str] = {}

    def crashed(self, _world: World, host: Host) -> None:
        """Forget what need not survive; what a member told others must, and stays remembered."""
        self._indices.pop(host.name, None)

    def changed(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare with what was seen before."""
        node = host.node
        assert node is not None
        commit, applied = self._indices.get(host.name, (0, 0))
        applied_index = node.store.applied_index
        if raft.commit < commit or applied_index < applied:
            raise self.violated(
                f"{host.name} went back from commit {commit}, applied {applied} to"
                f" {raft.commit}, {applied_index}"
            )
        self._indices[host.name] = (raft.commit, applied_index)


class VotesAreKept(Invariant):
    """A vote that was told to a candidate is never given to another in the same term."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], str] = {}

    def told(self, voter: str, term: int, candidate: str) -> None:
        """Look at a vote that leaves its voter."""
        known = self._told.setdefault((voter, term), candidate)
        if known != candidate:
            raise self.violated(f"{voter} votes for {known} and {candidate} in term {term}")
