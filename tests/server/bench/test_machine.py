"""What the machine tells of itself is read rightly, and the limiting side is named."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.bench import machine
from server.bench.machine import ANYWHERE, Cores, Usage, Watch, limited_by, limiting_side

PINNED = Cores(0, 1)


def burn(seconds: float) -> None:
    """Use the processor."""
    stop_s = time.process_time() + seconds
    while time.process_time() < stop_s:
        sum(range(1000))


@pytest.mark.parametrize(
    ("usage", "cores", "durable", "expected"),
    [
        (Usage(0.95, 0.95, 1.0, 1.0), PINNED, True, "server core"),
        (Usage(0.5, 0.93, 1.0, 1.0), PINNED, True, "load generator"),
        (Usage(0.5, 0.5, 0.97, 0.5), PINNED, True, "other processes on the server's core"),
        (
            Usage(0.5, 0.5, 0.5, 0.97),
            PINNED,
            False,
            "other processes on the load generator's core",
        ),
        (Usage(0.5, 0.5, 0.97, 0.97), ANYWHERE, True, "all cores"),
        (Usage(0.5, 0.5, 0.6, 0.6), PINNED, True, "disk"),
        (Usage(0.5, 0.5, 0.6, 0.6), ANYWHERE, False, "latency between the sides"),
    ],
)
def test_who_limited(usage: Usage, cores: Cores, durable: bool, expected: str) -> None:
    assert expected == limiting_side(usage, cores, durable=durable)


def test_rounds_are_judged_together() -> None:
    """By their mean."""
    usages = [Usage(1.0, 0.4, 1.0, 0.5), Usage(0.9, 0.6, 1.0, 0.7)]

    assert "limited by: server core (server 95% of a core, load generator 50%)" == limited_by(
        usages, PINNED, durable=False
    )


@pytest.fixture
def allowed() -> Iterator[list[int]]:
    """Which cores this process may use; put back after the test."""
    cores = os.sched_getaffinity(0)
    yield sorted(cores)
    os.sched_setaffinity(0, cores)


def test_one_core_is_not_shared_out(allowed: list[int]) -> None:
    """And the conditions say so."""
    os.sched_setaffinity(0, allowed[:1])

    assert machine.choose_cores() == ANYWHERE
    assert "one core for both sides, nothing pinned" == ANYWHERE.condition


def test_two_cores_are(allowed: list[int]) -> None:
    expected = Cores(allowed[0], allowed[1]) if len(allowed) > 1 else ANYWHERE

    assert expected == machine.choose_cores()
    assert "server pinned to core 0, load generator to core 1" == PINNED.condition
    assert len(allowed) == 1 or ANYWHERE.condition == "nothing pinned"


def test_a_disk_is_measured_and_left_clean(tmp_path: Path) -> None:
    assert machine.fdatasync_ms(tmp_path) > 0
    assert [] == list(tmp_path.iterdir())


@pytest.mark.slow
def test_cpu_time_of_a_process() -> None:
    """This one, as the kernel and as Python count it."""
    before_s, own_s = machine.cpu_s(os.getpid()), time.process_time()
    burn(0.3)
    used_s = machine.cpu_s(os.getpid()) - before_s

    assert used_s == pytest.approx(time.process_time() - own_s, abs=0.05)


@pytest.mark.slow
def test_a_watch_sees_who_is_busy(allowed: list[int]) -> None:
    """Shares of a core; the whole core was busy at least as long as this process was."""
    os.sched_setaffinity(0, allowed[:1])
    watch = Watch([os.getpid()], Cores(allowed[0], allowed[-1]))
    burn(0.3)
    usage = watch.usage(0.25)

    assert 0 < usage.server <= 1.1
    assert usage.server_core >= usage.server - 0.2
    assert usage.load == 0.25


def test_memory_of_a_process() -> None:
    assert machine.resident_bytes(os.getpid()) > 1 << 20


def test_children_are_found_with_their_commands() -> None:
    command = (sys.executable, "-c", "input()", "marked")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        found = machine.children_of(os.getpid())
        assert process.stdin is not None
        process.stdin.close()

    assert "marked" in found[process.pid]


def test_a_process_that_has_ended_holds_no_memory() -> None:
    """Until it is waited for it is still there, without any."""
    with subprocess.Popen((sys.executable, "-c", "")) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ProcessLookupError, match="has ended"):
            machine.resident_bytes(process.pid)
