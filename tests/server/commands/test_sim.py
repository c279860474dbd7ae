"""`holdfast sim` as people and scripts run it."""

import json
import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from server.cli import main
from tests.server.processes import HOLDFAST


@pytest.mark.slow
def test_each_seed_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """With the keys that scripts read."""
    code = main(["sim", "run", "--seeds", "0:2", "--nodes=3", "-json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert code == 0
    assert [(row["seed"], row["ok"], row["virtual_ms"]) for row in rows] == [
        (0, True, 60_000),
        (1, True, 60_000),
    ]
    keys = {"trace_hash", "operations", "faults", "wall_s"}
    assert all(keys <= row.keys() and "failure" not in row for row in rows)


def test_a_summary_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """How many, how fast, and what they went through; and no more without a terminal."""
    assert main(["sim", "run", "-seeds=0:1", "-nodes=1"]) == 0
    printed = capsys.readouterr()
    first, second, *_ = printed.out.splitlines()
    assert first.split() == ["seeds", "1,", "of", "which", "0", "failed"]
    assert second.startswith("seeds per second and core")
    assert printed.err == ""


@pytest.mark.slow
def test_a_terminal_shows_how_far_it_is() -> None:
    """By a bar in front of the summary."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        (*HOLDFAST, "sim", "run", "-seeds=0:1", "-nodes=1"), stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        # Where a terminal ends, Linux has an error.
        with suppress(OSError):
            while chunk := os.read(ours, 4096):
                shown += chunk
    os.close(ours)

    assert process.returncode == 0
    assert b"100%" in shown.partition(b"seeds per second and core")[0]


def test_a_replay_shows_the_members_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    """And says how it ended."""
    assert main(["sim", "replay", "0", "-nodes=1"]) == 0
    text = capsys.readouterr().out
    assert "report       unsealed" in text
    assert text.endswith("seed 0: nothing failed\n")


@pytest.mark.parametrize("seeds", ["5", "5:5", "a:b", "0:99999999"])
def test_odd_spans_of_seeds_are_refused(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a line that says what is expected."""
    assert main(["sim", "run", f"-seeds={seeds}"]) == 1
    assert "FIRST:END" in capsys.readouterr().err


@pytest.mark.slow
def test_jobs_keep_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Equal results, whoever computed them."""
    main(["sim", "run", "-seeds=0:3", "-nodes=1", "-json"])
    alone = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    main(["sim", "run", "-seeds=0:3", "-nodes=1", "-json", "-jobs=2"])
    shared = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [row["trace_hash"] for row in shared] == [row["trace_hash"] for row in alone]


@pytest.mark.slow
def test_a_mutant_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1, and each failure is told."""
    assert main(["sim", "run", "-seeds=0:1", "-mutant=cas-against-applied", "-json"]) == 1
    (row,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())

    assert not row["ok"]
    assert row["failure"]
    assert row["failed_at_ns"] > 0


@pytest.mark.slow
def test_a_replay_shows_what_precedes_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """And less of it, if less is asked for."""
    arguments = ["sim", "replay", "0", "-mutant=cas-against-applied"]
    assert main(arguments) == 1
    text = capsys.readouterr().out
    assert main([*arguments, "-around=1"]) == 1
    short = capsys.readouterr().out

    assert "FAILED HERE" in text
    assert "seed 0: Violated" in text
    assert len(short) < len(text)


@pytest.mark.slow
def test_a_failing_plan_is_made_small_and_can_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """This mutant needs no fault at all, but an audit device, which the plan of this seed has."""
    plan = str(tmp_path / "plan.json")
    mutant = "-mutant=audit-after-answer"
    assert main(["sim", "shrink", "2", mutant, f"-out={plan}"]) == 0
    assert "0 of " in capsys.readouterr().out
    assert main(["sim", "run", f"-plan={plan}", mutant]) == 1
    assert "seed 2 failed: Violated: AnswersAreRecorded" in capsys.readouterr().out
    assert main(["sim", "run", f"-plan={plan}"]) == 0
    capsys.readouterr()
    nowhere = tmp_path / "none" / "plan.json"
    assert main(["sim", "shrink", f"-plan={plan}", mutant, f"-out={nowhere}"]) == 1
    assert capsys.readouterr().err == f"{nowhere} cannot be written: No such file or directory\n"


@pytest.mark.slow
def test_what_does_not_fail_cannot_be_made_small(capsys: pytest.CaptureFixture[str]) -> None:
    """No file is written."""
    assert main(["sim", "shrink", "0", "-nodes=1"]) == 1
    assert "does not fail" in capsys.readouterr().err


def test_the_list_of_mutants(capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for scripts."""
    assert main(["sim", "mutants", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["sim", "mutants", "--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)

    assert len(rows) == len(lines) >= 8
    assert all(row.keys() == {"name", "summary"} for row in rows)


@pytest.mark.parametrize("command", ["run", "replay", "shrink"])
def test_a_file_that_is_no_plan(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names it."""
    plan = tmp_path / "plan.json"
    plan.write_text("{}")
    assert main(["sim", command, f"-plan={plan}"]) == 1
    assert capsys.readouterr().err.startswith(f"{plan} is not a plan: ")
    absent = tmp_path / "none.json"
    assert main(["sim", command, f"-plan={absent}"]) == 1
    assert capsys.readouterr().err == f"{absent} cannot be read: No such file or directory\n"
