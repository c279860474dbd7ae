"""What members of a cluster say to each other about consensus.

Records are array-like and tagged, so that one decoder reads any of them and refuses the rest.
The sender is vouched for by the transport and therefore not part of a message.
"""

import msgspec

from core.raft.entry import Entry


class VoteRequest(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A candidate asks for a vote (Raft paper, figure 2) or whether it would get it (thesis 9.6).

    Attributes:
        term: the term that it campaigns for; for a pre-vote the one after its own.
        last_index: index of its last entry.
        last_term: term of its last entry.
        pre: True for a pre-vote, which changes nobody's state.
        transfer: True if the leader itself asked for this election, so that the promise not
            to vote while a leader is heard does not stand in the way.
    """

    term: int
    last_index: int
    last_term: int
    pre: bool
    transfer: bool


class VoteResponse(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """The answer; a granted pre-vote repeats the term asked for, all else tells the voter's own."""

    term: int
    granted: bool
    pre: bool


class AppendRequest(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A leader replicates entries, or shows that it is there (Raft paper, figure 2).

    Attributes:
        term: the leader's term.
        previous_index: index of the entry before `entries`.
        previous_term: its term.
        commit: the leader's commit index.
        stamp: strictly increasing per leader and term; the answer repeats it. It confirms
            leadership for reads that were asked before it was drawn.
        wall_ns: the cluster's wall clock at the leader.
        entries: consecutive entries; none in a heartbeat.
    """

    term: int
    previous_index: int
    previous_term: int
    commit: int
    stamp: int
    wall_ns: int
    entries: tuple[Entry, ...]


class AppendResponse(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    """What a follower made of an `AppendRequest`.

    Attributes:
        term: the follower's term.
        stamp: the stamp of the request; 0 if that is of an earlier term than the answer.
        success: the entry before the new ones matched.
        index: if so the last index that is now known to match and to be durable here, else
            the `previous_index` that did not match.
        hint_index: on failure, the last index where a match is possible.
        hint_term: the follower's term at `hint_index`.
        electable: it could lead: it is unsealed and its state is whole.
        snapshot_floor: it lost its state and needs a snapshot of at least this index; 0 if not.
    """

    term: int
    stamp: int
    success: bool
    index: int
    hint_index: int
    hint_term: int
    electable: bool
    snapshot_floor: int


class SnapshotRequest(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """One chunk of a leader's base (Raft paper, section 7).

    Attributes:
        term: the leader's term.
        stamp: as in `AppendRequest`.
        snapshot: names this transfer; drawn by the leader.
        number: the chunk's place, from 0.
        index: last log index that the snapshot contains.
        last_term: the term of that entry.
        configuration: the encoded membership at `index`.
        wall_ns: the latest wall clock of the entries up to `index`.
        content: keys and values in order, encoded.
        digest: of this chunk's content chained to the digest of the chunk before.
        last: no chunk follows.
    """

    term: int
    stamp: int
    snapshot: int
    number: int
    index: int
    last_term: int
    configuration: bytes
    wall_ns: int
    content: bytes
    digest: bytes
    last: bool


class SnapshotResponse(msgspec.Struct, frozen=True, array_like=True, tag=6, gc=False):
    """How far a follower is with a snapshot.

    Attributes:
        term: the follower's term.
        stamp: as in `AppendResponse`.
        snapshot: which transfer.
        number: chunks that it has kept aside so far.
        outcome: `SNAPSHOT_MORE`, `SNAPSHOT_DONE` or `SNAPSHOT_REFUSED`.
        index: when done, the index where its state now stands.
    """

    term: int
    stamp: int
    snapshot: int
    number: int
    outcome: int
    index: int


SNAPSHOT_MORE = 0
SNAPSHOT_DONE = 1
SNAPSHOT_REFUSED = 2


class ReadIndexRequest(msgspec.Struct, frozen=True, array_like=True, tag=7, gc=False):
    """A follower asks where its state must be to answer a batch of reads (thesis, 6.4)."""

    batch: int


class ReadIndexResponse(msgspec.Struct, frozen=True, array_like=True, tag=8, gc=False):
    """The answer: read at `index` or later. `confirmed` is False when the sender does not lead."""

    batch: int
    term: int
    index: int = 0
    wall_ns: int = 0
    confirmed: bool = False


class TimeoutNow(msgspec.Struct, frozen=True, array_like=True, tag=9, gc=False):
    """A leader asks its successor to campaign at once (thesis, section 3.10)."""

    term: int


RaftMessage = (
    VoteRequest
    | VoteResponse
    | AppendRequest
    | AppendResponse
    | SnapshotRequest
    | SnapshotResponse
    | ReadIndexRequest
    | ReadIndexResponse
    | TimeoutNow
)
