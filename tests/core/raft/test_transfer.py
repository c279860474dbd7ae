"""Handing leadership over: the ways that a script does not reach."""

from core.moment import NEVER
from core.raft import dispatch, membership, transfer
from core.raft.messages import TimeoutNow
from core.raft.state import Raft, Role
from tests.core.raft.script import Player


def opened(*commands: str) -> tuple[Player, Raft]:
    player = Player()
    for command in ("cluster a b c", *commands):
        player.play(command)
    return player, player.cluster.machines["a"].running


def test_a_follower_hands_nothing_over() -> None:
    _, raft = opened()

    assert not transfer.start(raft, 0)
    assert not transfer.is_under_way(raft)
    transfer.give_up(raft)
    assert NEVER != raft.deadline_ns


def test_a_successor_that_is_removed_is_none_any_more() -> None:
    player, raft = opened("elect a", "due a", "settle", "cut b", "propose a x", "settle")
    player.play("electable c no")
    player.play("due a")
    player.play("settle")
    player.play("transfer a")
    assert transfer.is_under_way(raft)
    membership.propose(raft, raft.configuration.without("b"))
    dispatch.finish_turn(raft, player.cluster.now_ns)

    assert not transfer.is_under_way(raft)


def test_only_the_leader_of_the_term_is_obeyed() -> None:
    player, _ = opened("elect a", "due a", "settle")
    raft = player.cluster.machines["b"].running
    for sender, term in (("c", raft.term), ("a", raft.term - 1), ("a", raft.term + 1)):
        dispatch.step(raft, sender, TimeoutNow(term), player.cluster.now_ns)

        assert Role.FOLLOWER == raft.role

    dispatch.step(raft, "a", TimeoutNow(raft.term), player.cluster.now_ns)
    assert Role.CANDIDATE == raft.role
