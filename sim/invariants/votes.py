"""A vote that was told is kept, crash or not (Raft paper, 5.2 and figure 2)."""

from core.node.messages import Message
from core.raft.messages import VoteRequest, VoteResponse
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class VotesAreKept(Invariant):
    """A voter votes once in a term, and after a restart remembers what it has told others."""

    MESSAGES = (VoteRequest, VoteResponse)

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], str] = {}
        self._latest: dict[str, int] = {}

    def sent(self, _world: World, host: Host, receiver: str, message: Message) -> None:
        """Look at a vote that leaves its voter; a candidate votes for itself."""
        if isinstance(message, VoteRequest) and not message.pre:
            self._tell(host.name, message.term, host.name)
        elif isinstance(message, VoteResponse) and message.granted and not message.pre:
            self._tell(host.name, message.term, receiver)

    def started(self, _world: World, host: Host) -> None:
        """Compare what a member remembers with what it told before."""
        node = host.node
        term = self._latest.get(host.name)
        if node is None or term is None or node.raft.term > term:
            return
        told = self._told[host.name, term]
        if node.raft.term < term or node.raft.vote != told:
            raise self.violated(
                f"{host.name} voted for {told} in term {term} and remembers"
                f" {node.raft.vote or 'no vote'} in term {node.raft.term}"
            )

    def _tell(self, voter: str, term: int, candidate: str) -> None:
        known = self._told.setdefault((voter, term), candidate)
        if known != candidate:
            raise self.violated(f"{voter} votes for {known} and {candidate} in term {term}")
        self._latest[voter] = max(term, self._latest.get(voter, 0))
