"""What must hold in every state of a cluster of `Raft` objects (Raft paper, figure 3).

Owns the memory of all that was ever committed and of who led which term. Must not know how the
cluster got where it is.
"""

from core.raft.entry import Entry, HardState
from core.raft.state import Raft
from tests.core.raft.cluster import Cluster


class Invariants:
    """Watches one cluster; `verify` raises `AssertionError` at the first broken promise."""

    def __init__(self) -> None:
        self._leaders: dict[int, str] = {}
        self._entries: dict[tuple[int, int], tuple[int, bytes, int]] = {}
        self._committed: dict[int, tuple[Entry, int]] = {}
        self._terms: dict[str, int] = {}
        self._votes: dict[tuple[str, int], str] = {}
        self._commits: dict[str, tuple[Raft, int]] = {}

    def verify(self, cluster: Cluster) -> None:
        """Look at every member once."""
        for machine in cluster.machines.values():
            self._durable(machine.name, machine.hard_state)
        for machine in cluster.up():
            raft = machine.running
            self._monotonic(raft)
            self._log_matching(raft)
            self._state_machine_safety(raft)
        for machine in cluster.up():
            self._election_safety(machine.running)

    def _durable(self, name: str, hard_state: HardState) -> None:
        """A durable term never goes back, and the vote in it is never another's."""
        term, vote = hard_state.term, hard_state.vote
        known = self._terms.get(name, 0)
        assert term >= known, f"{name} went back from term {known} to {term}"
        self._terms[name] = term
        if vote:
            first = self._votes.setdefault((name, term), vote)
            assert first == vote, f"{name} voted for {first} and {vote} in term {term}"

    def _monotonic(self, raft: Raft) -> None:
        """Within one life the commit index does not go back, nor does a term ever."""
        assert raft.term >= self._terms[raft.node], f"{raft.node} went back to term {raft.term}"
        life, commit = self._commits.get(raft.node, (raft, 0))
        assert life is not raft or raft.commit >= commit, f"{raft.node} uncommitted {commit}"
        self._commits[raft.node] = (raft, raft.commit)

    def _log_matching(self, raft: Raft) -> None:
        """Entries with one index and term are one entry, and follow the same entry."""
        log = raft.log
        assert log.start_index <= raft.commit
        assert log.start_index <= log.stable_index <= log.handed_index <= log.last_index
        previous = log.start_term
        for entry in log.between(log.start_index + 1, log.last_index):
            known_previous = previous or -1
            seen = self._entries.setdefault(
                (entry.index, entry.term), (known_previous, entry.data, entry.kind)
            )
            assert seen[1:] == (entry.data, entry.kind), f"{raft.node}: another {entry}"
            assert known_previous in (seen[0], -1) or seen[0] == -1, f"{raft.node}: {entry}"
            previous = entry.term

    def _state_machine_safety(self, raft: Raft) -> None:
        """What one member knows to be committed, no other knows otherwise."""
        log = raft.log
        first = max(log.start_index, raft.base.meta.index) + 1
        for entry in log.between(first, min(raft.commit, log.last_index)):
            known, _ = self._committed.setdefault(entry.index, (entry, raft.term))
            assert known == entry, f"{raft.node} committed {entry}, others {known}"

    def _election_safety(self, raft: Raft) -> None:
        """A term has one leader, and that has all that was committed before (5.4.3)."""
        if raft.leadership is None:
            return
        leader = self._leaders.setdefault(raft.term, raft.node)
        assert leader == raft.node, f"term {raft.term} has {leader} and {raft.node} as leaders"
        for index, (entry, term) in self._committed.items():
            if term <= raft.term and index > raft.log.start_index:
                held = raft.log.term_at(index)
                assert held == entry.term, f"leader {raft.node} lacks the committed {entry}"
