"""Committed means durable on a quorum; the logs of crashed voters count (openraft#1753)."""

from core.raft.configuration import Configuration
from core.raft.log import Log
from core.raft.quorum import majority
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class CommittedIsDurable(Invariant):
    """Looked at whenever an index is seen to be committed for the first time.

    A configuration counts as soon as it is appended. What a leader commits in the turn in which it
    appends one may have been counted just before, unless it stands behind it.
    """

    def __init__(self) -> None:
        self._commit = 0
        self._logs: dict[str, Log] = {}
        self._in_force: dict[str, Configuration] = {}

    def started(self, _world: World, host: Host) -> None:
        """Know its log, which is looked at even after a crash."""
        if host.node is not None:
            self._logs[host.name] = host.node.raft.log

    def led(self, world: World, host: Host, raft: Raft) -> None:
        """Count the voters that have the newly committed entry durably."""
        configuration = raft.configuration
        before = self._in_force.get(host.name, configuration)
        self._in_force[host.name] = configuration
        if raft.commit <= self._commit:
            return
        self._commit = raft.commit
        short = self._short(world, raft, configuration)
        if short is not None and raft.commit < raft.configuration_index:
            short = self._short(world, raft, before)
        if short is not None:
            raise self.violated(
                f"{host.name} committed {raft.commit}, which is durable at {short} only"
            )

    def _short(self, world: World, raft: Raft, configuration: Configuration) -> list[str] | None:
        """Return the voters that have the committed entry durably, if they are too few."""
        term = raft.log.term_at(raft.commit)
        for voters in (configuration.incoming, configuration.outgoing):
            holders = [name for name in voters if self._holds(world, name, raft.commit, term)]
            if voters and len(holders) < majority(len(voters)):
                return holders
        return None

    def _holds(self, world: World, name: str, index: int, term: int | None) -> bool:
        """Tell whether that very entry is durable there, as far as was seen before a crash."""
        host = world.members.get(name)
        if host is None:
            return False  # its disk was wiped
        if host.disk.base.meta.index >= index:
            return True
        log = self._logs.get(name) if host.node is None else host.node.raft.log
        return log is not None and log.stable_index >= index and log.term_at(index) == term
