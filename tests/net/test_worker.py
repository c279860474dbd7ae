"""A thread and its jobs: their order, their number, what goes on between them, and failures."""

import time

import pytest
import trio
import trio.testing

from core.check import InvariantBroken
from net import worker
from net.worker import Job, LoopCalls, Worker

PATIENCE_S = 30.0


class Told:
    """Somebody in the loop.

    Attributes:
        told: what came.
        failures: why nothing else comes.
    """

    def __init__(self) -> None:
        self.told: list[object] = []
        self.failures: list[str] = []
        self.loop = LoopCalls()
        self.loop.open(self.failures.append)

    async def wait(self, count: int) -> None:
        """Wait for so many, failures included."""
        with trio.fail_after(PATIENCE_S):
            while len(self.told) + len(self.failures) < count:
                await trio.lowlevel.checkpoint()

    def job(self, number: int) -> Job:
        return lambda: self.loop.tell(self.told.append, number)


class Steps:
    """A background of three steps that are due at once, then none."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.taken = 0
        self.ended = False

    def next_step(self) -> tuple[float, Job]:
        pause_s = 0.0 if self.taken < 3 else PATIENCE_S
        return time.monotonic() + pause_s, self._step

    def end(self) -> None:
        self.ended = True

    def _step(self) -> None:
        self.taken += 1
        self.told.loop.tell(self.told.told.append, "step")


def fail() -> None:
    raise RuntimeError("this is a test")


async def test_jobs_are_done_in_order_and_to_the_last() -> None:
    """Also those that were put before the start."""
    told = Told()
    one = Worker("test", told.loop)
    for number in range(5):
        one.put(told.job(number))
    one.start()
    one.put(told.job(5))
    one.finish()
    one.join()
    await told.wait(6)

    assert [0, 1, 2, 3, 4, 5] == told.told


async def test_one_that_never_started_has_ended() -> None:
    one = Worker("test", Told().loop)
    one.put(fail)
    one.finish()
    one.join()


async def test_the_background_goes_on_while_there_is_no_job() -> None:
    told = Told()
    steps = Steps(told)
    one = Worker("test", told.loop, steps)
    one.start()
    await told.wait(3)
    one.put(told.job(1))
    one.finish()
    one.join()
    await told.wait(4)

    assert ["step", "step", "step", 1] == told.told
    assert steps.ended


async def test_a_job_that_fails_is_the_last_of_its_thread() -> None:
    """The other one does what it was asked, but nobody is told; the background is given up."""
    told = Told()
    steps = Steps(told)
    steps.taken = 3
    done: list[int] = []
    one, other = Worker("one", told.loop, steps), Worker("other", told.loop)
    one.put(fail)
    one.put(lambda: done.append(1))
    one.start()
    one.join()
    other.put(lambda: done.append(2))
    other.put(told.job(2))
    other.put(fail)
    other.start()
    other.join()
    await told.wait(1)
    await trio.testing.wait_all_tasks_blocked()

    assert ([2], [], ["this is a test"]) == (done, told.told, told.failures)
    assert told.loop.has_failed
    assert steps.ended


async def test_a_failure_without_words_is_told_by_its_kind() -> None:
    told = Told()
    told.loop.fail(ValueError())
    await told.wait(1)

    assert ["ValueError()"] == told.failures


async def test_what_fails_in_the_loop_is_told_like_what_fails_in_a_thread() -> None:
    told = Told()
    told.loop.tell(fail)
    told.loop.tell(told.told.append, 1)
    await told.wait(1)
    await trio.testing.wait_all_tasks_blocked()

    assert ([], ["this is a test"]) == (told.told, told.failures)


async def test_after_the_end_nothing_is_told() -> None:
    told = Told()
    told.loop.tell(told.told.append, 1)
    told.loop.fail(ValueError())
    told.loop.close()
    await trio.testing.wait_all_tasks_blocked()

    assert ([], []) == (told.told, told.failures)


async def test_more_jobs_than_a_node_has_under_way_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "JOBS_MAX", 2)
    one = Worker("test", Told().loop)
    one.put(fail)
    one.put(fail)

    with pytest.raises(InvariantBroken, match="more work for the storage"):
        one.put(fail)
