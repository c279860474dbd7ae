"""Committed means durable on a quorum; the logs of crashed voters count (openraft#1753)."""

from core.raft.quorum import majority
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class CommittedIsDurable(Invariant):
    """Looked at whenever an index is seen to be committed for the first time."""

    def __init__(self) -> None:
        self._commit = 0
        self._stable: dict[str, int] = {}

    def changed(self, world: World, host: Host, raft: Raft) -> None:
        """Count the voters that have the newly committed entry durably."""
        self._stable[host.name] = raft.log.stable_index
        if raft.commit <= self._commit or raft.leadership is None:
            return
        self._commit = raft.commit
        voters = raft.configuration.incoming
        holders = [name for name in voters if self._holds(world, name, raft.commit)]
        if len(holders) < majority(len(voters)):
            raise self.violated(
                f"{host.name} committed {raft.commit}, which is durable at {holders} only"
            )

    def _holds(self, world: World, name: str, index: int) -> bool:
        host = world.hosts[name]
        if host.node is None:
            return self._stable.get(name, 0) >= index
        return max(host.node.raft.log.stable_index, host.disk.base.meta.index) >= index
