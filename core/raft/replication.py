"""Replication of the log (Raft paper 5.3), commitment (5.4.2), heartbeats and check-quorum."""

from typing import Final

from core.check import check
from core.raft import contact, snapshot
from core.raft.configuration import decode
from core.raft.entry import KIND_CONFIGURATION, Entry
from core.raft.leadership import Leadership
from core.raft.messages import AppendRequest, AppendResponse
from core.raft.progress import Mode, Progress
from core.raft.state import Raft, Role

NOTHING_NEW: Final = "nothing new"
"""What a rule returns that has changed nothing but an answer, or a timer, may come of."""

# -- as leader --------------------------------------------------------------------------------


def heartbeat(raft: Raft, now_ns: int) -> None:
    """Have every peer sent something in this turn; step down if no quorum answers any more."""
    leadership = raft.leadership
    check(leadership is not None, "only a leader sends heartbeats")
    assert leadership is not None
    if not _hears_quorum(raft, leadership, now_ns):
        raft.follow(raft.term, "", now_ns)
        return
    leadership.broadcast_due = True
    leadership.heartbeat_due_ns = now_ns + raft.settings.heartbeat_ns


def _hears_quorum(raft: Raft, leadership: Leadership, now_ns: int) -> bool:
    patience_ns = raft.settings.election_timeout_max_ns
    if now_ns - leadership.elected_ns <= patience_ns:
        return True
    heard = {node: peer.heard_ns for node, peer in leadership.peers.items()}
    heard[raft.node] = now_ns
    return now_ns - raft.quorum_value(heard) <= patience_ns


def replicate(raft: Raft, now_ns: int) -> None:
    """Send each peer at most one message: entries that it lacks, or a heartbeat that is due."""
    leadership = raft.leadership
    if leadership is None:
        return
    broadcast = leadership.broadcast_due
    leadership.broadcast_due = False
    last_index = raft.log.last_index
    inflight_max = raft.settings.inflight_messages_max
    for node, peer in leadership.peers.items():
        if peer.mode is Mode.REPLICATE:
            more = peer.next <= last_index and len(peer.inflight) < inflight_max
            if more or broadcast:
                _send_entries(raft, node, peer, now_ns, carry=more)
        elif peer.mode is Mode.PROBE:
            if broadcast or not peer.probing:
                _send_entries(raft, node, peer, now_ns, carry=not peer.probing)
        else:
            snapshot.feed(raft, node, peer, now_ns)
            if broadcast:
                _send_bare_heartbeat(raft, node, peer, now_ns)


def _send_entries(raft: Raft, node: str, peer: Progress, now_ns: int, *, carry: bool) -> None:
    """Send entries from `peer.next` on if `carry`, else only the point where they would attach."""
    log = raft.log
    previous_index = peer.next - 1
    previous_term = log.term_at(previous_index)
    if peer.snapshot_floor or previous_term is None or previous_index < log.start_index:
        snapshot.start(raft, node, peer, now_ns)
        if peer.mode is not Mode.SNAPSHOT:
            # The base is too old for it. A message in each turn, and an answer to each, would
            # not make it newer: the next heartbeat tries again.
            peer.probe(peer.next)
            peer.probing = True
            _send_bare_heartbeat(raft, node, peer, now_ns)
        return
    entries: tuple[Entry, ...] = ()
    if carry and peer.next <= log.last_index:
        entries = log.slice(peer.next, raft.settings.append_bytes_max)
    raft.send(
        node,
        AppendRequest(
            raft.term,
            previous_index,
            previous_term,
            raft.commit,
            raft.stamp(now_ns),
            raft.wall_ns,
            entries,
        ),
    )
    if entries:
        peer.sent(entries[-1].index)
    elif peer.mode is Mode.PROBE:
        peer.probing = True


def _send_bare_heartbeat(raft: Raft, node: str, peer: Progress, now_ns: int) -> None:
    """Show that the leader is there, and say nothing of entries that the peer may not have."""
    matched_term = raft.log.term_at(peer.match)
    index = peer.match if matched_term is not None else 0
    raft.send(
        node,
        AppendRequest(
            raft.term,
            index,
            matched_term or 0,
            min(raft.commit, index),
            raft.stamp(now_ns),
            raft.wall_ns,
            (),
        ),
    )


