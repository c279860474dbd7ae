"""Linearizable reads: leases and read indices (thesis, section 6.4).

A leader may answer while it holds a lease: a quorum has answered a message that it sent less
than one minimal election timeout ago, drift allowed for, and voters that heard a leader within
that time elect no other. Without a lease a read waits until a quorum has answered a message that
was sent after the read was asked for.
"""

from core.raft import replication
from core.raft.leadership import Leadership, WaitingRead
from core.raft.messages import ReadIndexRequest, ReadIndexResponse
from core.raft.state import ConfirmedRead, Raft


def holds_lease(raft: Raft, now_ns: int) -> bool:
    """Tell whether this node may answer reads at once; see `lease_until_ns`."""
    leadership = raft.leadership
    if leadership is None or raft.commit < leadership.first_index:
        return False
    # Not used up to its very end: an answer that leaves after it would have to be asked for again.
    renewal_due_ns = leadership.lease_until_ns - raft.settings.lease_ns // 2
    return now_ns < renewal_due_ns or _renew_lease(raft, leadership, now_ns)


def lease_until_ns(raft: Raft) -> int:
    """Return when the lease that `holds_lease` found ends (monotonic)."""
    return raft.leadership.lease_until_ns if raft.leadership is not None else 0


def _renew_lease(raft: Raft, leadership: Leadership, now_ns: int) -> bool:
    if leadership.lease_forgone:
        return False
    stamp = _quorum_stamp(raft, leadership, now_ns)
    leadership.lease_until_ns = stamp + raft.settings.lease_ns if stamp else 0
    return now_ns < leadership.lease_until_ns


def _quorum_stamp(raft: Raft, leadership: Leadership, own_stamp: int) -> int:
    stamps = leadership.acked_stamps
    stamps[raft.node] = own_stamp
    return raft.quorum_value(stamps)


def request(raft: Raft, reader: str, batch: int, now_ns: int) -> None:
    """Ask, as leader, for confirmation of a batch of reads of `reader` (empty: this node)."""
    leadership = raft.leadership
    if leadership is None:
        raft.refused_reads.append(batch)
        return
    leadership.reads.append(WaitingRead(reader, batch, raft.stamp(now_ns)))
    if not holds_lease(raft, now_ns):
        leadership.broadcast_due = True


def confirm(raft: Raft, now_ns: int) -> None:
    """Release the reads that are confirmed by now."""
    leadership = raft.leadership
    if leadership is None or not leadership.reads or raft.commit < leadership.first_index:
        return
    if holds_lease(raft, now_ns):
        confirmed_stamp = raft.stamp(now_ns)
    else:
        confirmed_stamp = _quorum_stamp(raft, leadership, raft.stamp(now_ns))
    while leadership.reads and leadership.reads[0].stamp < confirmed_stamp:
        read = leadership.reads.popleft()
        if read.reader:
            answer = ReadIndexResponse(
                read.batch, raft.term, raft.commit, raft.wall_ns, confirmed=True
            )
            raft.send(read.reader, answer)
        else:
            raft.confirmed_reads.append(ConfirmedRead(read.batch, raft.commit))


def on_read_index_request(raft: Raft, sender: str, message: ReadIndexRequest, now_ns: int) -> None:
    """Take in a follower's question, or tell it that this node can't answer."""
    if raft.leadership is None:
        raft.send(sender, ReadIndexResponse(message.batch, term=raft.term))
    elif sender in raft.leadership.peers:
        request(raft, sender, message.batch, now_ns)


def on_read_index_response(
    raft: Raft, _sender: str, message: ReadIndexResponse, _now_ns: int
) -> None:
    """Release this follower's reads; the answer also says how far the log is committed."""
    if not message.confirmed:
        raft.refused_reads.append(message.batch)
        return
    raft.wall(message.wall_ns)
    if message.term == raft.term:
        replication.commit_to(raft, message.index)
    raft.confirmed_reads.append(ConfirmedRead(message.batch, message.index))
