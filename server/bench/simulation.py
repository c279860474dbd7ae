"""`bench sim`: how many seeds of the simulator one core runs, and what happens in them.

Owns the floors that a seed has to reach so that a second of it is worth something. It runs the
command `holdfast sim run` in a process of its own, and must not import the simulator.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import msgspec

from server.bench import children
from server.bench.figure import Figure, Report, number
from server.bench.machine import BUSY_SHARE, choose_cores, cpu_s
from server.bench.place import workplace
from server.bench.settings import BenchError, Say, Settings

NODES: Final = 5
SAY_EVERY: Final = 10
LEADER_CHANGES_FLOOR: Final = 0.8
SEEDS_PER_S_FLOOR: Final = 5.0
MS_PER_S: Final = 1000


class Seed(msgspec.Struct, frozen=True):
    """What `sim run -json` says of a seed, as far as it is told here; see `sim.run.Result`."""

    seed: int
    ok: bool
    virtual_ms: int
    operations: int
    acknowledged: int
    faults: int
    leaders: int
    wall_s: float
    failure: str = ""


def _acknowledged_share(seed: Seed) -> float:
    return seed.acknowledged / max(seed.operations, 1)


class Floor(NamedTuple):
    """Something that every seed has to reach."""

    name: str
    unit: str
    least: float
    of: Callable[[Seed], float]


FLOORS: Final = (
    Floor("simulated time of a seed", "s", 60.0, lambda seed: seed.virtual_ms / MS_PER_S),
    Floor("operations of a seed", "operations", 200, lambda seed: seed.operations),
    Floor("acknowledged of them", "share", 0.5, _acknowledged_share),
    Floor("faults of a seed", "faults", 10, lambda seed: seed.faults),
)


def simulation(settings: Settings, first: int, end: int) -> Report:
    """Run the seeds from `first` to before `end`, one after another on one core.

    Raises:
        BenchError: the simulator itself failed.
    """
    core = choose_cores().server
    with workplace(settings) as directory:
        seeds, share = _run(directory, core, first, end, settings.say)
    side = "server core" if share >= BUSY_SHARE else "other processes on its core"
    where = "not pinned: one core" if core is None else f"pinned to core {core}"
    conditions = (
        f"{NODES} nodes",
        f"seeds {first} to {end - 1}",
        "one process",
        where,
        f"limited by: {side} (it used {share:.0%} of it)",
    )
    return report(seeds, conditions)


def _run(
    directory: Path, core: int | None, first: int, end: int, say: Say
) -> tuple[list[Seed], float]:
    """Return what the seeds came to, and how much of its core the simulator used for them."""
    command = (
        *children.HOLDFAST,
        "sim",
        "run",
        f"-seeds={first}:{end}",
        f"-nodes={NODES}",
        "-jobs=1",
        "-json",
    )
    log = directory / "sim.log"
    seeds: list[Seed] = []
    used_s = elapsed_s = 0.0
    began_s = time.monotonic()
    with children.running(command, log, core=core, output=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            seeds.append(msgspec.json.decode(line, type=Seed))
            used_s, elapsed_s = cpu_s(process.pid), time.monotonic() - began_s
            if len(seeds) % SAY_EVERY == 0:
                say(f"{len(seeds)} of {end - first} seeds")
    if not seeds or len(seeds) != end - first:
        raise BenchError(f"the simulator ended early; it said: {children.tail(log)}")
    return seeds, used_s / elapsed_s


def report(seeds: Sequence[Seed], conditions: tuple[str, ...]) -> Report:
    """Return the figures of seeds; a seed that failed is a problem.

    Of what every seed has to reach, the value is the least of all seeds.
    """
    wall_s = [seed.wall_s for seed in seeds]
    slowest = f"slowest seed {number(max(wall_s))} s, fastest {number(min(wall_s))} s"
    rate = len(seeds) / sum(wall_s)
    changed = sum(seed.leaders > 1 for seed in seeds) / len(seeds)
    figures = [
        _floored("seeds per second and core", rate, "seeds/s", SEEDS_PER_S_FLOOR, conditions),
        _floored("seeds with a leader change", changed, "share", LEADER_CHANGES_FLOOR, conditions),
    ]
    figures[0] = msgspec.structs.replace(figures[0], conditions=(*conditions, slowest))
    for floor in FLOORS:
        values = [floor.of(seed) for seed in seeds]
        reached = sum(value >= floor.least for value in values)
        told = (
            *conditions,
            f"least of all seeds, median {number(median(values))}",
            f"{reached} of {len(seeds)} seeds reach the floor",
        )
        figures.append(_floored(floor.name, min(values), floor.unit, floor.least, told))
    problems = [f"seed {seed.seed} failed: {seed.failure}" for seed in seeds if not seed.ok]
    return Report(figures, problems)


def _floored(
    name: str, value: float, unit: str, floor: float, conditions: tuple[str, ...]
) -> Figure:
    return Figure(
        name=name,
        value=value,
        unit=unit,
        against=f"floor of {number(floor)}",
        ratio=value / floor,
        conditions=conditions,
    )
