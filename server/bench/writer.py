"""A client that writes without pause to several members at once, through their failures.

Owns one connection for each member, and the list of writes that were acknowledged. Every write has
a key of its own, so that reading it tells whether it is there. Must not know why a member fails.
"""

import select
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from server.bench.connection import Connection
from server.bench.settings import BenchError
from server.bench.workload import Target, Workload

PATIENCE_NS: Final = 5 * NANOSECONDS_PER_SECOND
"""After so long without an answer a connection is given up."""

REFUSED_PAUSE_NS: Final = 5 * NANOSECONDS_PER_MILLISECOND
"""Who refuses, or does not listen, is asked again after this."""

WRITES_MAX: Final = 1_000_000
_WAIT_S: Final = 0.005


class Acknowledged(NamedTuple):
    """A write that was acknowledged.

    Attributes:
        key: the number of its key.
        sent_ns: when it was sent, on the clock of `time.monotonic_ns`.
        at_ns: when the answer came.
    """

    key: int
    sent_ns: int
    at_ns: int


class Lane:
    """A connection to one member, with at most one request under way, that waits for nothing.

    Attributes:
        target: the member, on plain HTTP.
        key: what the request under way is about; None if there is none.
        sent_ns: when that was sent, on the clock of `time.monotonic_ns`.
    """

    def __init__(self, target: Target) -> None:
        """Prepare to connect."""
        self.target = target
        self.key: int | None = None
        self.sent_ns = 0
        self._connection: Connection | None = None
        self._resume_ns = 0

    @property
    def idle(self) -> bool:
        """Whether the member may be asked now."""
        return self.key is None and self._resume_ns <= time.monotonic_ns()

    def drop(self) -> None:
        """Give the connection up; whether its request was carried out stays unknown."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self.key = None
        self._pause()

    def ask(self, workload: Workload, key: int) -> None:
        """Send the request for one key, if the member takes it."""
        try:
            if self._connection is None:
                self._connection = Connection(self.target, None)
            self.key, self.sent_ns = key, time.monotonic_ns()
            self._connection.send(workload.request(self.target, key))
        except OSError:
            self.drop()

    def hear(self) -> bool:
        """Return whether the request under way is answered by now, and with success."""
        assert self._connection is not None
        try:
            reply = self._connection.receive()
        except OSError:
            self.drop()
            return False
        if reply is None:
            if time.monotonic_ns() - self.sent_ns > PATIENCE_NS:
                self.drop()
            return False
        self.key = None
        if not reply.succeeded:
            self._pause()
        return reply.succeeded

    def fileno(self) -> int:
        """Return the file descriptor of the connection."""
        assert self._connection is not None
        return self._connection.fileno()

    def _pause(self) -> None:
        self._resume_ns = time.monotonic_ns() + REFUSED_PAUSE_NS


class Writer:
    """Writes `workload`, each time to the next key.

    Attributes:
        acknowledged: the keys that are there for certain.
    """

    def __init__(self, workload: Workload, targets: Sequence[Target]) -> None:
        """Prepare to write to `targets`, on plain HTTP."""
        self._workload = workload
        self._lanes = [Lane(target) for target in targets]
        self._keys = 0
        self.acknowledged: list[int] = []

    def close(self) -> None:
        """Close all connections."""
        for lane in self._lanes:
            lane.drop()

    def step(self, without: Target | None = None) -> list[Acknowledged]:
        """Write to every member that is not busy, and return what has been acknowledged.

        Args:
            without: a member that is left alone.

        Raises:
            BenchError: `WRITES_MAX` is reached.
        """
        for lane in self._lanes:
            if lane.target == without:
                lane.drop()
            elif lane.idle:
                if self._keys == WRITES_MAX:
                    raise BenchError(f"{WRITES_MAX} writes and no end")
                self._keys += 1
                lane.ask(self._workload, self._keys)
        busy = [lane for lane in self._lanes if lane.key is not None]
        select.select(busy, [], [], _WAIT_S)
        heard = [
            Acknowledged(key, lane.sent_ns, time.monotonic_ns())
            for lane in busy
            if (key := lane.key) is not None and lane.hear()
        ]
        self.acknowledged += [each.key for each in heard]
        return heard
