"""`bench failover`: the leader is killed, again and again, under a client that goes on writing.

Owns the course of this benchmark: a round ends when the killed node serves again.
"""

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from server.bench.dev_cluster import NODES, DevCluster, Member, client_token, dev_cluster
from server.bench.figure import MAX, MEDIAN, P99, Figure, Report, percentile
from server.bench.loops import Pool, closed_loop
from server.bench.machine import ANYWHERE
from server.bench.place import disk_condition, workplace
from server.bench.settings import SECONDS_MAX, VALUE_BYTES, BenchError, Settings
from server.bench.workload import Workload, kv_read, kv_write
from server.bench.writer import WRITES_MAX, Acknowledged, Lane, Writer
from server.reason import reason_of

PREFIX: Final = "failover/w"
WRITES_BEFORE_KILL: Final = 20
STAGE_S_MAX: Final = 60.0
"""How long a stage of a round may take before the cluster counts as lost."""


def failover(settings: Settings) -> Report:
    """Measure the time from the death of a leader to the first write that is acknowledged.

    Raises:
        BenchError: the cluster did not come back.
    """
    with workplace(settings) as directory, dev_cluster(directory) as cluster:
        token = client_token(cluster)
        writes = kv_write(token, WRITES_MAX, PREFIX)
        reads = kv_read(token, WRITES_MAX, PREFIX)
        writer = Writer(writes, [member.target for member in cluster.members])
        outages_ns = []
        try:
            for count in range(1, settings.rounds + 1):
                outage_ns = _Round(cluster, writer, reads).go()
                outages_ns.append(outage_ns)
                outage_ms = outage_ns / NANOSECONDS_PER_MILLISECOND
                settings.say(f"round {count} of {settings.rounds}: {outage_ms:.0f} ms")
        finally:
            writer.close()
        lost = _lost(cluster, reads, writer.acknowledged, settings)
        conditions = (
            "plain HTTP",
            "no audit device",
            f"{NODES} durable nodes on this machine",
            "2 connections, one to each survivor",
            f"values of {VALUE_BYTES} bytes",
            ANYWHERE.condition,
            "own client",
            disk_condition(directory),
            f"rounds: {settings.rounds}, each a kill -9",
        )
    return report(outages_ns, lost, len(writer.acknowledged), conditions)


class _Round:
    """One death of a leader."""

    def __init__(self, cluster: DevCluster, writer: Writer, reads: Workload) -> None:
        self._cluster = cluster
        self._writer = writer
        self._reads = reads

    def go(self) -> int:
        """Return how long no write was acknowledged, in nanoseconds from the kill."""
        leader = self._cluster.leader()
        pid = self._cluster.pid(leader)
        self._write(leader, _Count(WRITES_BEFORE_KILL), "writes before the kill")
        killed_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        # A write that left before the kill may have been decided before it, too.
        first = self._write(leader, lambda each: each.sent_ns >= killed_ns, "a write after it")
        self._write(leader, self._back(leader), f"{leader.name} to serve again")
        return first.at_ns - killed_ns

    def _write(
        self, leader: Member, done: Callable[[Acknowledged], bool], what: str
    ) -> Acknowledged:
        """Write to all but `leader` until an acknowledged write makes it `done`; return that."""
        stop_ns = time.monotonic_ns() + int(STAGE_S_MAX * NANOSECONDS_PER_SECOND)
        while time.monotonic_ns() < stop_ns:
            for each in self._writer.step(without=leader.target):
                if done(each):
                    return each
        raise BenchError(f"waited {STAGE_S_MAX:.0f} s for {what}")

    def _back(self, member: Member) -> Callable[[Acknowledged], bool]:
        """Return whether a member can read by now what was acknowledged.

        It is asked beside the writes, which do not wait for it.
        """
        lane = Lane(member.target)

        def back(each: Acknowledged) -> bool:
            if lane.key is not None and lane.hear():
                lane.drop()
                return True
            if lane.idle:
                lane.ask(self._reads, each.key)
            return False

        return back


class _Count:
    """Is done after so many writes."""

    def __init__(self, count: int) -> None:
        self._left = count

    def __call__(self, _: Acknowledged) -> bool:
        self._left -= 1
        return self._left <= 0


def _lost(cluster: DevCluster, reads: Workload, keys: list[int], settings: Settings) -> int:
    """Read every acknowledged write, each at one of the members; return how many are not there.

    Raises:
        BenchError: a member does not answer.
    """
    lost = 0
    for place, member in enumerate(cluster.members):
        share = keys[place :: len(cluster.members)]
        requests = (reads.request(member.target, key) for key in share)
        try:
            with Pool(member.target, settings.connections) as pool:
                tally = closed_loop(pool, requests, SECONDS_MAX)
        except OSError as error:
            raise BenchError(f"reading back from {member.name}: {reason_of(error)}") from None
        lost += len(share) - (len(tally.latencies_ns) - tally.refused)
    return lost


def report(
    outages_ns: list[int], lost: int, acknowledged: int, conditions: tuple[str, ...]
) -> Report:
    """Return the figures of outages; a write that is lost is a problem.

    Args:
        outages_ns: from each kill to the first write that was acknowledged.
        lost: acknowledged writes that are not there.
        acknowledged: how many there were.
        conditions: what else is to be told.
    """
    ordered = sorted(outages_ns)
    name = "leader killed to first acknowledged write"
    figures = [
        Figure(
            name=f"{name}, {part}",
            value=percentile(ordered, percent) / NANOSECONDS_PER_SECOND,
            unit="s",
            conditions=conditions,
        )
        for part, percent in (("p50", MEDIAN), ("p99", P99), ("max", MAX))
    ]
    read_back = f"{acknowledged} acknowledged writes, all read back"
    figures.append(
        Figure(
            name="acknowledged writes lost",
            value=lost,
            unit="writes",
            conditions=(*conditions, read_back),
        )
    )
    problems = [f"{lost} of {acknowledged} acknowledged writes are lost"] if lost else []
    return Report(figures, problems)
