"""The benchmarks as their users meet them: real servers, short rounds, no judgement of speed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from server.bench.figure import Figure, Report
from server.bench.machine import children_of
from server.bench.settings import Settings
from server.cli import main
from server.commands import bench
from tests.needs import needs

LOADED = ("read", "write", "cluster")
SHORT = ("-seconds=0.3", "-rounds=1", "-warmup=0", "-keys=200", "-connections=4")


class Run:
    """What a benchmark printed, as JSON, and how it ended."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], directory: Path, *arguments: str
    ) -> None:
        self.code = main(["bench", *arguments, f"--dir={directory}", "--json"])
        printed = capsys.readouterr()
        self.said = printed.err
        assert self.code in (0, 1), printed.err
        assert printed.out, printed.err
        self.rows: dict[str, dict[str, Any]] = {row["name"]: row for row in json.loads(printed.out)}
        # It has taken everything away, and ended all that it started.
        assert [] == list(directory.iterdir())
        assert not any(
            str(directory) in argument
            for command in children_of(os.getpid()).values()
            for argument in command
        )

    def check(self, audited: bool) -> None:
        """Judge the rows' form; the exit code goes with the count of audit lines."""
        for row in self.rows.values():
            assert ["name", "value", "unit", "against", "ratio", "conditions"] == list(row)
            assert (row["ratio"] is None) == (row["against"] is None)
        if audited:
            incomplete = "audit lines for" in self.said
            assert incomplete == (self.code == 1), self.said
            assert incomplete or self.rows["audit lines per request"]["value"] == 2.0


@pytest.mark.parametrize("command", LOADED)
@pytest.mark.parametrize(
    ("argument", "error"),
    [
        ("-seconds=0", "-seconds is seconds"),
        ("-seconds=soon", "-seconds is seconds"),
        ("--seconds=1e9", "-seconds is seconds"),
        ("-seconds=nan", "-seconds is seconds"),
        ("-warmup=-1", "-warmup is seconds"),
        ("-rounds=0", "-rounds"),
        ("-keys=0", "-keys"),
        ("-connections=100000", "-connections"),
    ],
)
def test_odd_lengths_are_refused(
    command: str, argument: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is started."""
    assert main(["bench", command, argument]) == 1
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("command", [*LOADED, "failover", "sim"])
def test_a_directory_that_is_not_there(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names it; nothing is printed."""
    assert main(["bench", command, f"-dir={tmp_path / 'none'}"]) == 1
    printed = capsys.readouterr()

    assert str(tmp_path / "none") in printed.err
    assert "" == printed.out


def test_the_list_of_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    printed = capsys.readouterr().out

    assert all(f"\n  {name} " in printed for name in (*LOADED, "failover", "sim"))


def test_problems_are_told_behind_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """And make the exit code 1."""
    found = Report([Figure(name="writes", value=3, unit="/s")], ["something was lost"])
    settings = Settings(say=print)
    with click.Context(bench.bench), pytest.raises(click.exceptions.Exit) as leaving:
        bench.show(lambda _: found, settings, as_json=False)
    printed = capsys.readouterr()

    assert 1 == leaving.value.exit_code
    assert "writes    3        /s" in printed.out
    assert "something was lost\n" == printed.err


@pytest.mark.slow
def test_reads_beside_a_bare_application_by_wrk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("wrk")
    run = Run(capsys, tmp_path, "read", *SHORT)

    run.check(audited=True)
    assert [
        "KV v2 read",
        "KV v2 read p50 at 70%",
        "KV v2 read p99 at 70%",
        "time to first answer",
        "resident memory after start",
        "resident memory after load",
        "audit lines per request",
    ] == list(run.rows)
    read = run.rows["KV v2 read"]
    assert read["ratio"] > 0
    assert "Hypercorn" in read["against"]
    for phrase in ("TLS", "file audit device", "4 connections", "load by wrk", "limited by: "):
        assert phrase in read["conditions"]
    assert "open loop by own client" in run.rows["KV v2 read p99 at 70%"]["conditions"]


@pytest.mark.slow
def test_a_machine_without_wrk_and_etcd(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own client loads, there is no ratio, and one line says why."""
    monkeypatch.setenv("PATH", "/nonexistent")
    run = Run(capsys, tmp_path, "write", *SHORT)

    run.check(audited=True)
    assert ["KV v2 write", "audit lines per request"] == list(run.rows)
    assert "no peer: etcd is not installed\n" in run.said
    write = run.rows["KV v2 write"]
    assert write["ratio"] is None
    for phrase in ("load by own client", "fdatasync of 4 KiB", "limited by: "):
        assert phrase in write["conditions"]


@pytest.mark.slow
def test_a_node_beside_one_member_of_etcd(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("etcd")
    run = Run(capsys, tmp_path, "write", *SHORT)

    write = run.rows["KV v2 write"]
    assert write["ratio"] > 0
    assert ", 1 member, JSON gateway, TLS" in write["against"]


@pytest.mark.slow
def test_a_cluster_beside_three_members_of_etcd(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("etcd")
    run = Run(capsys, tmp_path, "cluster", *SHORT)

    run.check(audited=False)
    assert 0 == run.code
    assert {
        "KV v2 write, leader": True,
        "KV v2 write p50, one client": True,
        "KV v2 write p99, one client": True,
        "KV v2 read, leader": False,
        "KV v2 read, follower": False,
    } == {name: row["ratio"] is not None for name, row in run.rows.items()}
    assert all("plain HTTP" in row["conditions"] for row in run.rows.values())
    assert all("nothing pinned" in row["conditions"] for row in run.rows.values())


@pytest.mark.slow
def test_leaders_are_killed_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(capsys, tmp_path, "failover", "-rounds=2")

    run.check(audited=False)
    assert 0 == run.code
    assert "round 2 of 2: " in run.said
    assert 0 == run.rows["acknowledged writes lost"]["value"]
    longest = run.rows["leader killed to first acknowledged write, max"]
    assert longest["value"] > 0


@pytest.mark.slow
def test_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, tmp_path, "sim", "-seeds=1")

    run.check(audited=False)
    assert 0 == run.code
    assert run.rows["seeds per second and core"]["against"] == "floor of 5"
    assert run.rows["simulated time of a seed"]["value"] == 60.0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything(number: signal.Signals, tmp_path: Path) -> None:
    """Only the process itself is told, as by a shell's kill."""
    command = ("bench", "cluster", "-seconds=60", "-keys=100", f"-dir={tmp_path}")
    # Whoever is started in the background by a script is told to ignore SIGINT.
    program = f"""
import signal, sys
from server.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main({command!r}))
"""
    environment = {**os.environ, "PATH": "/nonexistent"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        (sys.executable, "-c", program), stdout=pipe, stderr=pipe, env=environment
    ) as process:
        assert process.stderr is not None
        assert b"no peer: etcd is not installed\n" == process.stderr.readline()
        children = children_of(process.pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    assert (1, b"", b"Interrupted.\n") == (process.returncode, out, err)
    assert children
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert [] == list(tmp_path.iterdir())
