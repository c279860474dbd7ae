"""Closed loops and open loops: what is sent when, and from when a latency counts."""

import time
from itertools import islice

import pytest

from core.moment import NANOSECONDS_PER_MILLISECOND
from server.bench import loops
from server.bench.certificate import Certificate
from server.bench.loops import Pool, closed_loop, due_ns, open_loop
from server.bench.workload import kv_read
from tests.server.bench.raw_server import RawServer, answer, hang_up

WORKLOAD = kv_read("hvs.x", 100)
SLOW_MS = 20


def slow() -> None:
    """Make an answer late."""
    time.sleep(SLOW_MS / 1000)  # being slow is what this server is for


@pytest.mark.parametrize("secured", [False, True])
def test_a_closed_loop_sends_all_requests(secured: bool, certificate: Certificate) -> None:
    """Each exactly once, and awaits all answers."""
    with (
        RawServer(certificate=certificate if secured else None) as server,
        Pool(server.target, 4) as pool,
    ):
        tally = closed_loop(pool, WORKLOAD.each_key(server.target), 60.0)

    assert (100, 0) == (len(tally.latencies_ns), tally.refused)
    assert sorted(WORKLOAD.each_key(server.target)) == sorted(server.requests)
    assert 0 < min(tally.latencies_ns) <= max(tally.latencies_ns) <= tally.elapsed_ns


def test_a_closed_loop_has_no_more_under_way_than_connections() -> None:
    """When time is up at once, each connection has sent one request, and that is awaited."""
    with RawServer() as server, Pool(server.target, 3) as pool:
        tally = closed_loop(pool, WORKLOAD.random_requests(server.target, 1), 0.0)

    assert 3 == len(tally.latencies_ns) == len(server.requests)


def test_fewer_requests_than_connections() -> None:
    with RawServer() as server, Pool(server.target, 4) as pool:
        tally = closed_loop(pool, islice(WORKLOAD.each_key(server.target), 2), 60.0)

    assert 2 == len(tally.latencies_ns)


def test_refusals_are_counted() -> None:
    with RawServer([answer(status=b"403 Forbidden")]) as server, Pool(server.target, 2) as pool:
        tally = closed_loop(pool, islice(WORKLOAD.each_key(server.target), 5), 60.0)

    assert (5, 5) == (len(tally.latencies_ns), tally.refused)


def test_a_closed_loop_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "SILENCE_S_MAX", 0.01)
    with (
        RawServer([]) as server,
        Pool(server.target, 1) as pool,
        pytest.raises(TimeoutError, match="no answer"),
    ):
        closed_loop(pool, WORKLOAD.each_key(server.target), 60.0)


def test_a_connection_that_breaks_is_an_error() -> None:
    with (
        RawServer([hang_up]) as server,
        Pool(server.target, 1) as pool,
        pytest.raises(ConnectionResetError),
    ):
        closed_loop(pool, WORKLOAD.each_key(server.target), 60.0)


def test_a_pool_needs_a_server() -> None:
    with RawServer() as server:
        target = server.target
    with pytest.raises(ConnectionRefusedError):
        Pool(target, 1)


def test_arrivals_are_equally_far_apart() -> None:
    """However many there are: the schedule is computed, not added up."""
    assert [100, 250_100, 500_100] == [due_ns(100, number, 4000.0) for number in range(3)]
    assert 10_000_000_000 == due_ns(0, 70_000, 7000.0)


def test_an_open_loop_sends_by_the_clock() -> None:
    """As many as the schedule has, and not before they are due."""
    with RawServer() as server, Pool(server.target, 2) as pool:
        requests = WORKLOAD.random_requests(server.target, 1)
        tally = open_loop(pool, requests, 0.05, 1000.0)

    assert 50 == len(tally.latencies_ns) == len(server.requests)
    assert tally.elapsed_ns >= due_ns(0, 49, 1000.0)


def test_the_latency_counts_from_when_a_request_was_due() -> None:
    """With one connection and a slow server each request waits for all that came before it."""
    with RawServer([slow, answer()]) as server, Pool(server.target, 1) as pool:
        requests = WORKLOAD.random_requests(server.target, 1)
        tally = open_loop(pool, requests, 0.004, 1000.0)

    latencies_ms = [latency / NANOSECONDS_PER_MILLISECOND for latency in tally.latencies_ns]
    least_ms = [SLOW_MS * (place + 1) - place for place in range(4)]
    assert all(taken >= least for taken, least in zip(latencies_ms, least_ms, strict=True))


def test_a_server_that_can_not_bear_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "LATE_S_MAX", 0.0)
    with (
        RawServer([slow, answer()]) as server,
        Pool(server.target, 1) as pool,
        pytest.raises(TimeoutError, match="behind 1000 per second"),
    ):
        open_loop(pool, WORKLOAD.random_requests(server.target, 1), 0.01, 1000.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, 1e7, float("nan")])
def test_odd_rates(rate: float) -> None:
    with (
        RawServer() as server,
        Pool(server.target, 1) as pool,
        pytest.raises(ValueError, match="rate"),
    ):
        open_loop(pool, WORKLOAD.random_requests(server.target, 1), 1.0, rate)
