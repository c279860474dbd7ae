"""A read of an older state is noticed."""

import pytest

from core import effects
from core.request import Response
from sim.invariants import Violated
from sim.invariants.freshness import AnswersAreFresh
from tests.sim.invariants.settled import Settled


def _read(settled: Settled, invariant: AnswersAreFresh, status: int, token: str = "") -> None:
    """Let the follower answer from a state that lacks one entry."""
    assert settled.follower.node is not None
    question = settled.question("read", "secret/data/a", token)
    invariant.asked(settled.world, question)
    settled.follower.node.store.applied_index -= 1
    effect = effects.Answer(question.handle, Response(status))
    invariant.answered(settled.world, settled.follower, question, effect)


def test_a_stale_read(settled: Settled) -> None:
    invariant = AnswersAreFresh()
    settled.show(invariant)

    with pytest.raises(Violated, match="was committed when it asked"):
        _read(settled, invariant, 200)


def test_a_refusal_shows_no_state(settled: Settled) -> None:
    invariant = AnswersAreFresh()
    settled.show(invariant)

    _read(settled, invariant, 503)


def test_a_use_limited_token_is_answered_by_the_leader(settled: Settled) -> None:
    invariant = AnswersAreFresh()
    settled.show(invariant)
    creation = settled.question("update", "auth/token/create", "root", b'{"num_uses":1}')
    settled.answer(
        invariant, creation, 200, b'{"auth":{"client_token":"limited","lease_duration":2764800}}'
    )

    _read(settled, invariant, 200, "limited")


def _refuse(settled: Settled, invariant: AnswersAreFresh, path: str, status: int) -> None:
    """Let the leader refuse from a state that lacks one entry."""
    assert settled.leader.node is not None
    question = settled.question("update", path)
    question.node = settled.leader.name
    invariant.asked(settled.world, question)
    settled.leader.node.store.applied_index -= 1
    settled.answer(invariant, question, status)


def test_a_stale_refusal(settled: Settled) -> None:
    invariant = AnswersAreFresh()
    settled.show(invariant)

    with pytest.raises(Violated, match="was committed when it asked"):
        _refuse(settled, invariant, "secret/data/a", 400)


@pytest.mark.parametrize(
    ("path", "status"), [("secret/data/a", 503), ("secret/data/a", 500), ("sys/seal", 204)]
)
def test_what_shows_no_state(settled: Settled, path: str, status: int) -> None:
    invariant = AnswersAreFresh()
    settled.show(invariant)

    _refuse(settled, invariant, path, status)


def test_what_was_passed_on_to_another_leader(settled: Settled) -> None:
    invariant = AnswersAreFresh()
    settled.show(invariant)
    assert settled.leader.node is not None
    question = settled.question("update", "secret/data/a")
    question.node = settled.follower.name
    invariant.asked(settled.world, question)
    settled.leader.node.store.applied_index -= 1

    settled.answer(invariant, question, 400)
