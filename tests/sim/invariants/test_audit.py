"""An answer without its record is noticed."""

import pytest

from sim.invariants import Violated
from sim.invariants.audit import AnswersAreRecorded
from sim.world import Question
from tests.sim.invariants.settled import Settled

REQUEST_ID = b"12345678-1234-1234-1234-123456789abc"
BODY = b'{"request_id":"' + REQUEST_ID + b'"}'
REQUEST_RECORD = b'{"time":"x","type":"request","auth":{},"request":{"id":"' + REQUEST_ID + b'"}\n'
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
    invariant.recorded(settled.world, settled.leader, REQUEST_RECORD, b"")

    with pytest.raises(Violated, match="without a record"):
        settled.answer(invariant, question, 200, BODY)


def test_an_answer_after_its_record(settled: Settled) -> None:
    invariant = AnswersAreRecorded()
    question = _enable(settled, invariant)
    invariant.recorded(settled.world, settled.leader, REQUEST_RECORD, b"")
    invariant.recorded(settled.world, settled.leader, RECORD, b"")

    settled.answer(invariant, question, 200, BODY)


def test_an_answer_whose_request_was_not_recorded(settled: Settled) -> None:
    invariant = AnswersAreRecorded()
    question = _enable(settled, invariant)
    invariant.recorded(settled.world, settled.leader, RECORD, b"")

    with pytest.raises(Violated, match="without a record of the request"):
        settled.answer(invariant, question, 200, BODY)


@pytest.mark.parametrize("refused", [b"", RECORD], ids=["kept", "refused"])
def test_what_could_not_be_recorded_is_not_run(settled: Settled, refused: bytes) -> None:
    invariant = AnswersAreRecorded()
    invariant.recorded(settled.world, settled.leader, b"", REQUEST_RECORD)

    with pytest.raises(Violated, match="has run"):
        invariant.recorded(settled.world, settled.leader, RECORD, refused)


def test_one_of_two_files_is_enough(settled: Settled) -> None:
    invariant = AnswersAreRecorded()
    question = _enable(settled, invariant)
    invariant.recorded(settled.world, settled.leader, REQUEST_RECORD, REQUEST_RECORD)
    invariant.recorded(settled.world, settled.leader, RECORD, RECORD)

    settled.answer(invariant, question, 200, BODY)


def test_a_read_is_recorded_after_it_was_run(settled: Settled) -> None:
    invariant = AnswersAreRecorded()
    lines = REQUEST_RECORD + RECORD

    invariant.recorded(settled.world, settled.leader, b"", lines)


def test_without_a_device_nothing_is_recorded(settled: Settled) -> None:
    settled.answer(AnswersAreRecorded(), settled.question("read", "secret/data/a"), 200, BODY)
