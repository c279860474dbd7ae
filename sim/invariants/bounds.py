"""The indices of a member stand in order: applied, commit, last; the log attaches to the base."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class IndicesAreOrdered(Invariant):
    """What is applied is committed, what is committed is there, and nothing is missing.

    While an installed snapshot takes the place of the base, the log may end before the commit
    index: entries that were not handed to the disk are dropped, and the snapshot has them.
    """

    def changed(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare the indices of one member."""
        node = host.node
        assert node is not None
        log = raft.log
        applied_index = node.store.applied_index
        base_index = host.disk.base.meta.index
        replacing = raft.incoming is not None and raft.incoming.complete
        floor = raft.snapshot_floor
        whole = base_index <= applied_index or base_index <= floor
        there = applied_index <= raft.commit <= log.last_index
        attached = log.start_index <= base_index or log.start_index <= floor
        ordered = log.start_index <= log.stable_index <= log.handed_index <= log.last_index
        if not (attached and ordered and (replacing or (whole and there))):
            raise self.violated(
                f"{host.name}: base {base_index}, applied {applied_index}, commit {raft.commit},"
                f" log {log.start_index}, stable {log.stable_index}, handed {log.handed_index},"
                f" last {log.last_index}, floor {floor}"
            )
