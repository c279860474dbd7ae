"""Closed and open loops over connections: when a request leaves, and how long its answer took.

A closed loop sends the next request when an answer is there; it measures throughput, and hides
queueing. An open loop sends by a schedule that does not care for answers; a request that finds no
free connection waits, and its latency counts from when it was due (Tene, "coordinated omission").
"""

import select
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Self

from core.moment import NANOSECONDS_PER_SECOND
from server.bench.connection import Connection, Reply, tls_context
from server.bench.settings import CONNECTIONS_MAX
from server.bench.workload import Target

SILENCE_S_MAX: Final = 30.0
"""Without any answer for so long a server counts as stuck."""

LATE_S_MAX: Final = 60.0
"""An open loop may end so much later than its schedule; else the server can't bear the rate."""

RATE_MAX: Final = 1_000_000


class Tally:
    """What came of a loop.

    Attributes:
        latencies_ns: of all answers, in the order of arrival.
        refused: answers that are no success.
        elapsed_ns: from the first request to the last answer.
    """

    def __init__(self) -> None:
        self.latencies_ns = array("Q")
        self.refused = 0
        self.elapsed_ns = 0

    def count(self, reply: Reply, latency_ns: int) -> None:
        """Count one answer."""
        self.latencies_ns.append(latency_ns)
        self.refused += not reply.succeeded


class Pool:
    """Connections to one target, and who of them has an answer."""

    def __init__(self, target: Target, count: int) -> None:
        """Connect `count` times, at most `CONNECTIONS_MAX`.

        Raises:
            OSError: the target does not take the connections.
        """
        context = tls_context(target)
        self._poller = select.epoll()
        self._by_descriptor: dict[int, Connection] = {}
        try:
            for _ in range(min(count, CONNECTIONS_MAX)):
                connection = Connection(target, context)
                self._by_descriptor[connection.fileno()] = connection
                self._poller.register(connection.fileno(), select.EPOLLIN)
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the pool; leaving closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._by_descriptor.values():
            connection.close()
        self._poller.close()

    @property
    def connections(self) -> Sequence[Connection]:
        """All connections."""
        return list(self._by_descriptor.values())

    def answers(self, wait_s: float) -> Iterator[tuple[Connection, Reply]]:
        """Yield the answers that are there, waiting `wait_s` at most for the first.

        Raises:
            OSError: a connection is broken.
        """
        # epoll waits in whole milliseconds, select in microseconds: a schedule needs the latter.
        select.select([self._poller], [], [], wait_s)
        for descriptor, _ in self._poller.poll(0):
            connection = self._by_descriptor[descriptor]
            reply = connection.receive()
            if reply is not None:
                yield connection, reply


def closed_loop(pool: Pool, requests: Iterator[bytes], seconds: float) -> Tally:
    """Send a request whenever an answer has come, until `requests` end or time is up.

    Answers under way when time is up are awaited and counted.

    Raises:
        OSError: a connection breaks, or there is silence.
    """
    clock_ns = time.perf_counter_ns
    tally = Tally()
    started_ns = clock_ns()
    stop_ns = started_ns + int(seconds * NANOSECONDS_PER_SECOND)
    under_way = 0
    for connection, request in zip(pool.connections, requests, strict=False):
        connection.due_ns = clock_ns()
        connection.send(request)
        under_way += 1
    heard_ns = started_ns
    while under_way:
        for connection, reply in pool.answers(SILENCE_S_MAX):
            heard_ns = clock_ns()
            tally.count(reply, heard_ns - connection.due_ns)
            following = next(requests, None) if heard_ns < stop_ns else None
            if following is None:
                under_way -= 1
            else:
                connection.due_ns = heard_ns
                connection.send(following)
        if clock_ns() - heard_ns > SILENCE_S_MAX * NANOSECONDS_PER_SECOND:
            raise TimeoutError(f"no answer for {SILENCE_S_MAX:.0f} s")
    tally.elapsed_ns = heard_ns - started_ns
    return tally


def due_ns(started_ns: int, number: int, rate: float) -> int:
    """Return when request `number` of an open loop is to be sent: all are equally far apart."""
    return started_ns + int(number * NANOSECONDS_PER_SECOND / rate)


def open_loop(pool: Pool, requests: Iterator[bytes], seconds: float, rate: float) -> Tally:
    """Send `rate` requests per second by the clock, whatever is answered.

    Raises:
        OSError: a connection breaks, there is silence, or the answers fall too far behind.
        ValueError: the rate is not above 0 and up to `RATE_MAX`.
    """
    if not 0 < rate <= RATE_MAX:
        raise ValueError(f"a rate of {rate} requests per second")
    clock_ns = time.perf_counter_ns
    tally = Tally()
    count = max(int(rate * seconds), 1)
    idle = deque(pool.connections)
    started_ns = now_ns = clock_ns()
    limit_ns = due_ns(started_ns, count, rate) + int(LATE_S_MAX * NANOSECONDS_PER_SECOND)
    sent = 0
    while len(tally.latencies_ns) < count:
        while idle and sent < count and due_ns(started_ns, sent, rate) <= now_ns:
            connection = idle.popleft()
            connection.due_ns = due_ns(started_ns, sent, rate)
            connection.send(next(requests))
            sent += 1
        wait_s = 1.0
        if idle and sent < count:
            wait_s = max(due_ns(started_ns, sent, rate) - clock_ns(), 0) / NANOSECONDS_PER_SECOND
        for connection, reply in pool.answers(wait_s):
            tally.count(reply, clock_ns() - connection.due_ns)
            idle.append(connection)
        now_ns = clock_ns()
        if now_ns > limit_ns:
            raise TimeoutError(f"the answers fell {LATE_S_MAX:.0f} s behind {rate:.0f} per second")
    tally.elapsed_ns = now_ns - started_ns
    return tally
