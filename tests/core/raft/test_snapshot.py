"""Sending the base: what has to do with no transfer that is under way."""

import hashlib

import pytest
from msgspec.structs import replace

from core.check import InvariantBroken
from core.raft import dispatch, snapshot
from core.raft.entry import KIND_EMPTY, Entry
from core.raft.messages import (
    SNAPSHOT_MORE,
    SNAPSHOT_REFUSED,
    AppendRequest,
    ReadIndexResponse,
    SnapshotRequest,
    SnapshotResponse,
)
from core.raft.progress import Mode, Progress
from core.raft.state import Raft
from core.store.base import BaseMeta
from tests.core.raft.script import Player

LAGGING = (
    "settings snapshot_chunk_bytes=12",
    "cluster a b c",
    "cut c",
    "elect a",
    "propose a one two",
    "settle",
    "flush a",
    "compact a 4",
    "heal",
)
"""c lacks what the leader has only in its base, of two chunks."""


def lagging() -> Player:
    player = Player()
    for command in LAGGING:
        player.play(command)
    return player


def running(player: Player, name: str) -> Raft:
    return player.cluster.machines[name].running


def chunk_of(player: Player) -> SnapshotRequest:
    message = player.cluster.links["a", "c"][-1].message
    assert isinstance(message, SnapshotRequest)
    return message


def test_where_nothing_is_sent_nothing_is_fed() -> None:
    player = lagging()
    raft = running(player, "a")
    before = list(raft.outbox)
    snapshot.feed(raft, "c", Progress(match=0, next=1, mode=Mode.SNAPSHOT), 0)

    assert before == raft.outbox


def test_an_answer_about_another_transfer_is_dropped() -> None:
    player = lagging()
    player.play("due a")
    raft = running(player, "a")
    assert raft.leadership is not None
    peer = raft.leadership.peers["c"]
    transfer = peer.transfer
    for outcome in (SNAPSHOT_MORE, SNAPSHOT_REFUSED):
        other = chunk_of(player).snapshot + 1
        dispatch.step(raft, "c", SnapshotResponse(raft.term, 1, other, 1, outcome, 0), 0)

    assert transfer is peer.transfer
    assert transfer is not None
    assert 0 == transfer.number


@pytest.mark.parametrize("number", [0, 2], ids=["repeated", "ahead"])
def test_an_answer_about_another_chunk_is_dropped(number: int) -> None:
    player = lagging()
    player.play("due a")
    raft = running(player, "a")
    assert raft.leadership is not None
    message = SnapshotResponse(raft.term, 1, chunk_of(player).snapshot, number, SNAPSHOT_MORE, 0)
    dispatch.step(raft, "c", message, 0)

    transfer = raft.leadership.peers["c"].transfer
    assert transfer is not None
    assert 0 == transfer.number


def test_a_chunk_ahead_of_what_is_expected_is_dropped() -> None:
    player = lagging()
    for command in ("due a", "repeat a>c"):
        player.play(command)
    chunk = chunk_of(player)
    raft = running(player, "c")
    before = raft.incoming
    dispatch.step(raft, "a", replace(chunk, number=2), player.cluster.now_ns)

    assert before is raft.incoming
    assert raft.incoming is not None
    assert (1, []) == (raft.incoming.expected, raft.staged_chunks)


def test_a_chunk_of_a_snapshot_that_was_given_up_is_kept_aside_in_vain() -> None:
    raft = running(lagging(), "c")

    assert snapshot.staged(raft, 7, 0) is None
    assert [] == raft.outbox


def test_a_base_that_nobody_sent_stops_the_node() -> None:
    with pytest.raises(InvariantBroken):
        snapshot.replaced(running(lagging(), "c"), 7)


def test_a_log_goes_on_behind_a_snapshot_only_where_it_is_the_same() -> None:
    """Bugs 33 and 36."""
    raft = running(lagging(), "a")

    metas = [BaseMeta(*place) for place in ((3, 2), (4, 2), (5, 2), (4, 3), (9, 2))]
    assert [False, True, False, True, False] == [
        snapshot.keeps_suffix(raft, each) for each in metas
    ]


def test_a_log_that_is_not_durable_does_not_go_on_behind_a_snapshot() -> None:
    """On disk there may still be what it is about to replace."""
    player = lagging()
    for command in ("disk b by hand", "propose a three", "settle"):
        player.play(command)
    raft = running(player, "b")
    end = raft.log.last_index, raft.log.last_term
    assert raft.log.stable_index < raft.log.last_index
    assert not snapshot.keeps_suffix(raft, BaseMeta(*end))
    player.play("disk b at once")

    assert snapshot.keeps_suffix(raft, BaseMeta(*end))


