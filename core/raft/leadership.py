"""What only the leader of a term knows, from its election until it follows again."""

from collections import deque

import msgspec

from core.moment import NEVER
from core.raft.progress import Progress


class WaitingRead(msgspec.Struct, frozen=True):
    """A batch of reads that waits until leadership is confirmed.

    Attributes:
        reader: the follower that asked, or empty for this node itself.
        batch: names the batch at the reader.
        stamp: an answer to a message with a greater stamp confirms it.
    """

    reader: str
    batch: int
    stamp: int


class Leadership(msgspec.Struct):
    """What only a leader knows.

    Attributes:
        peers: the other members.
        first_index: its first entry of this term; reads wait until that is committed.
        elected_ns: when it was elected (monotonic).
        heartbeat_due_ns: when every peer must have been sent something.
        acked_stamps: the latest stamp that each voter has answered.
        lease_until_ns: the lease as last computed.
        uncommitted_bytes: size of the entries behind the commit index.
        reads: reads that wait for confirmation, in the order of their stamps.
        successor: who is to take over, or empty.
        successor_asked: it was told to campaign.
        transfer_due_ns: when to give that up.
        lease_forgone: this leader asked another to campaign at once, which voids the promise
            that a lease rests on, for the rest of its term.
        broadcast_due: peers must be sent something in this turn.
        snapshot_floor: some peer needs a snapshot of at least this index.
    """

    peers: dict[str, Progress]
    first_index: int
    elected_ns: int
    heartbeat_due_ns: int
    acked_stamps: dict[str, int] = {}
    lease_until_ns: int = 0
    uncommitted_bytes: int = 0
    reads: deque[WaitingRead] = msgspec.field(default_factory=deque)
    successor: str = ""
    successor_asked: bool = False
    transfer_due_ns: int = NEVER
    lease_forgone: bool = False
    broadcast_due: bool = False
    snapshot_floor: int = 0
