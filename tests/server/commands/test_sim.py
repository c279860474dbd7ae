"""`holdfast sim` as people and scripts run it."""

import json

import pytest

from server.cli import main


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
    """How many, how fast, and what they went through."""
    assert main(["sim", "run", "-seeds=0:1", "-nodes=1"]) == 0
    assert "seeds per second and core" in capsys.readouterr().out


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
