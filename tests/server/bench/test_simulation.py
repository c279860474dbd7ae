"""What seeds of the simulator come to, against the floors that they have to reach."""

from pathlib import Path

import msgspec
import pytest

from server.bench.settings import BenchError, Settings
from server.bench.simulation import Seed, report, simulation

SEED = Seed(
    seed=0,
    ok=True,
    virtual_ms=60_000,
    operations=400,
    acknowledged=300,
    faults=12,
    leaders=2,
    wall_s=0.25,
)


def test_seeds_per_second() -> None:
    """Over the time of the seeds alone: all seeds, not the median of them."""
    other = msgspec.structs.replace(SEED, seed=1, wall_s=0.15)
    figure = report([SEED, other], ("5 nodes",)).figures[0]

    assert ("seeds per second and core", 5.0, "floor of 5", 1.0) == (
        figure.name,
        figure.value,
        figure.against,
        figure.ratio,
    )
    assert ("5 nodes", "slowest seed 0.25 s, fastest 0.15 s") == figure.conditions


def test_the_least_of_all_seeds_counts() -> None:
    """Against the floors of a seed that is worth something."""
    weak = Seed(
        seed=1,
        ok=True,
        virtual_ms=30_000,
        operations=100,
        acknowledged=25,
        faults=5,
        leaders=1,
        wall_s=0.1,
    )
    found = report([SEED, weak], ())

    assert [
        ("seeds with a leader change", 0.5, 0.625),
        ("simulated time of a seed", 30.0, 0.5),
        ("operations of a seed", 100, 0.5),
        ("acknowledged of them", 0.25, 0.5),
        ("faults of a seed", 5, 0.5),
    ] == [(figure.name, figure.value, figure.ratio) for figure in found.figures[1:]]
    assert (
        "least of all seeds, median 250",
        "1 of 2 seeds reach the floor",
    ) == found.figures[3].conditions


def test_a_seed_without_operations_is_no_division() -> None:
    idle = msgspec.structs.replace(SEED, operations=0, acknowledged=0)

    assert 0.0 == report([idle], ()).figures[4].value


def test_a_failed_seed_is_a_problem() -> None:
    failed = msgspec.structs.replace(SEED, seed=7, ok=False, failure="Violated: x")

    assert [] == report([SEED], ()).problems
    assert ["seed 7 failed: Violated: x"] == report([SEED, failed], ()).problems


@pytest.mark.slow
def test_a_simulator_that_does_not_run(tmp_path: Path) -> None:
    """What it said is told."""
    settings = Settings(directory=str(tmp_path), say=print)
    with pytest.raises(BenchError, match=r"the simulator ended early; it said: .*sim run"):
        simulation(settings, 5, 5)
