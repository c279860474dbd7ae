"""A thread that does its jobs one after another, and the way from there back to the loop.

Owns the threads of a storage, the order of each one's jobs, and what a failure means. Must not know
what the jobs do. A job that fails is the last one of its thread and is never tried again; the first
failure is told to the loop, and nothing else is after it.
"""

import contextlib
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Protocol

import trio

from core.check import check

JOBS_MAX: Final = 1_024
"""Jobs of one thread that wait. The node has a few under way at most; so many mean that it does not
wait for what it must wait for."""

Job = Callable[[], None]

Failed = Callable[[str], None]
"""Told, in the thread of the loop, that the storage can't go on."""


class Background(Protocol):
    """What a thread does while it has no job, in steps."""

    def next_step(self) -> tuple[float, Job]:
        """Return when the next step is due (monotonic, in seconds), and the step."""
        ...

    def end(self) -> None:
        """Give up what was begun; called in the thread, at its end."""
        ...


class LoopCalls:
    """The way back to the loop, for all threads of one storage.

    Attributes:
        has_failed: whether anything has, in a thread or in a call.
    """

    def __init__(self) -> None:
        self.has_failed = False
        self._loop: trio.lowlevel.TrioToken | None = None
        self._failed: Failed = _ignore
        self._closed = False

    def open(self, failed: Failed) -> None:
        """Let calls through; call it in the thread of the loop, before any other thread starts.

        Args:
            failed: is told, once, why the storage can't go on.
        """
        self._loop = trio.lowlevel.current_trio_token()
        self._failed = failed

    def tell(self, what: Callable[..., None], *arguments: object) -> None:
        """Have this called in the thread of the loop; may be called in any thread."""
        self._soon(self._call, what, *arguments)

    def fail(self, error: Exception) -> None:
        """Let nothing through any more but the first failure; may be called in any thread."""
        self.has_failed = True
        self._soon(self._fail, str(error) or repr(error))

    def close(self) -> None:
        """Let nothing through any more; call it in the thread of the loop."""
        self._closed = True

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        # After the end of the loop nobody is left to be told.
        with contextlib.suppress(trio.RunFinishedError):
            self._loop.run_sync_soon(call, *arguments)

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        """Do what a thread wants done here; what is raised must not end the loop itself."""
        if self._closed:
            return
        try:
            what(*arguments)
        except Exception as error:  # noqa: BLE001 -- as in the threads
            self.has_failed = True
            self._fail(str(error) or repr(error))

    def _fail(self, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._failed(reason)


class Worker:
    """One thread and the row of its jobs."""

    def __init__(self, name: str, loop: LoopCalls, background: Background | None = None) -> None:
        """Make the thread `name`; jobs may be put before it is started."""
        self._loop = loop
        self._background = background
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Have this done after all that was put before it.

        Raises:
            InvariantBroken: too much waits already.
        """
        check(self._jobs.qsize() < JOBS_MAX, "more work for the storage than a node has under way")
        self._jobs.put(job)

    def finish(self) -> None:
        """Let what was put so far be the last; the background is given up behind it."""
        self._jobs.put(None)

    def join(self) -> None:
        """Wait for the end, if there was a beginning."""
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                job()
        except Exception as error:  # noqa: BLE001 -- a node without its storage must not live on
            self._loop.fail(error)
        if self._background is not None:
            self._background.end()

    def _next_job(self) -> Job | None:
        """Return what to do next, None at the end; until there is something, the background."""
        if self._background is None:
            return self._jobs.get()
        while True:
            due_s, step = self._background.next_step()
            pause_s = due_s - time.monotonic()
            if pause_s > 0:
                try:
                    return self._jobs.get(timeout=pause_s)
                except Empty:
                    pass
            step()


def _ignore(_reason: str) -> None:
    """Nobody has asked to be told yet."""