def on_append_response(raft: Raft, sender: str, message: AppendResponse, now_ns: int) -> str | None:
    """Move a peer's progress, and with it perhaps the commit index.

    From a peer that has everything and is merely still there comes `NOTHING_NEW`.
    """
    leadership = raft.leadership
    if message.term > raft.term:
        raft.follow(message.term, "", now_ns)
        return None
    if leadership is None or message.term < raft.term:
        return None
    peer = leadership.peers.get(sender)
    if peer is None:
        return None
    contact.acknowledge(leadership, sender, peer, message.stamp, now_ns)
    peer.electable = message.electable
    peer.snapshot_floor = message.snapshot_floor
    if message.snapshot_floor > leadership.snapshot_floor:
        leadership.snapshot_floor = message.snapshot_floor
    if not message.success:
        index = message.hint_index
        if message.hint_index > raft.log.start_index:
            index, _ = raft.log.last_index_with_term_at_most(message.hint_index, message.hint_term)
        peer.refused(message.index, index)
    elif peer.mode is not Mode.SNAPSHOT:
        check(message.index <= raft.log.last_index, "a peer matches more than its leader has")
        was_fed = peer.mode is Mode.REPLICATE
        if peer.accepted(message.index):
            if message.index > raft.commit:
                advance_commit(raft, now_ns)
        elif was_fed and peer.match == raft.log.last_index:
            waits = leadership.reads or leadership.successor or peer.snapshot_floor
            return None if waits else NOTHING_NEW
    return None


def advance_commit(raft: Raft, now_ns: int) -> None:
    """Commit what a quorum has, if it is of this term (paper, figure 8)."""
    leadership = raft.leadership
    if leadership is None:
        return
    matches = {node: peer.match for node, peer in leadership.peers.items()}
    matches[raft.node] = raft.log.stable_index
    index = raft.quorum_value(matches)
    if index <= raft.commit or raft.log.term_at(index) != raft.term:
        return
    for entry in raft.log.between(raft.commit + 1, index):
        leadership.uncommitted_bytes -= len(entry.data)
    check(leadership.uncommitted_bytes >= 0, "more was committed than appended")
    raft.commit = index
    if raft.configuration_index <= index and not raft.configuration.votes(raft.node):
        # A leader that has removed itself leads until that is committed (paper, section 6).
        raft.follow(raft.term, "", now_ns)


# -- as follower ------------------------------------------------------------------------------


def on_append_request(raft: Raft, sender: str, message: AppendRequest, now_ns: int) -> str | None:
    """Append what is new, and answer when it is durable.

    From a mere heartbeat of the leader that is followed already comes `NOTHING_NEW`.
    """
    is_heartbeat = (
        sender == raft.leader
        and message.term == raft.term
        and raft.role is Role.FOLLOWER
        and not message.entries
        and message.commit <= raft.commit
    )
    _attach(raft, sender, message, now_ns)
    return NOTHING_NEW if is_heartbeat else None


def _attach(raft: Raft, sender: str, message: AppendRequest, now_ns: int) -> None:
    if not contact.obey(raft, sender, message.term, now_ns):
        _answer(raft, sender, message, success=False, index=message.previous_index)
        return
    raft.wall(message.wall_ns)
    log = raft.log
    previous_index, entries = message.previous_index, message.entries
    last_index = previous_index + len(entries)
    if raft.awaits_base:
        _answer(raft, sender, message, success=False, index=previous_index)
        return
    if raft.incoming is not None and entries:
        # The leader has entries again that may attach, so it sends no snapshot any more.
        snapshot.abandon(raft)
    if last_index < raft.commit:
        # All of it is committed here already: an old message, or one sent twice.
        _answer(raft, sender, message, success=True, index=raft.commit)
        return
    if previous_index < raft.commit:
        entries = entries[raft.commit - previous_index :]
        previous_index = raft.commit
    elif log.term_at(previous_index) != message.previous_term:
        _answer(raft, sender, message, success=False, index=previous_index)
        return
    if entries:
        _take_entries(raft, entries)
    if last_index > raft.matched:
        raft.matched = last_index
    if message.commit > raft.commit:
        commit_to(raft, message.commit)
    _answer(raft, sender, message, success=True, index=last_index)


def commit_to(raft: Raft, index: int) -> None:
    """Commit up to `index`, as far as this log is known to equal the leader's.

    Not while the base is awaited: the log may lose what is not durable when that comes.
    """
    index = min(raft.matched, index)
    if index > raft.commit and not raft.awaits_base:
        raft.commit = index


def _take_entries(raft: Raft, entries: tuple[Entry, ...]) -> None:
    log = raft.log
    for position, entry in enumerate(entries):
        if entry.index <= log.last_index:
            if log.term_at(entry.index) == entry.term:
                continue
            check(entry.index > raft.commit, "a committed entry would be replaced")
            log.truncate(entry.index)
            if raft.configuration_index >= entry.index:
                raft.recall_configuration()
                raft.schedule_campaign()
        for new in entries[position:]:
            log.append(new)
            if new.kind == KIND_CONFIGURATION:
                raft.adopt_configuration(decode(new.data), new.index)
        return


def _answer(raft: Raft, sender: str, message: AppendRequest, *, success: bool, index: int) -> None:
    hint_index = hint_term = 0
    if not success:
        hint_index, hint_term = raft.log.last_index_with_term_at_most(index, message.previous_term)
    raft.send(
        sender,
        AppendResponse(
            raft.term,
            contact.stamp_of(raft, message),
            success,
            index,
            hint_index,
            hint_term,
            raft.electable and not raft.snapshot_floor,
            raft.snapshot_floor,
        ),
        when_durable=True,
        durable_index=index if success else 0,
    )
