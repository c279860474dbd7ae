"""Sending and receiving the base in chunks (Raft paper, section 7).

One chunk is under way at a time; it is answered once it is kept aside durably. Digests chain the
chunks, so that one that was lost, repeated or changed is noticed. The receiver replaces its base as
a whole, after the last chunk.
"""

import hashlib
from typing import Final

import msgspec

from core.check import check
from core.raft import contact
from core.raft.incoming import Incoming, StagedChunk
from core.raft.messages import (
    SNAPSHOT_DONE,
    SNAPSHOT_MORE,
    SNAPSHOT_REFUSED,
    SnapshotRequest,
    SnapshotResponse,
)
from core.raft.progress import Mode, Progress, SnapshotTransfer
from core.raft.state import Raft
from core.store.base import BaseMeta

DIGEST_BYTES: Final = 16

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]]).decode


def decode_content(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return the keys and values of a chunk."""
    return _decode(content)


# -- as leader --------------------------------------------------------------------------------


def start(raft: Raft, node: str, peer: Progress, now_ns: int) -> None:
    """Begin to send this peer the base, unless the base is not good enough for it yet."""
    meta = raft.base.meta
    if meta.index < peer.snapshot_floor or meta.index < raft.log.start_index:
        return
    peer.mode = Mode.SNAPSHOT
    peer.inflight.clear()
    peer.transfer = SnapshotTransfer(raft.stamp(now_ns), raft.base.pin())
    _prepare_chunk(raft, peer.transfer)
    feed(raft, node, peer, now_ns)


def feed(raft: Raft, node: str, peer: Progress, now_ns: int) -> None:
    """Send the chunk that is due, again if it went unanswered for too long."""
    transfer = peer.transfer
    if transfer is None or transfer.chunk is None:
        return
    if transfer.sent_ns == 0 or now_ns - transfer.sent_ns >= raft.settings.snapshot_retry_ns:
        transfer.sent_ns = now_ns
        assert isinstance(transfer.chunk, SnapshotRequest)
        raft.send(node, msgspec.structs.replace(transfer.chunk, stamp=raft.stamp(now_ns)))


def _prepare_chunk(raft: Raft, transfer: SnapshotTransfer) -> None:
    items: list[tuple[bytes, bytes]] = []
    size = 0
    last = True
    for key, value in transfer.pinned.iterate(transfer.position):
        if size >= raft.settings.snapshot_chunk_bytes:
            transfer.position = key
            last = False
            break
        items.append((key, value))
        size += len(key) + len(value)
    content = _encode(items)
    transfer.digest = _chain(transfer.digest, content)
    meta = transfer.pinned.meta
    transfer.chunk = SnapshotRequest(
        raft.term,
        0,
        transfer.snapshot,
        transfer.number,
        meta.index,
        meta.term,
        meta.configuration,
        meta.wall_ns,
        content,
        transfer.digest,
        last,
    )
    transfer.sent_ns = 0


def _chain(digest: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(digest + content, digest_size=DIGEST_BYTES).digest()


def on_snapshot_response(raft: Raft, sender: str, message: SnapshotResponse, now_ns: int) -> None:
    """Go on with the next chunk, end, or begin anew."""
    leadership = raft.leadership
    if message.term > raft.term:
        raft.follow(message.term, "", now_ns)
        return
    peer = leadership.peers.get(sender) if leadership is not None else None
    if leadership is None or peer is None or message.term < raft.term:
        return
    contact.acknowledge(leadership, sender, peer, message.stamp, now_ns)
    transfer = peer.transfer
    if transfer is None or message.snapshot != transfer.snapshot:
        return
    if message.outcome == SNAPSHOT_MORE:
        chunk = transfer.chunk
        assert isinstance(chunk, SnapshotRequest)
        if message.number == transfer.number + 1 and not chunk.last:
            transfer.number += 1
            _prepare_chunk(raft, transfer)
    else:
        peer.end_transfer()
        if message.outcome == SNAPSHOT_DONE:
            peer.snapshot_floor = 0
            peer.match = max(peer.match, message.index)
        peer.probe(max(peer.match, message.index) + 1)


# -- as follower ------------------------------------------------------------------------------


def on_snapshot_request(raft: Raft, sender: str, message: SnapshotRequest, now_ns: int) -> None:
    """Keep a chunk aside if it is the one that is expected."""
    if not contact.obey(raft, sender, message.term, now_ns):
        _answer(raft, sender, message, SNAPSHOT_REFUSED, 0, 0)
        return
    raft.wall(message.wall_ns)
    if message.index <= raft.commit and not raft.snapshot_floor:
        abandon(raft)
        _answer(raft, sender, message, SNAPSHOT_DONE, message.number, raft.commit)
        return
    if message.index < raft.snapshot_floor:
        # It would end before this log begins, and cut off what this node has acknowledged.
        _answer(raft, sender, message, SNAPSHOT_REFUSED, 0, 0)
        return
    incoming = raft.incoming
    if incoming is None or (incoming.term, incoming.snapshot) != (raft.term, message.snapshot):
        if incoming is not None and incoming.complete:
            return  # another snapshot is being put in place: the leader sends its own again
        if message.number != 0:
            _answer(raft, sender, message, SNAPSHOT_REFUSED, 0, 0)
            return
        meta = BaseMeta(message.index, message.last_term, message.configuration, message.wall_ns)
        incoming = raft.incoming = Incoming(sender, raft.term, message.snapshot, meta)
        raft.schedule_campaign()
    if message.number < incoming.staged and not incoming.complete:
        _answer(raft, sender, message, SNAPSHOT_MORE, message.number + 1, 0)
        return
    if message.number != incoming.expected or incoming.complete:
        return
    digest = _chain(incoming.digest, message.content)
    if digest != message.digest:
        return  # damaged on the way: the leader sends it again
    incoming.digest = digest
    incoming.expected += 1
    incoming.stamp = message.stamp
    incoming.complete = message.last
    raft.staged_chunks.append(StagedChunk(message.snapshot, message.number, message.content))


def abandon(raft: Raft) -> None:
    """Give up a snapshot that is not needed any more, unless it is being put in place."""
    if raft.incoming is not None and not raft.incoming.complete:
        raft.incoming = None
        raft.schedule_campaign()


def staged(raft: Raft, snapshot: int, number: int) -> BaseMeta | None:
    """Take note that a chunk is kept aside; return the meta of the base if it was the last."""
    incoming = raft.incoming
    if incoming is None or incoming.snapshot != snapshot:
        return None
    incoming.staged = number + 1
    incoming.staged_digest = incoming.digest
    if incoming.complete and number == incoming.expected - 1:
        return incoming.meta
    raft.send(
        incoming.leader,
        SnapshotResponse(raft.term, incoming.stamp, snapshot, number + 1, SNAPSHOT_MORE, 0),
        when_durable=True,
    )
    return None


def refused(raft: Raft, snapshot: int, number: int) -> None:
    """Take note that there was no room for a chunk: the leader will send it again."""
    incoming = raft.incoming
    if incoming is not None and incoming.snapshot == snapshot:
        incoming.expected = number
        incoming.digest = incoming.staged_digest
        incoming.complete = False


def keeps_suffix(raft: Raft, meta: BaseMeta) -> bool:
    """Tell whether the log goes on behind the snapshot, so that nothing of it is void.

    The log on disk must do so: what is not durable yet may be about to replace other entries,
    and those would stand behind the new base after a crash.
    """
    log = raft.log
    if meta.index == log.start_index:
        return True  # what precedes the window is committed, hence the same
    return meta.index <= log.stable_index and log.term_at(meta.index) == meta.term


def prepare_replacement(raft: Raft, meta: BaseMeta) -> bool:
    """Tell whether what the log holds on disk is void once the snapshot is the base.

    If so the log takes leave of what is not durable, which nobody was told of: until the base is
    in place nothing may make it durable after all.
    """
    log = raft.log
    if keeps_suffix(raft, meta):
        return False
    if log.stable_index < log.last_index:
        log.truncate(log.stable_index + 1)
    return True


def replaced(raft: Raft, snapshot: int) -> None:
    """Take up the log where the new base stands."""
    incoming = raft.incoming
    check(incoming is not None and incoming.snapshot == snapshot, "an unexpected new base")
    assert incoming is not None
    meta = raft.base.meta
    if keeps_suffix(raft, meta):
        if meta.index == raft.log.start_index:
            raft.log.start_term = meta.term
        raft.log.compact(min(meta.index, raft.log.stable_index))
    else:
        raft.log.reset(meta.index, meta.term)
        raft.matched = 0
    raft.commit = max(raft.commit, meta.index)
    raft.snapshot_floor = 0
    raft.incoming = None
    raft.recall_configuration()
    raft.schedule_campaign()
    if incoming.term == raft.term:
        raft.send(
            incoming.leader,
            SnapshotResponse(
                raft.term, incoming.stamp, snapshot, incoming.expected, SNAPSHOT_DONE, meta.index
            ),
            when_durable=True,
        )


def _answer(
    raft: Raft, receiver: str, message: SnapshotRequest, outcome: int, number: int, index: int
) -> None:
    raft.send(
        receiver,
        SnapshotResponse(
            raft.term,
            contact.stamp_of(raft, message),
            message.snapshot,
            number,
            outcome,
            index,
        ),
        when_durable=True,
        durable_index=index,
    )
