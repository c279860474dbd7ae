"""Leader completeness: a leader has every entry that was ever committed (paper, 5.4.3)."""

from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class LeaderCompleteness(Invariant):
    """Looked at when a leader is elected."""

    def __init__(self) -> None:
        self._commit = 0
        self._term_of: dict[int, int] = {}
        self._elected: dict[int, str] = {}

    def changed(self, _world: World, host: Host, raft: Raft) -> None:
        """Remember what is committed; compare a new leader's log with it."""
        leadership = raft.leadership
        if leadership is not None and raft.term not in self._elected:
            self._elected[raft.term] = host.name
            if self._commit > raft.log.start_index:
                found = raft.log.term_at(self._commit)
                if found != self._term_of[self._commit]:
                    raise self.violated(
                        f"{host.name} leads in term {raft.term} without the committed entry"
                        f" {self._commit} of term {self._term_of[self._commit]}"
                    )
        if raft.commit > self._commit:
            term = raft.log.term_at(raft.commit)
            if term:
                self._commit = raft.commit
                self._term_of[raft.commit] = term
