"""`sim`: run the simulator, read what happened in one run, and see that it finds planted bugs."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND
from server.flags import LocalCommand, LocalGroup, flag, option
from server.reason import reason_of
from sim.campaign import each
from sim.faults import NODES_MAX
from sim.mutants import MUTANTS
from sim.plan import PLAN_BYTES_MAX, Plan, decode_plan, encode_plan
from sim.run import Result, plan_of, replay_plan, run_plan, run_seed
from sim.shrink import shrink as shrink_plan

SEEDS_MAX: Final = 10_000_000
JOBS_MAX: Final = 256
AROUND_MS_MAX: Final = 600_000

_NODES: Final = click.IntRange(1, NODES_MAX)
_SEED: Final = click.IntRange(0, SEEDS_MAX)
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def _which(function: _Decorated) -> _Decorated:
    """Give a command the options that say what is run."""
    names = click.Choice([mutant.name for mutant in MUTANTS])
    for add in (
        option("mutant", "Plant this bug; see `sim mutants`", kind=names),
        option("plan", "Run the plan in this JSON file, not one drawn from a seed"),
        option("nodes", "How many members the cluster has", kind=_NODES, default=5),
    ):
        function = add(function)
    return function


@click.group("sim", cls=LocalGroup)
def sim() -> None:
    """Run a whole cluster in virtual time, with faults, and check what it did."""


@sim.command("run", cls=LocalCommand)
@option("seeds", "Seeds FIRST:END, END not included", default="0:100")
@_which
@option("jobs", "Processes that share the seeds", kind=click.IntRange(1, JOBS_MAX), default=1)
@flag("json", "Print one JSON object per seed", into="as_json")
def run(
    *, seeds: str, nodes: int, plan: str | None, mutant: str | None, jobs: int, as_json: bool
) -> None:
    """Run one seed after another; the exit code is 1 if any of them failed."""
    if plan is not None:
        results, count = each(run_plan, [_read_plan(plan)], 1, mutant or ""), 1
    else:
        span = _span(seeds)
        results, count = each(partial(run_seed, nodes=nodes), span, jobs, mutant or ""), len(span)
    failed = _show_json(results) if as_json else _show(results, count, jobs)
    if failed:
        click.get_current_context().exit(1)


@sim.command("replay", cls=LocalCommand)
@click.argument("seed", type=_SEED, default=0)
@_which
@option(
    "around",
    "Milliseconds to show before the failure",
    kind=click.IntRange(1, AROUND_MS_MAX),
    default=1_000,
)
@flag("all", "Print everything, not only what precedes a failure", into="everything")
def replay(
    *, seed: int, nodes: int, plan: str | None, mutant: str | None, around: int, everything: bool
) -> None:
    """Run one seed, or the plan in a file, and print what happened, near its failure if it fails.

    The exit code is 1 if it fails.
    """
    chosen = plan_of(seed, nodes) if plan is None else _read_plan(plan)
    before_ns = None if everything else around * NANOSECONDS_PER_MILLISECOND
    work = partial(replay_plan, before_ns=before_ns)
    ((failure, lines),) = each(work, [chosen], 1, mutant or "")
    for line in lines:
        click.echo(line)
    click.echo(f"seed {chosen.seed}: {failure or 'nothing failed'}")
    if failure:
        click.get_current_context().exit(1)


@sim.command("shrink", cls=LocalCommand)
@click.argument("seed", type=_SEED, default=0)
@_which
@option("out", "File to write the smaller plan to", default="plan.json")
def shrink(*, seed: int, nodes: int, plan: str | None, mutant: str | None, out: str) -> None:
    """Take faults away from a failing plan as long as it fails in the same way."""
    chosen = plan_of(seed, nodes) if plan is None else _read_plan(plan)

    def run_one(smaller: Plan) -> str:
        (result,) = each(run_plan, [smaller], 1, mutant or "")
        return result.failure

    failure = run_one(chosen)
    if not failure:
        raise click.ClickException(f"seed {chosen.seed} does not fail")
    smaller = shrink_plan(chosen, failure, run_one)
    try:
        Path(out).write_bytes(encode_plan(smaller))
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {reason_of(error)}") from None
    click.echo(f"{len(smaller.faults)} of {len(chosen.faults)} faults are left, in {out}")


@sim.command("mutants", cls=LocalCommand)
@flag("list", "List the planted bugs, as this command does without it, too", into="_listed")
@flag("json", "Print a JSON list", into="as_json")
def mutants(*, _listed: bool, as_json: bool) -> None:
    """List the bugs that can be planted."""
    if as_json:
        click.echo(json.dumps([{"name": each.name, "summary": each.summary} for each in MUTANTS]))
        return
    columns = max(len(each.name) for each in MUTANTS)
    for mutant in MUTANTS:
        click.echo(f"{mutant.name:<{columns}}  {mutant.summary}")


def _span(text: str) -> range:
    first, colon, end = text.partition(":")
    if not (colon and first.isdigit() and end.isdigit() and int(first) < int(end) <= SEEDS_MAX):
        raise click.UsageError(f"-seeds is FIRST:END, such as 0:200, and not {text!r}")
    return range(int(first), int(end))


def _read_plan(name: str) -> Plan:
    try:
        with Path(name).open("rb") as file:
            return decode_plan(file.read(PLAN_BYTES_MAX + 1))
    except OSError as error:
        raise click.ClickException(f"{name} cannot be read: {reason_of(error)}") from None
    except ValueError as error:
        raise click.ClickException(f"{name} is not a plan: {error}") from None


# -- results ------------------------------------------------------------------------------------


def _show_json(results: Iterable[Result]) -> int:
    """Print a line for each run; return how many failed."""
    failed = 0
    for result in results:
        failed += not result.ok
        described: dict[str, object] = msgspec.to_builtins(result)
        if result.ok:
            del described["failure"], described["failed_at_ns"]
        click.echo(json.dumps(described))
    return failed


def _show(results: Iterator[Result], count: int, jobs: int) -> int:
    """Print failures as they come, and a summary; return how many runs failed.

    On a terminal a bar shows how far it is; a line that is printed begins behind it.
    """
    totals = _Totals()
    has_bar = sys.stdout.isatty()
    bar = click.progressbar(results, length=count, label="seeds")
    with bar if has_bar else nullcontext(results) as shown:
        for result in shown:
            totals.add(result)
            if not result.ok:
                behind = "\n" if has_bar else ""
                click.echo(f"{behind}seed {result.seed} failed: {result.failure}")
    click.echo(totals.text(jobs))
    return totals.failed


class _Totals:
    """What many runs came to.

    Attributes:
        failed: how many failed.
    """

    def __init__(self) -> None:
        self._results: list[Result] = []
        self.failed = 0

    def add(self, result: Result) -> None:
        """Count one run in."""
        self._results.append(result)
        self.failed += not result.ok

    def text(self, jobs: int) -> str:
        """Return the summary of all runs."""
        results = self._results
        count = len(results)
        wall_s = sum(result.wall_s for result in results)
        asked = sum(result.operations for result in results)
        acknowledged = sum(result.acknowledged for result in results)
        changed = sum(result.leaders > 1 for result in results)
        rows = (
            ("seeds", f"{count}, of which {self.failed} failed"),
            ("seeds per second and core", f"{count / wall_s:.1f} ({jobs} jobs)"),
            ("simulated", f"{sum(result.virtual_ms for result in results) // 1000} s"),
            ("operations", f"{asked}, {100 * acknowledged // max(asked, 1)}% acknowledged"),
            ("faults", str(sum(result.faults for result in results))),
            ("leader changed", f"in {100 * changed // count}% of the seeds"),
            ("flushes", str(sum(result.flushes for result in results))),
            ("snapshots installed", str(sum(result.snapshots for result in results))),
            ("members replaced", str(sum(result.replaced for result in results))),
        )
        return "\n".join(f"{name:<28}{value}" for name, value in rows)
