"""Whole runs of the simulator on clean code."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sim.checker.history import Operation, by_key
from sim.run import Run, plan_of, run_seed
from sim.workload import CLIENTS, KEYS

SEEDS_PER_TEST = 50
PROJECT = Path(__file__).parents[2]
PROGRAM = """
from sim.run import run_seed
for seed in range(50):
    print(seed, run_seed(seed).trace_hash)
"""
SHAPE_SEEDS = range(40)
RARE = (
    "audit_refusals",
    "audit_stalls",
    "chunks_refused",
    "flushes_refused",
    "segments_refused",
)
"""What few runs come to, and some of the first must."""


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
@pytest.mark.parametrize(
    "first",
    [
        *range(100, 1_100, SEEDS_PER_TEST),
        *(
            pytest.param(first, marks=pytest.mark.soak)
            for first in range(1_100, 5_100, SEEDS_PER_TEST)
        ),
    ],
)
def test_many_seeds_hold(first: int) -> None:
    """A thousand more seeds hold, and on demand five thousand."""
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


@pytest.mark.slow
def test_fifty_seeds_are_the_same_under_another_order_of_hashes() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in processes)

    assert [process.returncode for process in processes] == [0, 0]
    assert len(first.splitlines()) == 50
    assert first == second


def _overlapping(history: list[Operation]) -> float:
    """Return which share of operations overlaps another one on the same key."""
    count = 0
    for operations in by_key(history).values():
        spans = [(each.invoked_ns, each.returned_ns or 1 << 62) for each in operations]
        count += sum(
            any(start < other_end and other_start < end for other_start, other_end in others)
            for position, (start, end) in enumerate(spans)
            for others in (spans[:position] + spans[position + 1 :],)
        )
    return count / len(history)


@pytest.mark.slow
def test_seeds_have_the_shape_that_they_should() -> None:
    changed = installed = replaced = 0
    counted: Counter[str] = Counter()
    for seed in SHAPE_SEEDS:
        running = Run(plan_of(seed, 5))
        result = running.go()
        assert result.failure == ""
        assert result.virtual_ms >= 60_000
        assert result.operations >= 200
        assert 2 * result.acknowledged >= result.operations
        assert result.faults >= 10
        assert _overlapping(running.workload.history) >= 0.3
        assert running.token_clients.asked >= 50
        changed += result.leaders > 1
        installed += bool(result.flushes and result.snapshots)
        replaced += bool(result.replaced)
        counted.update(running.world.counts)

    assert len(CLIENTS) >= 5 >= len(KEYS)
    assert 10 * changed >= 8 * len(SHAPE_SEEDS)
    assert 2 * installed >= len(SHAPE_SEEDS)
    assert len(SHAPE_SEEDS) <= 4 * replaced <= 3 * len(SHAPE_SEEDS)
    assert all(counted[kind] for kind in RARE)
