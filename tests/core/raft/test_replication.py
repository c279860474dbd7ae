"""Replication: what no honest peer sends, and what is only there for an honest mistake."""

import pytest

from core.check import InvariantBroken
from core.raft import dispatch, replication
from core.raft.entry import KIND_WRITES, Entry
from core.raft.messages import (
    AppendRequest,
    AppendResponse,
    ReadIndexResponse,
    SnapshotResponse,
    TimeoutNow,
)
from core.raft.state import Raft, Role
from tests.core.raft.script import Player

NOW_NS = 10**10


def opened(*commands: str) -> Raft:
    player = Player()
    for command in ("cluster a b c", *commands):
        player.play(command)
    return player.cluster.machines["a"].running


def append(term: int, previous: tuple[int, int], *entries: Entry, commit: int = 0) -> AppendRequest:
    return AppendRequest(term, *previous, commit, 1, 0, entries)


def answer(term: int, index: int) -> AppendResponse:
    return AppendResponse(
        term,
        stamp=1,
        success=True,
        index=index,
        hint_index=0,
        hint_term=0,
        electable=True,
        snapshot_floor=0,
    )


def test_an_answer_to_an_earlier_term_promises_nothing() -> None:
    """A leader whose clock began anew would hold a lease for as long as its machine once ran."""
    player = Player()
    for command in ("cluster a b c", "wait 999999", "elect a", "hold a>b", "due a"):
        player.play(command)
    before_ns = player.cluster.now_ns
    for name in "abc":
        player.play(f"crash {name}")
    player.cluster.now_ns = NOW_NS
    for command in ("restart a", "restart b", "restart c", "free a>b"):
        player.play(command)
    late = player.cluster.links.pop(("a", "b"))
    player.play("elect a")
    assert before_ns > 2 * player.cluster.now_ns
    player.cluster.links["a", "b"] = late
    for command in ("wait 9000", "settle", "lease a"):
        events = player.play(command)

    assert ["a holds no lease"] == events


def test_only_a_leader_replicates() -> None:
    raft = opened()
    replication.replicate(raft, NOW_NS)
    replication.advance_commit(raft, NOW_NS)

    assert ([], 1) == (raft.outbox, raft.commit)
    with pytest.raises(InvariantBroken):
        replication.heartbeat(raft, NOW_NS)


def test_a_leader_that_learns_a_newer_term_appends_nothing_more() -> None:
    """Bug 8: there is no moment at which it has the new term and the old office."""
    raft = opened("elect a")
    dispatch.step(raft, "b", answer(raft.term + 1, 0), NOW_NS)

    assert raft.leadership is None
    with pytest.raises(InvariantBroken):
        raft.append(KIND_WRITES, b"x")


def test_a_second_leader_of_a_term_stops_this_node() -> None:
    raft = opened("elect a")

    with pytest.raises(InvariantBroken):
        dispatch.step(raft, "b", append(raft.term, (2, 2)), NOW_NS)


def test_a_second_leader_stops_a_follower_of_the_first() -> None:
    raft = opened("elect b")

    with pytest.raises(InvariantBroken):
        dispatch.step(raft, "c", append(raft.term, (2, 2)), NOW_NS)


def test_a_committed_entry_is_never_replaced() -> None:
    raft = opened()
    entries = [Entry(index, 2, KIND_WRITES, 0, b"x") for index in (2, 3)]
    dispatch.step(raft, "b", append(2, (1, 1), *entries, commit=3), NOW_NS)
    assert 3 == raft.commit
    other = [Entry(index, 3, KIND_WRITES, 0, b"y") for index in (2, 3, 4)]
    dispatch.step(raft, "b", append(3, (1, 1), *other), NOW_NS)

    assert [2, 2, 3] == [raft.log.term_at(index) for index in (2, 3, 4)]


def test_a_peer_that_has_more_than_its_leader_stops_the_leader() -> None:
    raft = opened("elect a")

    with pytest.raises(InvariantBroken):
        dispatch.step(raft, "b", answer(raft.term, 9), NOW_NS)


def test_an_answer_of_an_older_term_or_of_a_stranger_is_dropped() -> None:
    """Bug 3; the snapshot's answers are judged alike."""
    raft = opened("elect a", "propose a x")
    for sender, term in (("b", raft.term - 1), ("z", raft.term)):
        dispatch.step(raft, sender, answer(term, 3), NOW_NS)
        dispatch.step(raft, sender, SnapshotResponse(term, 1, 1, 1, 1, 3), NOW_NS)

    leadership = raft.leadership
    assert leadership is not None
    assert (2, 2, ["b", "c"]) == (raft.commit, leadership.peers["b"].match, list(leadership.peers))


@pytest.mark.parametrize("message", [answer(5, 1), SnapshotResponse(5, 1, 1, 1, 1, 3)])
def test_a_newer_term_is_learned_from_any_answer(
    message: AppendResponse | SnapshotResponse,
) -> None:
    for commands in ((), ("elect a",)):
        raft = opened(*commands)
        dispatch.step(raft, "b", message, NOW_NS)

        assert (5, Role.FOLLOWER, "") == (raft.term, raft.role, raft.leader)


def test_an_answer_to_a_leader_that_is_none_any_more_says_nothing_else() -> None:
    raft = opened("elect a", "electable a no")
    term = raft.term
    dispatch.step(raft, "b", answer(term, 1), NOW_NS)

    assert (term, Role.FOLLOWER) == (raft.term, raft.role)


@pytest.mark.parametrize("message", [TimeoutNow(2), ReadIndexResponse(1, 2, 9, 0, confirmed=True)])
def test_what_a_leader_has_no_use_for_is_dropped(message: TimeoutNow | ReadIndexResponse) -> None:
    raft = opened("elect a")
    dispatch.step(raft, "b", message, NOW_NS)

    assert (Role.LEADER, 2, []) == (raft.role, raft.term, raft.confirmed_reads)
