"""What the machine tells of itself: cores, CPU time, memory, and how fast its disk syncs.

Owns reading `/proc` and the judgement which side limited a round. Must not know what is measured.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from core.moment import NANOSECONDS_PER_MILLISECOND

SYNCS: Final = 200
SYNC_BYTES: Final = 4 << 10
BUSY_SHARE: Final = 0.9
"""A core used to this degree is what limits: the rest goes to the scheduler and to its ticks."""

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_BYTES_PER_KIB: Final = 1024
# Fields of /proc/PID/stat behind the name of the program, which may hold blanks: proc(5).
_USER_TICKS: Final = 11
_SYSTEM_TICKS: Final = 12
# Columns of a core's line in /proc/stat.
_IDLE: Final = 3
_WAITING_FOR_DISK: Final = 4
_GUEST: Final = 8


class Cores(NamedTuple):
    """Where the two sides run; None is anywhere."""

    server: int | None
    load: int | None

    @property
    def pinned(self) -> bool:
        """Whether each side has a core of its own."""
        return self.server is not None

    @property
    def condition(self) -> str:
        """Say where the sides ran."""
        if self.pinned:
            return f"server pinned to core {self.server}, load generator to core {self.load}"
        count = len(os.sched_getaffinity(0))
        return "one core for both sides, nothing pinned" if count == 1 else "nothing pinned"


ANYWHERE: Final = Cores(None, None)


def choose_cores() -> Cores:
    """Return two cores that this process may use, or no choice if there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[1]) if len(allowed) > 1 else ANYWHERE


def fdatasync_ms(directory: Path) -> float:
    """Return the median time of appending 4 KiB to a file and syncing it, in milliseconds."""
    file = directory / "fdatasync"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    block = bytes(SYNC_BYTES)
    taken_ns = []
    try:
        for _ in range(SYNCS):
            started_ns = time.perf_counter_ns()
            os.write(descriptor, block)
            os.fdatasync(descriptor)
            taken_ns.append(time.perf_counter_ns() - started_ns)
    finally:
        os.close(descriptor)
        file.unlink()
    return median(taken_ns) / NANOSECONDS_PER_MILLISECOND


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / _TICKS_PER_S


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0]) * _BYTES_PER_KIB
    raise ProcessLookupError(f"process {pid} has ended")


def children_of(parent: int) -> dict[int, list[str]]:
    """Return the command lines of a process's children by their numbers."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                command = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
                found[int(entry.name)] = command.split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended while we looked
    return found


def busy_s(cores: Sequence[int]) -> float:
    """Return the time that cores were busy with anything since the machine started."""
    names = {f"cpu{core}" for core in cores}
    ticks = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *columns = line.split()
        if name in names:
            # What guests use is part of the user's time already.
            used = [int(column) for column in columns[:_GUEST]]
            ticks += sum(used) - used[_IDLE] - used[_WAITING_FOR_DISK]
    return ticks / _TICKS_PER_S


class Usage(NamedTuple):
    """How busy the sides were during a round, in shares of a core.

    Attributes:
        server: the busiest process of the server.
        load: the load generator.
        server_core: all that ran on the server's core; unpinned: the mean of all cores.
        load_core: all that ran on the load generator's core; unpinned: the same mean.
    """

    server: float
    load: float
    server_core: float
    load_core: float


class Watch:
    """Measures how busy a server and the cores are, from its making to `usage`."""

    def __init__(self, pids: Sequence[int], cores: Cores) -> None:
        """Begin to measure processes `pids`."""
        every = sorted(os.sched_getaffinity(0))
        self._server_cores = every if cores.server is None else [cores.server]
        self._load_cores = every if cores.load is None else [cores.load]
        self._used_s = {pid: cpu_s(pid) for pid in pids}
        self._busy_s = busy_s(self._server_cores), busy_s(self._load_cores)
        self._started_s = time.monotonic()

    def usage(self, load_share: float) -> Usage:
        """Return how busy all were; the load generator knows its own share."""
        elapsed_s = max(time.monotonic() - self._started_s, 1 / _TICKS_PER_S)
        server_before_s, load_before_s = self._busy_s
        server_s = (busy_s(self._server_cores) - server_before_s) / len(self._server_cores)
        load_s = (busy_s(self._load_cores) - load_before_s) / len(self._load_cores)
        used_s = max(cpu_s(pid) - before_s for pid, before_s in self._used_s.items())
        return Usage(used_s / elapsed_s, load_share, server_s / elapsed_s, load_s / elapsed_s)


def limiting_side(usage: Usage, cores: Cores, *, durable: bool) -> str:
    """Return what kept a closed loop from being faster.

    Args:
        usage: how busy all were.
        cores: where the sides ran.
        durable: whether each answer waited for the disk.
    """
    if usage.server >= BUSY_SHARE:
        return "server core"
    if usage.load >= BUSY_SHARE:
        return "load generator"
    if not cores.pinned and usage.server_core >= BUSY_SHARE:
        return "all cores"
    if usage.server_core >= BUSY_SHARE:
        return "other processes on the server's core"
    if usage.load_core >= BUSY_SHARE:
        return "other processes on the load generator's core"
    return "disk" if durable else "latency between the sides"


def limited_by(usages: Sequence[Usage], cores: Cores, *, durable: bool) -> str:
    """Say what limited the rounds, taken together, and how busy the sides were."""
    mean = Usage(*(sum(shares) / len(usages) for shares in zip(*usages, strict=True)))
    side = limiting_side(mean, cores, durable=durable)
    return (
        f"limited by: {side} (server {mean.server:.0%} of a core, load generator {mean.load:.0%})"
    )
