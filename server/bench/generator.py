"""Our own load generator: a process that runs one loop and reports what came of it.

Owns the job as its parent describes it, on standard input, and the outcome, on standard output.
Runs apart from who measures, on a core of its own, since Python runs one thread at a time.
"""

import sys
import time

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from server.bench.figure import MEDIAN, P99, percentile
from server.bench.loops import Pool, closed_loop, open_loop
from server.bench.workload import Target, Workload
from server.reason import reason_of


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A loop to run.

    Attributes:
        target: whom to ask.
        workload: for what.
        connections: how many.
        seconds: for how long.
        run: its number; no two runs write the same values.
        rate: requests per second of an open loop; 0 is a closed loop.
    """

    target: Target
    workload: Workload
    connections: int
    seconds: float
    run: int
    rate: float = 0.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a loop.

    Attributes:
        answered: answers in all.
        refused: how many of them were no success.
        rate: answers per second.
        p50_ms: latency that half of the answers did not exceed.
        p99_ms: latency that 99% did not exceed.
        load_share: how much of a core the load generator used.
    """

    answered: int
    refused: int
    rate: float
    p50_ms: float
    p99_ms: float
    load_share: float


def perform(job: Job) -> Outcome:
    """Run a job in this process.

    Raises:
        OSError: the target does not serve.
    """
    requests = job.workload.random_requests(job.target, job.run)
    with Pool(job.target, job.connections) as pool:
        used_s = time.process_time()
        if job.rate:
            tally = open_loop(pool, requests, job.seconds, job.rate)
        else:
            tally = closed_loop(pool, requests, job.seconds)
        used_s = time.process_time() - used_s
    elapsed_s = tally.elapsed_ns / NANOSECONDS_PER_SECOND
    ordered = sorted(tally.latencies_ns)
    return Outcome(
        answered=len(ordered),
        refused=tally.refused,
        rate=len(ordered) / elapsed_s,
        p50_ms=percentile(ordered, MEDIAN) / NANOSECONDS_PER_MILLISECOND,
        p99_ms=percentile(ordered, P99) / NANOSECONDS_PER_MILLISECOND,
        load_share=used_s / elapsed_s,
    )


def main() -> None:
    """Run the job on standard input; say on standard error why it failed, if it did."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    try:
        outcome = perform(job)
    except OSError as error:
        sys.exit(f"{job.target.url}: {reason_of(error)}")
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
