"""Log matching: entries with equal index and term are equal, and so is all that precedes them."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class LogMatching(Invariant):
    """Raft paper, figure 3; looked at as entries arrive, so each entry is compared once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[int | None, bytes]] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def started(self, _world: World, host: Host) -> None:
        """Look at a member's whole log again after it was recovered."""
        self._seen.pop(host.name, None)

    def logged(self, _world: World, host: Host, raft: Raft) -> None:
        """Compare the entries that are new in this member's log."""
        log = raft.log
        index, term = self._seen.get(host.name, (0, 0))
        start_index = log.start_index
        if index < start_index or index > log.last_index or log.term_at(index) != term:
            index = start_index
        previous_term = log.term_at(index) or None
        for entry in log.between(index + 1, log.last_index):
            facts = (previous_term, entry.data)
            known = self._known.setdefault((entry.index, entry.term), facts)
            if known is not facts and not _agree(known, facts):
                raise self.violated(
                    f"entry {entry.index} of term {entry.term} differs at {host.name}"
                )
            previous_term = entry.term
        self._seen[host.name] = (log.last_index, log.last_term)


def _agree(known: tuple[int | None, bytes], found: tuple[int | None, bytes]) -> bool:
    """Tell whether two entries have equal data, and equal terms before them if both are known."""
    return known[1] == found[1] and (known[0] is None or found[0] is None or known[0] == found[0])
