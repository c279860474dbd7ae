"""Rounds by our own client, in turn, with an eye on who is busy."""

import os
from pathlib import Path

import pytest

from server.bench.load import Load, Subject, rates, usages
from server.bench.machine import ANYWHERE
from server.bench.settings import BenchError, Settings
from server.bench.workload import Target, kv_read
from tests.server.bench.raw_server import RawServer, answer

pytestmark = pytest.mark.slow


class Bench:
    """A load generator without wrk, and what it said."""

    def __init__(self, directory: Path, warmup_s: float = 0.0) -> None:
        self.said: list[str] = []
        settings = Settings(
            seconds=0.05, rounds=2, warmup_s=warmup_s, connections=2, say=self.said.append
        )
        self.load = Load(settings, directory, ANYWHERE)


@pytest.fixture(autouse=True)
def _without_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


def subject(target: Target, name: str = "server", pid: int = 0) -> Subject:
    workload = kv_read("hvs.x", 10)
    return Subject(name=name, target=target, workload=workload, pids=[pid or os.getpid()])


def test_subjects_are_loaded_in_turn(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with RawServer() as first, RawServer() as second:
        subjects = [subject(first.target, "one"), subject(second.target, "two")]
        one, two = bench.load.alternate(subjects)

    assert (2, 2) == (len(one), len(two))
    assert sum(each.answered for each in one) == len(first.requests)
    assert sum(each.answered for each in two) == len(second.requests)
    assert all(rate > 0 for rate in rates(one))
    assert all(usage.server_core >= 0 for usage in usages(two))
    assert ["round 1 of 2, one", "round 1 of 2, two", "round 2 of 2, one", "round 2 of 2, two"] == [
        line.partition(":")[0] for line in bench.said
    ]


def test_a_warm_up_is_answered_but_not_counted(tmp_path: Path) -> None:
    """Our own client awaits every answer, so none is cut off."""
    bench = Bench(tmp_path, warmup_s=0.05)
    with RawServer() as server:
        taken = bench.load.closed(subject(server.target))

    assert 0 < taken.outcome.answered < taken.answered == len(server.requests)
    assert 0 == taken.cut_off_max


def test_an_open_loop_asks_as_often_as_it_shall(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    with RawServer() as server:
        taken = bench.load.open(subject(server.target), 200.0)

    assert 10 == taken.answered == len(server.requests)
    assert bench.said[0].startswith("open loop, server: 200 per second, p99 ")


def test_refusals_are_no_result(tmp_path: Path) -> None:
    with (
        RawServer([answer(status=b"403 Forbidden")]) as server,
        pytest.raises(BenchError, match=r"server refused \d+ of \d+ requests"),
    ):
        Bench(tmp_path).load.closed(subject(server.target))


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    with RawServer() as server:
        target = server.target
    with pytest.raises(BenchError, match=r"load generator failed: .*refused"):
        Bench(tmp_path).load.closed(subject(target))


def test_the_conditions_name_the_client(tmp_path: Path) -> None:
    assert (
        "load by own client, one process",
        "rounds: 2 of 0.05 s, each after 0 s warm-up",
    ) == Bench(tmp_path).load.conditions
