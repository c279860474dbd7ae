"""An answer without its record is noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.audit import AnswersAreRecorded
from sim.world import Question
from tests.sim.invariants.settled import Settled

REQUEST_ID = b"12345678-1234-1234-1234-123456789abc"
BODY = b'{"request_id":"' + REQUEST_ID + b'"}'
RECORD = b'{"time":"x","type":"response","auth":{},"request":{"id":"' + REQUEST_ID + b'","operation'


def _enable(settled: Settled, invariant: AnswersAreRecorded) -> Question:
    """Enable a device; return a question that is asked after that."""
    settled.answer(invariant, settled.question("update", "sys/audit/file", "root"), 204)
    settled.world.time_ns += 1
    return settled.question("read", "secret/data/a")


def test_an_answer_before_its_record(settled: Settled) -> None:
    invariant = AnswersAreRecorded()
    question = _enable(settled, invariant)

    with pytest.raises(Violated, match="without a record"):
        settled.answer(invariant, question, 200, BODY)


def test_the_record_of_the_request_is_not_enough(settled: Settled) -> None:
    invariant = AnswersAreRecorded()
    question = _enable(settled, invariant)
    lines = RECORD.replace(b"response", b"request")
    invariant.recorded(settled.world, settled.leader, lines)

    with pytest.raises(Violated, match="without a record"):
        settled.answer(invariant, question, 200, BODY)


def test_an_answer_after_its_record(settled: Settled) -> None:
    invariant = AnswersAreRecorded()
    question = _enable(settled, invariant)
    invariant.recorded(settled.world, settled.leader, RECORD)

    settled.answer(invariant, question, 200, BODY)


def test_without_a_device_nothing_is_recorded(settled: Settled) -> None:
    settled.answer(AnswersAreRecorded(), settled.question("read", "secret/data/a"), 200, BODY)
