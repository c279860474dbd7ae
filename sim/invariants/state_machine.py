"""State-machine safety: members never apply different entries at one index, and end up equal."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class StateMachineSafety(Invariant):
    """What is applied at an index is the same everywhere, and so are the stores."""

    def __init__(self) -> None:
        self._applied: dict[int, tuple[int, bytes]] = {}
        self._seen: dict[str, int] = {}

    def started(self, _world: World, host: Host) -> None:
        """A member starts from its base."""
        self._seen[host.name] = host.disk.base.meta.index

    def advanced(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare the entries that were applied in this turn."""
        node = host.node
        assert node is not None
        applied_index = node.store.applied_index
        first = self._seen.get(host.name, 0) + 1
        if first > applied_index:
            return
        first = max(first, raft.log.start_index + 1)
        for entry in raft.log.between(first, applied_index):
            facts = (entry.term, entry.data)
            known = self._applied.setdefault(entry.index, facts)
            if known is not facts and known != facts:
                raise self.violated(f"{host.name} applies another entry at {entry.index}")
        self._seen[host.name] = applied_index

    def at_end(self, world: World) -> None:
        """Compare the whole content of stores that stand at the same index."""
        contents: dict[int, tuple[str, list[tuple[bytes, bytes]]]] = {}
        for host in world.hosts.values():
            if host.node is None:
                continue
            store = host.node.store
            content = list(store.iterate(b"\x00", b"\xff"))
            name, known = contents.setdefault(store.applied_index, (host.name, content))
            if known != content:
                raise self.violated(
                    f"the stores of {name} and {host.name} differ at {store.applied_index}"
                )
