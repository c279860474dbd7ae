"""Reads that wait for a read index, without the node around them."""

from typing import cast

import pytest

from core.effects import Effect, Send
from core.moment import NEVER
from core.node.reading import ReadQueue
from core.node.waiting import Waiting
from core.raft.entry import HardState
from core.raft.messages import ReadIndexRequest
from core.raft.state import ConfirmedRead, Raft
from core.request import Request
from core.settings import RaftSettings, RequestSettings, Settings
from core.vault.plan import Plan
from sim.base import MemoryBase
from tests.core.barrier.helpers import SeededEntropy

RETRY_NS = RaftSettings().election_timeout_min_ns
PATIENCE_NS = 2 * RaftSettings().election_timeout_max_ns


def waiting(handle: int, deadline_ns: int = 10**12) -> Waiting:
    due_ns = min(deadline_ns, PATIENCE_NS)
    plan = Plan(writes=False, request_id="")
    return Waiting(Request("read", "a"), plan, deadline_ns, due_ns, handle)


def handles(reads: list[Waiting]) -> list[int]:
    return [read.handle for read in reads]


@pytest.fixture
def raft() -> Raft:
    """A follower that knows its leader."""
    raft = Raft("n1", RaftSettings(), SeededEntropy(), MemoryBase(), HardState(0, ""), [], 0)
    raft.leader = "n2"
    return raft


@pytest.fixture
def queue() -> ReadQueue:
    """Batches of two."""
    return in_life(0)


def in_life(incarnation: int) -> ReadQueue:
    """Return the queue of one life of a node."""
    return ReadQueue(Settings(requests=RequestSettings(read_index_batch_max=2)), incarnation)


def asked(queue: ReadQueue, raft: Raft, now_ns: int = 0) -> list[int]:
    """Let the queue ask, and return the numbers of the batches that it asked for."""
    effects: list[Effect] = []
    queue.ask(raft, now_ns, effects)
    sends = [cast("Send", effect) for effect in effects]
    assert all(send.receiver == "n2" for send in sends)
    return [cast("ReadIndexRequest", send.message).batch for send in sends]


def test_an_answer_to_an_earlier_life_confirms_nothing(queue: ReadQueue, raft: Raft) -> None:
    """It was asked for before these reads were."""
    queue.add(waiting(1))
    (late,) = asked(queue, raft)
    restarted = in_life(1_000)
    restarted.add(waiting(2))
    assert asked(restarted, raft) == [1_001]
    restarted.confirmed(ConfirmedRead(late, 7))

    assert restarted.ready(7) == []
    assert restarted.count == 1


def test_reads_are_asked_for_in_batches(queue: ReadQueue, raft: Raft) -> None:
    """One at a time, each run when its index has been applied."""
    for handle in (1, 2, 3):
        queue.add(waiting(handle))
    assert (asked(queue, raft), asked(queue, raft), queue.count) == ([1], [], 3)
    queue.confirmed(ConfirmedRead(1, 7))
    assert (asked(queue, raft), queue.ready(6)) == ([2], [])
    assert (handles(queue.ready(7)), queue.count) == ([1, 2], 1)
    queue.confirmed(ConfirmedRead(1, 7))
    assert queue.ready(9) == []
    queue.confirmed(ConfirmedRead(2, 9))
    assert (handles(queue.ready(9)), queue.count) == ([3], 0)
    assert (queue.tick(queue.due_ns), queue.due_ns) == ([], NEVER)


def test_nobody_is_asked_without_a_leader(queue: ReadQueue, raft: Raft) -> None:
    """The reads wait for the next turn."""
    raft.leader = ""
    queue.add(waiting(1))

    assert asked(queue, raft) == []


def test_a_question_without_an_answer_is_repeated(queue: ReadQueue, raft: Raft) -> None:
    """Under a new number: the old answer may still come."""
    queue.add(waiting(1))
    assert (asked(queue, raft), queue.due_ns) == ([1], RETRY_NS)
    assert queue.tick(RETRY_NS - 1) == []
    assert (asked(queue, raft, RETRY_NS - 1), queue.due_ns) == ([], RETRY_NS)
    assert queue.tick(RETRY_NS) == []
    assert asked(queue, raft, RETRY_NS) == [2]
    queue.confirmed(ConfirmedRead(1, 3))
    assert queue.ready(3) == []
    assert (queue.refused(1), handles(queue.refused(2)), queue.count) == ([], [1], 0)


def test_reads_end_with_the_patience_of_their_clients(queue: ReadQueue, raft: Raft) -> None:
    """Wherever they wait."""
    for handle in (1, 2):
        queue.add(waiting(handle, 10 + handle))
    asked(queue, raft)
    queue.confirmed(ConfirmedRead(1, 7))
    for handle in (3, 4, 5):
        queue.add(waiting(handle, 10 + handle))
    asked(queue, raft)
    assert queue.due_ns == 11

    assert [(handles(queue.tick(now_ns)), queue.due_ns) for now_ns in (10, 11, 13, 14)] == [
        ([], 11),
        ([1], 12),
        ([3, 2], 14),
        ([4], 15),
    ]
    assert queue.count == 1
    assert (handles(queue.take_all()), queue.count) == ([5], 0)


def test_reads_that_no_leader_confirms_end_too(queue: ReadQueue, raft: Raft) -> None:
    """However patient their clients are."""
    queue.add(waiting(1))
    asked(queue, raft)
    queue.confirmed(ConfirmedRead(1, 7))

    assert queue.tick(PATIENCE_NS - 1) == []
    assert queue.due_ns == PATIENCE_NS
    assert handles(queue.tick(PATIENCE_NS)) == [1]
