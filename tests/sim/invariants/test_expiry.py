"""A token that is good for too long, or not long enough, is noticed."""

import pytest

from core.moment import NANOSECONDS_PER_SECOND
from core.node.messages import Forwarded
from core.request import Operation
from sim.faults import ClockJump
from sim.invariants import Violated
from sim.invariants.expiry import SWEPT_NS, TokensExpire
from sim.invariants.tokens import CREATE_ORPHAN_PATH, CREATE_PATH
from tests.sim.invariants.settled import Settled, append, raft_of

SECOND = NANOSECONDS_PER_SECOND
TTL_S = 3


class _Scene:
    """A cluster at rest and the invariant that watches it."""

    def __init__(self, settled: Settled) -> None:
        self.settled = settled
        self.invariant = TokensExpire()
        settled.show(self.invariant)

    def ask(self, token: str, status: int, path: str = "secret/data/a", body: bytes = b"") -> None:
        """Have a request asked and answered at once."""
        operation: Operation = "read" if path.startswith("secret") else "update"
        question = self.settled.question(operation, path, token, b"{}" if body else b"")
        self.invariant.asked(self.settled.world, question)
        self.settled.answer(self.invariant, question, status, body)

    def create(
        self, token: str, ttl_s: int = TTL_S, parent: str = "root", path: str = CREATE_PATH
    ) -> None:
        """Have a token created."""
        body = b'{"auth":{"client_token":"%s","lease_duration":%d}}' % (token.encode(), ttl_s)
        self.ask(parent, 200, path, body)

    def pass_time(self, seconds: float) -> None:
        """Let all clocks go on; leaders see theirs."""
        world = self.settled.world
        world.time_ns += int(seconds * SECOND)
        raft = raft_of(self.settled.leader)
        raft.wall(self.settled.leader.clock.now(world.time_ns).wall_ns)

    def commit(self) -> None:
        """Let the leader commit an entry that has its clock's stamp."""
        append(self.settled.leader)
        raft_of(self.settled.leader).commit += 1
        self.settled.look(self.invariant, self.settled.leader)


@pytest.fixture
def scene(settled: Settled) -> _Scene:
    """Return a cluster at rest, watched."""
    return _Scene(settled)


def test_a_use_in_time(scene: _Scene) -> None:
    scene.create("t")
    scene.pass_time(TTL_S - 1)

    scene.ask("t", 200)


def test_a_use_past_the_end(scene: _Scene) -> None:
    scene.create("t")
    scene.pass_time(TTL_S + 1)

    with pytest.raises(Violated, match="expired before"):
        scene.ask("t", 404)


def test_a_use_past_the_end_as_the_log_has_it(scene: _Scene) -> None:
    """However slow the clocks of others are."""
    scene.create("t")
    raft = raft_of(scene.settled.leader)
    raft.wall(raft.wall_ns + 5 * SECOND)
    scene.commit()

    with pytest.raises(Violated, match="expired before"):
        scene.ask("t", 200)


def test_a_use_that_was_asked_for_in_time(scene: _Scene) -> None:
    scene.create("t")
    question = scene.settled.question("read", "secret/data/a", "t")
    scene.invariant.asked(scene.settled.world, question)
    scene.pass_time(TTL_S + 1)

    scene.settled.answer(scene.invariant, question, 200)


def test_clocks_that_jump_meanwhile_say_nothing(scene: _Scene) -> None:
    scene.create("t")
    scene.pass_time(TTL_S + 1)
    question = scene.settled.question("read", "secret/data/a", "t")
    scene.invariant.asked(scene.settled.world, question)
    jump = ClockJump(at_ns=0, for_ns=0, nodes=("n1",), by_ns=-60 * SECOND)
    scene.settled.leader.clock.begin(jump, scene.settled.world.time_ns)

    scene.settled.answer(scene.invariant, question, 200)


def test_a_refusal_in_time(scene: _Scene) -> None:
    scene.create("t")
    scene.pass_time(TTL_S - 1)

    with pytest.raises(Violated, match="has not ended"):
        scene.ask("t", 403)


def test_a_refusal_past_the_end(scene: _Scene) -> None:
    scene.create("t")
    scene.pass_time(TTL_S + 1)

    scene.ask("t", 403)


def test_a_refusal_by_a_leader_whose_clock_nobody_else_has_seen(scene: _Scene) -> None:
    scene.create("t")
    raft = raft_of(scene.settled.leader)
    wall_ns, raft.wall_ns = raft.wall_ns, raft.wall_ns + 5 * SECOND
    answer = Forwarded(1, 1, None)
    scene.invariant.sent(scene.settled.world, scene.settled.leader, "n2", answer)
    raft.wall_ns = wall_ns

    scene.ask("t", 403)


def test_a_refusal_of_a_token_that_lasts(scene: _Scene) -> None:
    scene.create("t", ttl_s=30 * 24 * 3600)
    scene.pass_time(TTL_S)

    with pytest.raises(Violated, match="has not ended"):
        scene.ask("t", 403)


def test_a_refusal_of_a_revoked_token_and_of_its_child(scene: _Scene) -> None:
    scene.create("t")
    scene.create("child", parent="t")
    question = scene.settled.question("update", "auth/token/revoke", "root", b'{"token":"t"}')
    scene.invariant.asked(scene.settled.world, question)

    scene.ask("t", 403)
    scene.ask("child", 403)


def test_a_refusal_of_an_orphan(scene: _Scene) -> None:
    scene.create("t")
    scene.create("orphan", 60, "t", CREATE_ORPHAN_PATH)
    scene.pass_time(TTL_S + 1)

    with pytest.raises(Violated, match="has not ended"):
        scene.ask("orphan", 403)


def test_a_refusal_of_a_child_whose_parent_has_expired(scene: _Scene) -> None:
    scene.create("t")
    scene.create("child", 60, "t")
    scene.pass_time(TTL_S - 1)
    scene.ask("child", 200)
    scene.pass_time(2)

    scene.ask("child", 403)


def _work(scene: _Scene, seconds: int) -> None:
    for _ in range(seconds):
        scene.pass_time(1)
        scene.commit()


def test_a_child_that_outlives_its_parent(scene: _Scene) -> None:
    scene.create("t")
    scene.create("child", 60, "t")
    _work(scene, TTL_S + 1)
    scene.ask("child", 200)  # the sweep may be late
    _work(scene, SWEPT_NS // SECOND + 1)

    with pytest.raises(Violated, match="outlive its parent"):
        scene.ask("child", 200)


def test_a_leader_that_was_held_up_may_not_have_swept(scene: _Scene) -> None:
    scene.create("t")
    scene.create("child", 60, "t")
    _work(scene, TTL_S + 1)
    scene.pass_time(SWEPT_NS / SECOND)
    scene.commit()

    scene.ask("child", 200)


def test_a_token_with_a_number_of_uses_may_end_at_any_time(scene: _Scene) -> None:
    body = b'{"auth":{"client_token":"t","lease_duration":3}}'
    question = scene.settled.question("update", CREATE_PATH, "root", b'{"num_uses":1}')
    scene.invariant.asked(scene.settled.world, question)
    scene.settled.answer(scene.invariant, question, 200, body)

    scene.ask("t", 403)


def test_who_has_crashed_has_no_clock(scene: _Scene) -> None:
    scene.create("t")
    scene.settled.follower.node = None
    scene.invariant.sent(scene.settled.world, scene.settled.follower, "n1", Forwarded(1, 1, None))
    scene.pass_time(TTL_S + 1)

    scene.ask("t", 403)
