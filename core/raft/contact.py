"""What a leader and a follower show each other with every message, whatever that is about.

A follower obeys the leader of its term and repeats the stamp of what it answers; the leader takes
an answer for a sign that it is followed still. Leases and check-quorum rest on these.
"""

from core.check import check
from core.raft.leadership import Leadership
from core.raft.messages import AppendRequest, AppendResponse, SnapshotRequest, SnapshotResponse
from core.raft.progress import Progress
from core.raft.state import Raft, Role

# -- as leader, or no longer ------------------------------------------------------------------


def acknowledge(leadership: Leadership, node: str, peer: Progress, stamp: int, now_ns: int) -> None:
    """Take note that a peer still follows as of `stamp`."""
    peer.heard_ns = now_ns
    if stamp > leadership.acked_stamps.get(node, 0):
        leadership.acked_stamps[node] = stamp


def on_late_response(
    raft: Raft, _sender: str, message: AppendResponse | SnapshotResponse, now_ns: int
) -> None:
    """Learn a newer term from an answer to a leader that this node no longer is."""
    if message.term > raft.term:
        raft.follow(message.term, "", now_ns)


# -- as follower ------------------------------------------------------------------------------


def obey(raft: Raft, sender: str, term: int, now_ns: int) -> bool:
    """Accept the sender as this term's leader; tell whether it is."""
    if term < raft.term:
        return False
    if term > raft.term or raft.role is not Role.FOLLOWER or raft.leader != sender:
        check(term > raft.term or raft.leadership is None, "this node leads in the same term")
        check(term > raft.term or raft.leader in ("", sender), "two leaders in one term")
        raft.follow(term, sender, now_ns)
    raft.heard(now_ns)
    return True


def stamp_of(raft: Raft, message: AppendRequest | SnapshotRequest) -> int:
    """Return the stamp that an answer repeats: none if the request is of an earlier term.

    Nothing is promised to a leader of an earlier term. If it leads again it would take its own old
    stamp, drawn perhaps before its clock began anew, for a promise to it now.
    """
    return message.stamp if message.term == raft.term else 0
