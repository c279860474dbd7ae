"""Whole runs of the simulator on clean code."""

import pytest

from sim.run import run_seed

SEEDS_PER_TEST = 50


@pytest.mark.slow
@pytest.mark.covering
@pytest.mark.parametrize("seed", range(24))
def test_first_seeds_hold(seed: int) -> None:
    """Nothing is broken in a run with the default plan, and it did what a run is for."""
    result = run_seed(seed)

    assert result.failure == ""
    assert result.virtual_ms == 60_000
    assert result.operations >= 200
    assert 2 * result.acknowledged >= result.operations
    assert result.faults >= 10


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 1_100, SEEDS_PER_TEST))
def test_many_seeds_hold(first: int) -> None:
    """A thousand more seeds hold."""
    failures = {
        seed: result.failure
        for seed in range(first, first + SEEDS_PER_TEST)
        if not (result := run_seed(seed)).ok
    }

    assert failures == {}


@pytest.mark.slow
@pytest.mark.covering
@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 7])
def test_other_cluster_sizes_hold(nodes: int) -> None:
    """A cluster of any size behaves."""
    failures = {
        seed: result.failure for seed in range(5) if not (result := run_seed(seed, nodes)).ok
    }

    assert failures == {}


@pytest.mark.slow
def test_equal_seeds_give_equal_traces() -> None:
    """A run is a function of its seed."""
    first, second = run_seed(7), run_seed(7)

    assert first.trace_hash == second.trace_hash
