"""A base equals what the committed entries up to its index make, applied one after another."""

from core.raft.entry import KIND_WRITES
from core.raft.state import Raft
from core.store import write_set
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World

_Writes = tuple[tuple[bytes, bytes | None], ...]


class BasesEqualReference(Invariant):
    """Looked at when a base was flushed, replaced or reopened."""

    def __init__(self) -> None:
        self._writes: list[_Writes] = [()]
        self._states: dict[str, tuple[int, dict[bytes, bytes]]] = {}

    def advanced(self, _world: World, _host: Host, raft: Raft) -> None:
        """Remember what is newly committed, in its order."""
        known = len(self._writes) - 1
        if raft.commit <= known or raft.log.start_index > known:
            return
        for entry in raft.log.between(known + 1, raft.commit):
            writes = write_set.decode(entry.data) if entry.kind == KIND_WRITES else ()
            self._writes.append(tuple(writes))

    def started(self, world: World, host: Host) -> None:
        """A crash may have let a change of the base end, or not."""
        self.based(world, host)

    def based(self, _world: World, host: Host) -> None:
        """Compare a base with the reference at its index."""
        base = host.disk.base
        index = base.meta.index
        reached, state = self._states.setdefault(host.name, (0, {}))
        if index >= len(self._writes) or index < reached:
            raise self.violated(f"the base of {host.name} stands at {index}, after {reached}")
        for writes in self._writes[reached + 1 : index + 1]:
            for key, value in writes:
                if value is None:
                    state.pop(key, None)
                else:
                    state[key] = value
        self._states[host.name] = (index, state)
        if base.values != state:
            raise self.violated(f"the base of {host.name} differs at {index}")
