"""What clients do with tokens that end."""

import msgspec
import pytest

from core.moment import NANOSECONDS_PER_SECOND
from core.request import Response
from sim.invariants import Invariant
from sim.invariants.tokens import CREATE_ORPHAN_PATH, CREATE_PATHS
from sim.plan import Plan
from sim.run import Run
from sim.token_clients import UnexpectedTokenAnswer
from sim.world import Question, World

PLAN = Plan(
    seed=1,
    nodes=("n1",),
    faults=(),
    healed_at_ns=40 * NANOSECONDS_PER_SECOND,
    ends_at_ns=48 * NANOSECONDS_PER_SECOND,
)


def _asked(plan: Plan) -> tuple[Run, list[Question]]:
    """Return a run that has not begun, and where its questions will gather."""
    questions: list[Question] = []

    class Gathering(Invariant):
        """Lets nothing be broken; it only listens."""

        def asked(self, _world: World, question: Question) -> None:
            """Keep it."""
            questions.append(question)

    return Run(plan, invariants=(Gathering,)), questions


@pytest.mark.slow
def test_tokens_of_all_kinds_are_made() -> None:
    running, asked = _asked(PLAN)
    result = running.go()
    creations = [question for question in asked if question.request.path in CREATE_PATHS]
    bodies = [msgspec.json.decode(question.request.body) for question in creations]
    root = running.operators.root_token

    assert result.failure == ""
    assert any(body.get("num_uses") for body in bodies)
    assert any(body.get("ttl") for body in bodies)
    assert any(question.request.path == CREATE_ORPHAN_PATH for question in creations)
    assert any(question.request.token not in ("", root) for question in creations)


def test_an_answer_that_no_right_cluster_gives() -> None:
    running, asked = _asked(PLAN)
    running.token_clients.begin("root", PLAN.healed_at_ns)
    running.world.run(NANOSECONDS_PER_SECOND)

    with pytest.raises(UnexpectedTokenAnswer, match="418"):
        asked[0].done(Response(418, b""))
