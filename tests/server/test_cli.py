"""The program finds its commands, imports no more than it needs, and ends with the right code."""

import json
import os
import pty
import subprocess
import sys
import termios
import tomllib
from pathlib import Path

import click
import pytest

from server.cli import COMMANDS, main, root
from server.commands.version import VERSION
from tests.server.conftest import Holdfast
from tests.server.wire import Wire

PROJECT = Path(__file__).parents[2]
PROGRAM = "import sys; from server.cli import main; sys.exit(main())"

HEAVY = {"core", "net", "sim", "msgspec", "cryptography", "httpx", "trio", "starlette", "rich"}
"""What a probe has no time for."""


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_the_table_says(name: str) -> None:
    with root.make_context("holdfast", [name]) as context:
        command = root.get_command(context, name)

    assert command is not None
    assert name == command.name
    assert isinstance(command, click.Command)


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["-help"]])
def test_the_program_lists_its_commands_one_line_each(
    arguments: list[str], holdfast: Holdfast
) -> None:
    outcome = holdfast(*arguments)

    listed = outcome.out.partition("Commands:\n")[2].splitlines()
    assert (0, "") == (outcome.code, outcome.err)
    assert [[name, entry.summary] for name, entry in COMMANDS.items()] == [
        line.split(maxsplit=1) for line in listed
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "No such command 'nothing'.\nSee: holdfast -h\n"),
        (["-odd"], "No such option '-odd'.\nSee: holdfast -h\n"),
        (["kv", "get"], "Missing argument 'PATH'.\nSee: holdfast kv get -h\n"),
        (["write", "a"], "Must supply data or use -force\nSee: holdfast write -h\n"),
        (["write", "a", "b"], "'b' is neither key=value nor @file nor -\n"),
    ],
)
def test_mistakes_end_with_1(arguments: list[str], message: str, holdfast: Holdfast) -> None:
    assert (1, "", message) == holdfast(*arguments)


def test_a_usage_error_may_come_from_nowhere(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise click.UsageError("no")

    monkeypatch.setattr(root, "invoke", refuse)

    assert (1, "", "no\nSee: holdfast -h\n") == holdfast("version")


@pytest.mark.parametrize("error", [KeyboardInterrupt, EOFError, click.Abort])
def test_an_interruption_ends_with_1(
    error: type[BaseException], holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise error

    monkeypatch.setattr(root, "invoke", interrupt)

    assert (1, "", "Interrupted.\n") == holdfast("version")


def test_the_version_is_the_projects(holdfast: Holdfast) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION
    assert (0, f"Holdfast v{VERSION}\n", "") == holdfast("version")


@pytest.mark.parametrize("flag", ["-version", "--version", "-v", "--v"])
def test_the_version_may_be_asked_for_by_a_flag(flag: str, holdfast: Holdfast) -> None:
    """Of the program, whatever stands behind it; its commands have no such flag."""
    assert holdfast("version") == holdfast(flag) == holdfast(flag, "status")
    assert 1 == holdfast("status", flag).code


def test_arguments_come_from_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["holdfast", "version"])

    assert 0 == main()
    assert f"Holdfast v{VERSION}\n" == capsys.readouterr().out


def test_letters_that_the_terminal_lacks_are_escaped(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET a", b'{"data":{"k":"\\ud800"}}')

    outcome = holdfast("read", "a", "-format=json")

    assert (0, {"data": {"k": "\ud800"}}) == (outcome.code, json.loads(outcome.out))


def test_streams_that_cannot_be_told_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    plain = Plain()
    monkeypatch.setattr(sys, "stdout", plain)

    assert 0 == main(["version"])
    assert f"Holdfast v{VERSION}\n" == plain.text


def run(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the program, or another, in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"HOME": "/nowhere", "PATH": os.environ["PATH"], **environ},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_probe_imports_only_what_it_needs(wire: Wire) -> None:
    wire.answer("GET sys/seal-status", {"sealed": True, "storage_type": "raft"})
    program = (
        "import sys; from server.cli import main; code = main();"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr);"
        "sys.exit(code)"
    )

    done = run("-c", program, "status", environ={"VAULT_ADDR": wire.address})

    assert 2 == done.returncode
    assert "HA Enabled         true" in done.stdout
    assert set() == HEAVY & set(done.stderr.split())


def test_a_reader_that_has_gone_is_no_crash() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "version"],
        stdout=writing,
        stderr=subprocess.PIPE,
        cwd=PROJECT,
    ) as process:
        os.close(writing)
        _, errors = process.communicate()

    assert (1, b"") == (process.returncode, errors)


def test_a_secret_is_asked_for_without_echo(
    wire: Wire, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_ADDR", wire.address)
    wire.answer("GET auth/token/lookup-self", {"data": {"id": "hvs.typed", "ttl": 0}})
    ours, theirs = pty.openpty()
    # The terminal must be the process's own, for that is where a password is read from.
    program = f"import fcntl; fcntl.ioctl(0, {termios.TIOCSCTTY}, 0); {PROGRAM}"
    with subprocess.Popen(
        [sys.executable, "-c", program, "login", "-field=token"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=PROJECT,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        with os.fdopen(ours, "r+b", buffering=0) as terminal:
            shown = _read_until(terminal.fileno(), b": ")
            terminal.write(b"hvs.typed\n")
            shown += _read_until(terminal.fileno(), b"hvs.typed")
            code = process.wait()

    assert 0 == code
    assert b"Token (will be hidden): \r\nhvs.typed" == shown
    assert "hvs.typed" == (home / ".vault-token").read_text()


def _read_until(descriptor: int, end: bytes) -> bytes:
    text = b""
    while not text.endswith(end):
        text += os.read(descriptor, 1)
    return text
