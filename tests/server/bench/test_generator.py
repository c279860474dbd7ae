"""Our own load generator, in this process and in one of its own."""

from pathlib import Path

import msgspec
import pytest

from server.bench import children
from server.bench.generator import Job, Outcome, perform
from server.bench.workload import Target, kv_read
from tests.server.bench.raw_server import RawServer, answer

WORKLOAD = kv_read("hvs.x", 100)


def job(target: Target, rate: float = 0.0) -> Job:
    return Job(target=target, workload=WORKLOAD, connections=2, seconds=0.05, run=1, rate=rate)


def test_a_closed_loop() -> None:
    with RawServer() as server:
        outcome = perform(job(server.target))

    assert outcome.answered == len(server.requests) > 0
    assert 0 == outcome.refused
    assert 0 < outcome.p50_ms <= outcome.p99_ms
    # Until the last answer it may take a little longer than asked for.
    assert 0 < outcome.rate <= outcome.answered / 0.05
    assert 0 < outcome.load_share


def test_an_open_loop() -> None:
    with RawServer([answer(status=b"404 Not Found")]) as server:
        outcome = perform(job(server.target, rate=400.0))

    assert (20, 20) == (outcome.answered, outcome.refused)


@pytest.mark.slow
def test_a_process_of_its_own(tmp_path: Path) -> None:
    with RawServer() as server:
        ended = children.run(
            children.python_module("server.bench.generator"),
            tmp_path / "log",
            20.0,
            given=msgspec.json.encode(job(server.target)),
        )

    assert 0 == ended.code
    assert len(server.requests) == msgspec.json.decode(ended.output, type=Outcome).answered


@pytest.mark.slow
def test_a_process_that_finds_nobody(tmp_path: Path) -> None:
    with RawServer() as server:
        target = server.target
    log = tmp_path / "log"
    ended = children.run(
        children.python_module("server.bench.generator"),
        log,
        20.0,
        given=msgspec.json.encode(job(target)),
    )

    assert 1 == ended.code
    assert f"{target.url}: Connection refused" == children.tail(log)
