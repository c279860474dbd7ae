"""Changes of membership: when one may be proposed, and who is ready to vote."""

import pytest

from core.raft import membership
from core.raft.configuration import Configuration, Member
from core.raft.progress import Mode
from tests.core.raft.script import Player


def played(*commands: str) -> Player:
    player = Player()
    for command in commands:
        player.play(command)
    return player


def test_only_a_leader_changes_the_membership() -> None:
    raft = played("cluster a b").cluster.machines["a"].running

    assert not membership.may_change(raft)
    assert "" == membership.caught_up_learner(raft)


def test_nobody_changes_the_membership_while_handing_over() -> None:
    player = played("cluster a b c", "elect a", "due a", "settle", "hold a>b")
    raft = player.cluster.machines["a"].running

    assert membership.may_change(raft)
    player.play("transfer a")
    assert not membership.may_change(raft)


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (("cluster a b +d", "elect a"), "d"),
        (("cluster a b +d", "cut d", "elect a"), ""),
        (("cluster a b +d", "elect a", "cut d", "propose a x", "settle"), ""),
        (("cluster a b", "elect a"), ""),
    ],
    ids=["it has all", "it has not answered", "it lags", "there is none"],
)
def test_a_learner_that_has_caught_up_is_promoted(commands: tuple[str, ...], expected: str) -> None:
    raft = played(*commands).cluster.machines["a"].running

    assert expected == membership.caught_up_learner(raft)


def test_who_stays_a_learner_is_never_promoted() -> None:
    player = played("cluster a b +c +d", "elect a")
    raft = player.cluster.machines["a"].running
    stays = Member("c", "c:8201", "http://c:8200", stays_learner=True)
    membership.propose(raft, raft.configuration.with_learner("c", stays))
    player.play("due a")
    player.play("settle")

    assert Mode.REPLICATE == peer_mode(player, "c")
    assert "d" == membership.caught_up_learner(raft)


def peer_mode(player: Player, peer: str) -> Mode:
    leadership = player.cluster.machines["a"].running.leadership
    assert leadership is not None
    return leadership.peers[peer].mode


def test_the_first_node_assumes_itself() -> None:
    player = played("cluster new a", "bootstrap a")
    raft = player.cluster.machines["a"].running

    member = Member("a", "a:8201", "http://a:8200")
    assert Configuration(("a",), (), (), {"a": member}) == raft.configuration
