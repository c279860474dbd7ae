"""A leader was elected by a majority of the voters that it counts (Raft paper, 5.2)."""

from core.node.messages import Message
from core.raft.messages import VoteResponse
from core.raft.quorum import majority
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class LeadersAreElected(Invariant):
    """Votes are counted as they leave their voters; who leads has voted for itself."""

    MESSAGES = (VoteResponse,)

    def __init__(self) -> None:
        self._votes: dict[tuple[str, int], dict[str, None]] = {}
        self._elected: dict[int, str] = {}

    def sent(self, _world: World, host: Host, receiver: str, message: Message) -> None:
        """Remember who votes for whom."""
        if isinstance(message, VoteResponse) and message.granted and not message.pre:
            self._votes.setdefault((receiver, message.term), {})[host.name] = None

    def led(self, _world: World, host: Host, raft: Raft) -> None:
        """Count the votes of a new leader."""
        if raft.term in self._elected:
            return
        self._elected[raft.term] = host.name
        votes = (*self._votes.get((host.name, raft.term), ()), host.name)
        for voters in (raft.configuration.incoming, raft.configuration.outgoing):
            granted = [name for name in voters if name in votes]
            if voters and len(granted) < majority(len(voters)):
                raise self.violated(
                    f"{host.name} leads in term {raft.term} with the votes of {granted} only,"
                    f" among {voters}"
                )
