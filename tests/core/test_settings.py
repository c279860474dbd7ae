"""Limits and timeouts."""

import pytest

from core.moment import NANOSECONDS_PER_SECOND
from core.settings import RaftSettings, RequestSettings, raft_settings

MS = 1_000_000


@pytest.mark.parametrize(
    ("multiplier", "timings_ms"),
    [
        (None, (100, 500, 1_000, 1_000)),
        (0, (500, 5_000, 7_500, 5_000)),
        (1, (100, 1_000, 1_500, 1_000)),
        (10, (1_000, 10_000, 15_000, 10_000)),
    ],
)
def test_timing_follows_the_multiplier(multiplier: int | None, timings_ms: tuple[int, ...]) -> None:
    """Several heartbeats fit into the shortest timeout."""
    settings = raft_settings(multiplier)

    assert timings_ms == (
        settings.heartbeat_ns // MS,
        settings.election_timeout_min_ns // MS,
        settings.election_timeout_max_ns // MS,
        settings.snapshot_retry_ns // MS,
    )


def test_a_lease_is_shorter_than_a_timeout_by_the_drift_of_clocks() -> None:
    """With the fastest clock elsewhere it ends no later than the timeout there."""
    settings = RaftSettings(election_timeout_min_ns=NANOSECONDS_PER_SECOND, clock_drift_ppm=250_000)

    assert settings.lease_ns == 800 * MS


@pytest.mark.parametrize(("explicit_s", "expected_s"), [(0, 100), (50, 50), (200, 100)])
def test_no_lease_is_longer_than_the_maximum(explicit_s: int, expected_s: int) -> None:
    """A maximum of one's own only shortens it."""
    assert RequestSettings(max_lease_ttl_s=100).max_ttl_s(explicit_s) == expected_s
