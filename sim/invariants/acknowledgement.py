"""An acknowledgement is true when it leaves: the sender has those entries, durably."""

from core.node.messages import Message
from core.raft.messages import AppendRequest, AppendResponse
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World


class AcknowledgedIsDurable(Invariant):
    """What a follower says it has is what the leader of that term offered, and survives a crash."""

    MESSAGES = (AppendRequest, AppendResponse)

    def __init__(self) -> None:
        self._offered: dict[tuple[int, int], int] = {}

    def sent(self, _world: World, host: Host, receiver: str, message: Message) -> None:
        """Remember what a leader offers; compare with it what a follower acknowledges."""
        node = host.node
        if type(message) is AppendRequest:
            for entry in message.entries:
                self._offered[message.term, entry.index] = entry.term
            return
        if node is None or type(message) is not AppendResponse or not message.success:
            return
        index = message.index
        log = node.raft.log
        if log.stable_index < index and host.disk.base.meta.index < index:
            raise self.violated(
                f"{host.name} acknowledges {index} and is durable up to {log.stable_index}"
            )
        own = log.term_at(index)
        offered = self._offered.get((message.term, index), own)
        if own is not None and own != offered:
            raise self.violated(
                f"{host.name} acknowledges entry {index} of term {offered} to {receiver}"
                f" and has one of term {own}"
            )