def test_a_snapshot_of_an_earlier_term_is_given_up_though_its_sender_leads_again() -> None:
    """The sender has forgotten it, and would take the stamp in an answer for one of this term."""
    player = lagging()
    player.play("disk c by hand")
    player.play("due a")
    chunk = chunk_of(player)
    raft = running(player, "c")
    now_ns = player.cluster.now_ns
    dispatch.step(raft, "a", replace(chunk, stamp=10**18), now_ns)
    begun = raft.incoming is not None
    dispatch.step(raft, "a", AppendRequest(chunk.term + 1, 9, 2, 0, 1, 0, ()), now_ns)
    raft.outbox = []
    staged = snapshot.staged(raft, chunk.snapshot, chunk.number)

    assert (True, None, None, []) == (begun, raft.incoming, staged, raft.outbox)


def test_a_base_in_place_is_not_announced_to_the_leader_of_a_later_term() -> None:
    """It asks anew, and is answered then."""
    player = lagging()
    player.play("due a")
    chunk = replace(chunk_of(player), last=True, stamp=10**18)
    machine = player.cluster.machines["c"]
    machine.by_hand = True
    raft = machine.running
    now_ns = player.cluster.now_ns
    dispatch.step(raft, "a", chunk, now_ns)
    dispatch.step(raft, "a", AppendRequest(chunk.term + 1, 9, 2, 0, 1, 0, ()), now_ns)
    raft.outbox = []
    meta = snapshot.staged(raft, chunk.snapshot, chunk.number)
    assert meta is not None
    machine.base.replace(meta, ())
    snapshot.replaced(raft, chunk.snapshot)

    assert ([], meta.index) == (raft.outbox, raft.commit)


def test_nothing_is_committed_while_the_base_is_awaited() -> None:
    """The log may be about to lose it, as it is not durable."""
    player = lagging()
    player.play("due a")
    chunk = replace(chunk_of(player), last=True)
    player.play("disk c by hand")
    raft = running(player, "c")
    now_ns = player.cluster.now_ns
    before = raft.commit
    entries = tuple(Entry(index, chunk.term, KIND_EMPTY, 0) for index in range(2, 7))
    dispatch.step(raft, "a", AppendRequest(chunk.term, 1, 1, 0, 1, 0, entries), now_ns)
    dispatch.step(raft, "a", chunk, now_ns)
    dispatch.step(raft, "a", ReadIndexResponse(1, chunk.term, 6, 0, confirmed=True), now_ns)

    assert (6, before) == (raft.matched, raft.commit)


def test_a_chunk_that_could_not_be_kept_aside_is_taken_when_it_comes_again() -> None:
    player = lagging()
    player.play("due a")
    first = chunk_of(player)
    raft = running(player, "c")
    last = replace(first, number=1, content=b"\x90", last=True)
    last = replace(last, digest=chained(first.digest, last.content))
    snapshot.refused(raft, first.snapshot, 0)  # nothing is coming in yet
    for chunk in (first, last):
        for attempt in range(2):
            raft.staged_chunks = []
            dispatch.step(raft, "a", chunk, player.cluster.now_ns)
            assert [chunk.number] == [staged.number for staged in raft.staged_chunks]
            if attempt == 0:
                snapshot.refused(raft, first.snapshot + 1, chunk.number)
                snapshot.refused(raft, first.snapshot, chunk.number)
        meta = snapshot.staged(raft, first.snapshot, chunk.number)
        assert chunk.last == (meta is not None)


def test_a_chunk_that_is_repeated_is_answered_once_it_is_kept_aside() -> None:
    """Else the leader goes on to the next chunk, and this one may be refused for want of room."""
    player = lagging()
    player.play("disk c by hand")
    player.play("due a")
    chunk = chunk_of(player)
    raft = running(player, "c")
    for _ in range(2):
        dispatch.step(raft, "a", chunk, player.cluster.now_ns)
    assert [] == raft.outbox

    snapshot.refused(raft, chunk.snapshot, 0)
    dispatch.step(raft, "a", chunk, player.cluster.now_ns)
    snapshot.staged(raft, chunk.snapshot, 0)
    dispatch.step(raft, "a", chunk, player.cluster.now_ns)
    answers = [outgoing.message for outgoing in raft.outbox]

    assert [(1, SNAPSHOT_MORE)] * 2 == [
        (answer.number, answer.outcome)
        for answer in answers
        if isinstance(answer, SnapshotResponse)
    ]


def chained(digest: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(digest + content, digest_size=snapshot.DIGEST_BYTES).digest()
