"""Processes that a benchmark starts: each on its core, each ended by its number.

Owns their start and their end. A child also ends when this process dies, however that
comes. Must not know what a child does.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from server.bench.launch import ANY_CORE, PYTHON
from server.bench.settings import BenchError

STOP_S_MAX: Final = 20.0
START_S_MAX: Final = 30.0
POLL_S: Final = 0.002
LOG_TAIL_BYTES: Final = 2_000

_LAUNCH: Final = (sys.executable, "-c", "from server.bench.launch import main; main()")

_FOREIGN_SETTINGS: Final = ("VAULT_", "ETCD_", "HYPERCORN_")
_Found = TypeVar("_Found")


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs `main` of one of our modules with `arguments`."""
    return (f"{PYTHON}{name}", *arguments)


HOLDFAST: Final = python_module("server.cli")


def environment() -> dict[str, str]:
    """Return the environment for children: ours, without what would configure them."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)
    }


@contextmanager
def running(
    arguments: Sequence[str],
    log: Path,
    *,
    core: int | None = None,
    output: int | None = None,
    given: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the context is left.

    Args:
        arguments: the program, see `server.bench.launch`, and what it is told.
        log: what it says is appended here.
        core: the only one that it may use.
        output: where its standard output goes instead of to `log`.
        given: where its standard input comes from; nothing by default.
    """
    begin = (str(os.getpid()), ANY_CORE if core is None else str(core))
    with log.open("ab") as told:
        process = subprocess.Popen(  # noqa: S603 -- programs that a benchmark names
            (*_LAUNCH, *begin, *arguments),
            stdin=subprocess.DEVNULL if given is None else given,
            stdout=told if output is None else output,
            stderr=told,
            env=environment(),
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that may have ended already, and let go of its pipes."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


class Ended(NamedTuple):
    """What a program left that ran to its end.

    Attributes:
        code: its exit code.
        output: its standard output.
        cpu_s: CPU time that it used.
    """

    code: int
    output: bytes
    cpu_s: float


def run(
    arguments: Sequence[str],
    log: Path,
    wait_s: float,
    *,
    core: int | None = None,
    given: bytes = b"",
) -> Ended:
    """Run a program to its end.

    Raises:
        BenchError: it did not end within `wait_s` seconds.
    """
    before_s = _children_cpu_s()
    pipe = subprocess.PIPE
    with running(arguments, log, core=core, output=pipe, given=pipe) as process:
        try:
            output, _ = process.communicate(given, wait_s)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{arguments[0]} did not end within {wait_s:.0f} s") from None
    return Ended(process.returncode, output, _children_cpu_s() - before_s)


def _children_cpu_s() -> float:
    """Return the CPU time of all children that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def until(
    found: Callable[[], _Found | None], process: subprocess.Popen[bytes], log: Path, what: str
) -> _Found:
    """Ask again and again until there is something.

    Raises:
        BenchError: the process that it depends on has ended, or it took longer than START_S_MAX.
    """
    deadline_s = time.monotonic() + START_S_MAX
    while (value := found()) is None:
        if process.poll() is not None:
            raise BenchError(f"{what}: the process ended; it said: {tail(log)}")
        if time.monotonic() > deadline_s:
            raise BenchError(f"{what}: not within {START_S_MAX:.0f} s; it said: {tail(log)}")
        time.sleep(POLL_S)
    return value


def tail(log: Path) -> str:
    """Return the last line of what a process said that has words in it."""
    try:
        said = log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
    except FileNotFoundError:
        said = ""
    lines = [line.strip(" |") for line in said.splitlines() if any(map(str.isalnum, line))]
    return lines[-1] if lines else "nothing"
