"""Committed means durable on a quorum; the logs of crashed voters count (openraft#1753)."""

from core.raft.log import Log
from core.raft.quorum import majority
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class CommittedIsDurable(Invariant):
    """Looked at whenever an index is seen to be committed for the first time."""

    def __init__(self) -> None:
        self._commit = 0
        self._logs: dict[str, Log] = {}

    def changed(self, world: World, host: Host, raft: Raft) -> None:
        """Count the voters that have the newly committed entry durably."""
        self._logs[host.name] = raft.log
        if raft.commit <= self._commit or raft.leadership is None:
            return
        self._commit = raft.commit
        term = raft.log.term_at(raft.commit)
        configuration = raft.configuration
        for voters in (configuration.incoming, configuration.outgoing):
            holders = [name for name in voters if self._holds(world, name, raft.commit, term)]
            if voters and len(holders) < majority(len(voters)):
                raise self.violated(
                    f"{host.name} committed {raft.commit}, which is durable at {holders} only"
                )

    def _holds(self, world: World, name: str, index: int, term: int | None) -> bool:
        """Tell whether that very entry is durable there, as far as was seen before a crash."""
        host = world.hosts[name]
        if host.disk.base.meta.index >= index:
            return True
        log = self._logs.get(name) if host.node is None else host.node.raft.log
        return log is not None and log.stable_index >= index and log.term_at(index) == term
