"""wrk, a load generator in C that Debian packages: how to run it, and what it prints.

Owns its command line and the reading of its report. Must not know what is asked.
"""

import math
import re
import shutil
from pathlib import Path
from typing import Final

from server.bench import children
from server.bench.generator import Job, Outcome
from server.bench.settings import BenchError

OVERTIME_S_MAX: Final = 60.0
"""How much longer than its job wrk may take: for handshakes, and for a machine that is busy."""

_SECONDS_MIN: Final = 1
_IN_MS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}
_REQUESTS: Final = re.compile(r"^\s*(\d+) requests in ", re.MULTILINE)
_RATE: Final = re.compile(r"^Requests/sec:\s*([\d.]+)$", re.MULTILINE)
_PERCENTILE: Final = re.compile(r"^\s*(50|99)%\s+([\d.]+)(us|ms|s|m)$", re.MULTILINE)
_REFUSED: Final = re.compile(r"^\s*Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)
_BROKEN: Final = re.compile(
    r"^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE
)


def find() -> str | None:
    """Return where wrk is installed, or None."""
    return shutil.which("wrk")


def whole_seconds(seconds: float) -> int:
    """Return how long wrk runs when `seconds` are asked for: it counts whole ones."""
    return max(math.ceil(seconds), _SECONDS_MIN)


def perform(program: str, job: Job, directory: Path, core: int | None) -> Outcome:
    """Run a closed loop.

    Args:
        program: where wrk is.
        job: what to do; wrk has no open loop.
        directory: for its script and its log.
        core: the only one that it may use.

    Raises:
        BenchError: wrk failed, or connections did.
    """
    seconds = whole_seconds(job.seconds)
    script, log = directory / "wrk.lua", directory / "wrk.log"
    script.write_text(job.workload.lua(job.run), encoding="ascii")
    arguments = (
        program,
        "-t1",
        f"-c{job.connections}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(script),
        job.target.url,
    )
    ended = children.run(arguments, log, seconds + OVERTIME_S_MAX, core=core)
    if ended.code != 0:
        raise BenchError(f"wrk: {children.tail(log)}")
    return read_report(ended.output.decode(), ended.cpu_s)


def read_report(report: str, cpu_s: float) -> Outcome:
    """Return what wrk's report says.

    Args:
        report: what it printed, with `--latency`.
        cpu_s: CPU time that it used.

    Raises:
        BenchError: connections failed, nothing was answered, or this is no such report.
    """
    requests, rate = _REQUESTS.search(report), _RATE.search(report)
    latencies = {
        name: float(value) * _IN_MS[unit] for name, value, unit in _PERCENTILE.findall(report)
    }
    if requests is None or rate is None or latencies.keys() != {"50", "99"}:
        raise BenchError(f"wrk printed no report: {report.strip()}")
    broken = _BROKEN.search(report)
    if broken is not None:
        raise BenchError(f"wrk: {broken[0].strip()}")
    answered = int(requests[1])
    if not answered:
        raise BenchError("wrk: no answer")
    refused = _REFUSED.search(report)
    return Outcome(
        answered=answered,
        refused=int(refused[1]) if refused else 0,
        rate=float(rate[1]),
        p50_ms=latencies["50"],
        p99_ms=latencies["99"],
        load_share=cpu_s * float(rate[1]) / answered,
    )
