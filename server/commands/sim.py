"""`sim`: run the simulator, and read what happened in one run."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

import click
import msgspec

from core.moment import NANOSECONDS_PER_SECOND
from server.flags import LocalCommand, LocalGroup, flag, option
from sim.faults import NODES_MAX
from sim.run import Result, Run, plan_of, run_seed
from sim.timeline import TraceRecord, render, window

SEEDS_MAX: Final = 10_000_000
JOBS_MAX: Final = 256
BEFORE_NS: Final = NANOSECONDS_PER_SECOND
AFTER_NS: Final = NANOSECONDS_PER_SECOND // 10

_NODES: Final = click.IntRange(1, NODES_MAX)


@click.group("sim", cls=LocalGroup)
def sim() -> None:
    """Run a whole cluster in virtual time, with faults, and check what it did."""


@sim.command("run", cls=LocalCommand)
@option("seeds", "Seeds FIRST:END, END not included", default="0:100")
@option("nodes", "How many members the cluster has", kind=_NODES, default=5)
@option("jobs", "Processes that share the seeds", kind=click.IntRange(1, JOBS_MAX), default=1)
@flag("json", "Print one JSON object per seed", into="as_json")
def run(*, seeds: str, nodes: int, jobs: int, as_json: bool) -> None:
    """Run one seed after another; the exit code is 1 if any of them failed."""
    span = _span(seeds)
    failed = 0
    totals = _Totals()
    results = _results(span, nodes, jobs)
    if as_json:
        for result in results:
            failed += not result.ok
            click.echo(json.dumps(_described(result)))
    else:
        with click.progressbar(results, length=len(span), label="seeds") as shown:
            for result in shown:
                failed += not result.ok
                totals.add(result)
                if not result.ok:
                    click.echo(f"\nseed {result.seed} failed: {result.failure}")
        click.echo(totals.text(jobs))
    if failed:
        raise SystemExit(1)


@sim.command("replay", cls=LocalCommand)
@click.argument("seed", type=click.IntRange(0, SEEDS_MAX))
@option("nodes", "How many members the cluster has", kind=_NODES, default=5)
@flag("all", "Print everything, not only what precedes a failure", into="everything")
def replay(*, seed: int, nodes: int, everything: bool) -> None:
    """Run one seed again and print what happened, near its failure if it fails."""
    running = Run(plan_of(seed, nodes), keeps_trace=True)
    result = running.go()
    records: Iterable[TraceRecord] = running.world.records
    failed_at_ns = None if result.ok else result.failed_at_ns
    if failed_at_ns is not None and not everything:
        records = window(running.world.records, failed_at_ns, BEFORE_NS, AFTER_NS)
    for line in render(list(records), running.world.plan.nodes, failed_at_ns):
        click.echo(line)
    click.echo(f"seed {seed}: " + ("nothing failed" if result.ok else result.failure))
    if not result.ok:
        raise SystemExit(1)


def _span(text: str) -> range:
    first, colon, end = text.partition(":")
    if not (colon and first.isdigit() and end.isdigit() and int(first) < int(end) <= SEEDS_MAX):
        raise click.UsageError(f"-seeds is FIRST:END, such as 0:200, and not {text!r}")
    return range(int(first), int(end))


def _results(seeds: range, nodes: int, jobs: int) -> Iterator[Result]:
    """Yield the result of each seed, in order."""
    one = partial(run_seed, nodes=nodes)
    if jobs == 1:
        yield from map(one, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(one, seeds, chunksize=4)


def _described(result: Result) -> dict[str, object]:
    described: dict[str, object] = msgspec.to_builtins(result)
    if result.ok:
        del described["failure"]
        del described["failed_at_ns"]
    return described


class _Totals:
    """What many runs came to."""

    def __init__(self) -> None:
        self._results: list[Result] = []

    def add(self, result: Result) -> None:
        """Count one run in."""
        self._results.append(result)

    def text(self, jobs: int) -> str:
        """Return the summary of all runs."""
        results = self._results
        count = len(results)
        wall_s = sum(result.wall_s for result in results)
        asked = sum(result.operations for result in results)
        acknowledged = sum(result.acknowledged for result in results)
        changed = sum(result.leaders > 1 for result in results)
        rows = (
            ("seeds", f"{count}, of which {sum(not result.ok for result in results)} failed"),
            ("seeds per second and core", f"{count / wall_s:.1f} ({jobs} jobs)"),
            ("simulated", f"{sum(result.virtual_ms for result in results) // 1000} s"),
            ("operations", f"{asked}, {100 * acknowledged // max(asked, 1)}% acknowledged"),
            ("faults", str(sum(result.faults for result in results))),
            ("leader changed", f"in {100 * changed // count}% of the seeds"),
            ("flushes", str(sum(result.flushes for result in results))),
            ("snapshots installed", str(sum(result.snapshots for result in results))),
        )
        return "\n".join(f"{name:<28}{value}" for name, value in rows)
