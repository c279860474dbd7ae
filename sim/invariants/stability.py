"""What a member takes for durable is what its disk holds, and what recovery finds again."""

from core.raft import snapshot
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World

_Terms = dict[int, int | None]
"""Entries by index, as their terms."""


class StableIsDurable(Invariant):
    """An entry is durable if it was written last at its index and synced, and no snapshot voids it.

    A restart finds what is durable again. Of what was being written it may find anything, and
    of what was given up for a snapshot nothing.
    """

    def __init__(self) -> None:
        self._durable: dict[str, _Terms] = {}
        self._written: dict[str, _Terms] = {}
        self._stable: dict[str, int] = {}
        self._void_through: dict[str, int] = {}

    def wrote(self, _world: World, host: Host, _data: bytes) -> None:
        """Remember which entries are being written: those handed over and not durable yet."""
        assert host.node is not None
        log = host.node.raft.log
        span = range(log.stable_index + 1, log.handed_index + 1)
        self._written[host.name] = {index: log.term_at(index) for index in span}

    def synced(self, _world: World, host: Host) -> None:
        """Count them as durable."""
        written = self._written.get(host.name)
        if written:
            self._durable[host.name].update(written)
            written.clear()

    def based(self, _world: World, host: Host) -> None:
        """Forget what a snapshot has replaced, unless the log goes on behind it."""
        assert host.node is not None
        raft = host.node.raft
        incoming = raft.incoming
        meta = host.disk.base.meta
        self._void_through[host.name] = meta.void_through
        if incoming is None or incoming.meta.index != meta.index or not incoming.complete:
            return
        if not snapshot.keeps_suffix(raft, meta):
            self._forget(host)

    def _forget(self, host: Host) -> None:
        self._durable[host.name] = {}
        self._written[host.name] = {}
        self._stable[host.name] = host.disk.base.meta.index

    def changed(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare the last durable entry with what was written there."""
        log = raft.log
        index = self._stable[host.name] = log.stable_index
        if index <= log.start_index or index <= host.disk.base.meta.index:
            return
        term = self._durable[host.name].get(index)
        if term != log.term_at(index):
            raise self.violated(
                f"{host.name} takes entry {index} of term {log.term_at(index)} for durable;"
                f" its disk has one of term {term}"
            )

    def started(self, _world: World, host: Host) -> None:
        """Compare what was recovered with what was written.

        A crash may have let a snapshot replace the base, which voids what the log held before.
        """
        assert host.node is not None
        void_through = host.disk.base.meta.void_through
        if void_through > self._void_through.get(host.name, 0):
            self._forget(host)
        self._void_through[host.name] = void_through
        log = host.node.raft.log
        span = range(log.start_index, log.last_index + 1)
        recovered: _Terms = {index: log.term_at(index) for index in span}
        durable = self._durable.get(host.name)
        if durable is not None:
            written = self._written.get(host.name, {})
            self._compare(host, recovered, durable, written)
        self._durable[host.name] = recovered
        self._written[host.name] = {}

    def _compare(self, host: Host, recovered: _Terms, durable: _Terms, written: _Terms) -> None:
        base_index = host.disk.base.meta.index
        for index, term in recovered.items():
            if index > base_index and term not in (durable.get(index), written.get(index)):
                raise self.violated(
                    f"{host.name} recovers entry {index} of term {term}, which was given up"
                )
        stable = self._stable.get(host.name, 0)
        if stable > base_index and not written and recovered.get(stable) != durable.get(stable):
            raise self.violated(f"{host.name} does not recover entry {stable}, which was durable")
