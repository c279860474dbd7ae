"""Hands each message to its rule, by role and type, and says what is due when.

This is the whole face of consensus for the node above: `step`, `tick`, `durable`, `finish_turn`
change a `Raft`; what came of it stands in its outbox, log, commit index and confirmed reads.
"""

from collections.abc import Callable
from typing import Any, Final

from core.raft import contact, election, reads, replication, snapshot, transfer
from core.raft.messages import (
    AppendRequest,
    AppendResponse,
    RaftMessage,
    ReadIndexRequest,
    ReadIndexResponse,
    SnapshotRequest,
    SnapshotResponse,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from core.raft.replication import NOTHING_NEW
from core.raft.state import Raft, Role

Handler = Callable[[Raft, str, Any, int], object]

_FOLLOWER, _PRE_CANDIDATE, _CANDIDATE, _LEADER = Role

_HANDLERS: Final[dict[tuple[Role, type], Handler]] = {
    **{(role, VoteRequest): election.on_vote_request for role in Role},
    (_PRE_CANDIDATE, VoteResponse): election.on_vote_response,
    (_CANDIDATE, VoteResponse): election.on_vote_response,
    (_FOLLOWER, VoteResponse): election.on_late_vote_response,
    (_LEADER, VoteResponse): election.on_late_vote_response,
    **{(role, AppendRequest): replication.on_append_request for role in Role},
    (_LEADER, AppendResponse): replication.on_append_response,
    **{(role, SnapshotRequest): snapshot.on_snapshot_request for role in Role},
    (_LEADER, SnapshotResponse): snapshot.on_snapshot_response,
    **{
        (role, response): contact.on_late_response
        for role in Role
        if role is not _LEADER
        for response in (AppendResponse, SnapshotResponse)
    },
    **{(role, ReadIndexRequest): reads.on_read_index_request for role in Role},
    (_FOLLOWER, ReadIndexResponse): reads.on_read_index_response,
    (_FOLLOWER, TimeoutNow): transfer.on_timeout_now,
}
"""Which rule takes which message in which role. What is missing cannot matter: a leader has no
use for another's read index, and a candidate is campaigning already."""


def step(raft: Raft, sender: str, message: RaftMessage, now_ns: int) -> bool:
    """Take in a peer's message; its rule drops it if it is stale or from a stranger.

    Returns:
        Whether more may come of it than an answer. Heartbeats and their acknowledgements, most
        messages of an idle cluster, change nothing.
    """
    handler = _HANDLERS.get((raft.role, type(message)))
    return handler is not None and handler(raft, sender, message, now_ns) is not NOTHING_NEW


def tick(raft: Raft, now_ns: int) -> None:
    """Do what is due at `now_ns` (monotonic)."""
    leadership = raft.leadership
    if leadership is not None:
        if now_ns >= leadership.transfer_due_ns:
            transfer.give_up(raft)
        if now_ns >= leadership.heartbeat_due_ns:
            replication.heartbeat(raft, now_ns)
    elif now_ns >= raft.campaign_due_ns:
        election.campaign(raft, now_ns, pre=True, transfer=False)


def durable(raft: Raft, index: int, term: int, now_ns: int) -> None:
    """Take note that the log is durable here up to this entry."""
    raft.log.written(index, term)
    if raft.leadership is not None:
        replication.advance_commit(raft, now_ns)


def finish_turn(raft: Raft, now_ns: int) -> None:
    """Send peers what this turn calls for, one message each."""
    if raft.leadership is not None:
        transfer.proceed(raft)
        reads.confirm(raft, now_ns)
        replication.replicate(raft, now_ns)
