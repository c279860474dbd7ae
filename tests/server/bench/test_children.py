"""Processes run where they should, and never outlive who started them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from server.bench import children
from server.bench.settings import BenchError

WAIT = "import sys; print('ready', flush=True); sys.stdin.read()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT}"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


def test_a_child_has_one_core(log: Path) -> None:
    core = min(os.sched_getaffinity(0))
    program = "import os, json; print(json.dumps(sorted(os.sched_getaffinity(0))))"
    ended = children.run(python(program), log, 20.0, core=core)

    assert [core] == json.loads(ended.output)


@pytest.mark.parametrize("program", [WAIT, STUBBORN])
def test_a_child_ends_with_its_context(
    program: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it does not heed SIGTERM, or if the context fails."""
    monkeypatch.setattr(children, "STOP_S_MAX", 0.05)
    pipe = subprocess.PIPE
    context = children.running(python(program), log, output=pipe, given=pipe)
    process = context.__enter__()
    assert process.stdout is not None
    assert b"ready\n" == process.stdout.readline()
    interrupt = KeyboardInterrupt()
    assert not context.__exit__(KeyboardInterrupt, interrupt, None)

    ended_by = signal.SIGTERM if program == WAIT else signal.SIGKILL
    assert -ended_by == process.returncode


def test_a_child_ends_when_its_parent_is_killed(log: Path) -> None:
    """The kernel closes the pipe, whose other end only the grandchild holds."""
    program = (
        "import sys; from pathlib import Path; from server.bench import children\n"
        f"command = (sys.executable, '-c', {WAIT!r})\n"
        "with children.running(command, Path(sys.argv[1]), output=1, given=0): sys.stdin.read()"
    )
    command = (*python(program), str(log))
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as parent:
        assert parent.stdout is not None
        assert b"ready\n" == parent.stdout.readline()
        parent.kill()

        assert b"" == parent.stdout.read()


def test_what_a_program_left(log: Path) -> None:
    """Its output, exit code, CPU time, and what it complained about."""
    program = (
        "import sys; sum(range(2_000_000))\n"
        "print(sys.stdin.read()); print('why', file=sys.stderr); sys.exit(3)"
    )
    ended = children.run(python(program), log, 20.0, given=b"given")

    assert (3, b"given\n") == (ended.code, ended.output)
    assert ended.cpu_s > 0
    assert "why" == children.tail(log)


def test_a_program_that_takes_too_long(log: Path) -> None:
    with pytest.raises(BenchError, match="did not end within 0 s"):
        children.run(python("input()"), log, 0.0)


def test_a_program_that_is_not_there(log: Path) -> None:
    ended = children.run(("no-such-program",), log, 20.0)

    assert 1 == ended.code
    assert "no-such-program: No such file or directory" == children.tail(log)


def test_a_module_of_ours_is_run_in_place(log: Path) -> None:
    """Its exit code is what `main` returns."""
    ended = children.run((*children.HOLDFAST, "no-such-command"), log, 20.0)

    assert 1 == ended.code
    assert "See: holdfast -h" == children.tail(log)


def test_settings_of_servers_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_API_ADDR", "x")
    monkeypatch.setenv("ETCD_NAME", "x")
    monkeypatch.setenv("OTHER", "x")
    environment = children.environment()

    assert environment["OTHER"] == "x"
    assert environment.keys().isdisjoint({"VAULT_API_ADDR", "ETCD_NAME"})


def test_waiting_until_there_is_something(log: Path) -> None:
    answers = iter([None, None, "there"])
    with children.running(python(WAIT), log, given=subprocess.PIPE) as process:
        assert "there" == children.until(lambda: next(answers), process, log, "it")


def test_waiting_for_a_process_that_ends(log: Path) -> None:
    """The message repeats the last thing it said that has words in it."""
    program = "import sys; sys.exit('a  bad day\\n  +------')"
    with (
        children.running(python(program), log) as process,
        pytest.raises(BenchError, match=r"it: the process ended; it said: a  bad day$"),
    ):
        children.until(lambda: None, process, log, "it")


def test_waiting_has_an_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "START_S_MAX", 0.0)
    with (
        children.running(python(WAIT), log, given=subprocess.PIPE) as process,
        pytest.raises(BenchError, match="not within 0 s"),
    ):
        children.until(lambda: None, process, log, "it")


def test_a_log_that_is_not_there_says_nothing(log: Path) -> None:
    assert "nothing" == children.tail(log)
