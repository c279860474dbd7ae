"""A child becomes its program, on its core, or says why not."""

import os
import signal
import subprocess
import sys

import pytest

from server.bench.launch import ANY_CORE, PYTHON

LAUNCH = (sys.executable, "-c", "from server.bench.launch import main; main()")


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((*LAUNCH, *arguments), capture_output=True, text=True, check=False)


def test_a_program_takes_the_place_of_its_launcher() -> None:
    cores = str(sorted(os.sched_getaffinity(0)))
    program = "import os, sys; print(sorted(os.sched_getaffinity(0)), sys.argv)"
    ended = launch(str(os.getpid()), ANY_CORE, sys.executable, "-c", program, "told")

    assert (0, f"{cores} ['-c', 'told']\n", "") == (ended.returncode, ended.stdout, ended.stderr)


def test_a_program_on_one_core() -> None:
    core = max(os.sched_getaffinity(0))
    program = "import os; print(os.sched_getaffinity(0))"
    ended = launch(str(os.getpid()), str(core), sys.executable, "-c", program)

    assert f"{{{core}}}\n" == ended.stdout


@pytest.mark.slow
def test_a_module_of_ours_sees_its_own_arguments() -> None:
    ended = launch(str(os.getpid()), ANY_CORE, f"{PYTHON}server.cli", "version")

    assert 0 == ended.returncode
    assert ended.stdout.startswith("Holdfast ")


def test_a_program_that_is_not_there() -> None:
    ended = launch(str(os.getpid()), ANY_CORE, "no-such-program")

    assert (1, "no-such-program: No such file or directory\n") == (ended.returncode, ended.stderr)


def test_a_child_of_somebody_else_ends() -> None:
    """Its parent has died before it could be tied to it."""
    assert -signal.SIGKILL == launch("1", ANY_CORE, sys.executable, "-c", "").returncode
