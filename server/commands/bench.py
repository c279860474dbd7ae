"""`bench`: take figures from real processes on this machine, beside peers where they are installed.

Owns the flags, how figures are shown, and the exit code.
"""

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from server.bench.cluster import cluster as bench_cluster
from server.bench.failover import failover as bench_failover
from server.bench.figure import Report, render_json, render_table
from server.bench.read import read as bench_read
from server.bench.settings import (
    CONNECTIONS_MAX,
    KEYS_MAX,
    ROUNDS_MAX,
    SECONDS_MAX,
    BenchError,
    Settings,
)
from server.bench.simulation import simulation
from server.bench.write import write as bench_write
from server.flags import LocalCommand, LocalGroup, flag, option

SEEDS_MAX: Final = 100_000
FAILOVER_ROUNDS: Final = 20

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_ROUNDS: Final = click.IntRange(1, ROUNDS_MAX)
_DIRECTORY: Final = option("dir", "Where temporary files go, for the disk to be measured")
_JSON: Final = flag("json", "Print a JSON list", into="as_json")


def _loaded(function: _Decorated) -> _Decorated:
    """Give a command the options of a benchmark under load."""
    for add in (
        _JSON,
        _DIRECTORY,
        option("keys", "Keys to read and write", kind=click.IntRange(1, KEYS_MAX), default=10_000),
        option(
            "connections",
            "Connections of the load generator",
            kind=click.IntRange(1, CONNECTIONS_MAX),
            default=32,
        ),
        option("warmup", "Seconds of load before each round, not counted", default="2"),
        option("rounds", "How often each side is measured, in turn", kind=_ROUNDS, default=3),
        option("seconds", "Length of a round", default="5"),
    ):
        function = add(function)
    return function


@click.group("bench", cls=LocalGroup)
def bench() -> None:
    """Measure Holdfast on this machine; see docs/benchmarks.md for how to read the figures."""


@bench.command("read", cls=LocalCommand)
@_loaded
def read(*, as_json: bool, **given: Any) -> None:  # noqa: ANN401 -- click names the options
    """Reads of one durable node on one core, with TLS and audit."""
    show(bench_read, _settings(**given), as_json=as_json)


@bench.command("write", cls=LocalCommand)
@_loaded
def write(*, as_json: bool, **given: Any) -> None:  # noqa: ANN401 -- click names the options
    """Writes to one durable node on one core, with TLS and audit."""
    show(bench_write, _settings(**given), as_json=as_json)


@bench.command("cluster", cls=LocalCommand)
@_loaded
def cluster(*, as_json: bool, **given: Any) -> None:  # noqa: ANN401 -- click names the options
    """Writes to and reads from three durable nodes, on plain HTTP."""
    show(bench_cluster, _settings(**given), as_json=as_json)


@bench.command("failover", cls=LocalCommand)
@option("rounds", "How often the leader is killed", kind=_ROUNDS, default=FAILOVER_ROUNDS)
@_DIRECTORY
@_JSON
def failover(*, rounds: int, dir: str | None, as_json: bool) -> None:  # noqa: A002 -- the flag's name
    """Time from the kill of a leader to the first write that is acknowledged."""
    settings = Settings(rounds=rounds, directory=dir or "", say=_say)
    show(bench_failover, settings, as_json=as_json)


@bench.command("sim", cls=LocalCommand)
@option("seeds", "How many seeds are run", kind=click.IntRange(1, SEEDS_MAX), default=50)
@_DIRECTORY
@_JSON
def sim(*, seeds: int, dir: str | None, as_json: bool) -> None:  # noqa: A002 -- the flag's name
    """Seeds of the simulator, one after another on one core."""
    settings = Settings(directory=dir or "", say=_say)
    show(lambda given: simulation(given, 0, seeds), settings, as_json=as_json)


def _settings(
    *,
    seconds: str,
    rounds: int,
    warmup: str,
    connections: int,
    keys: int,
    dir: str | None,  # noqa: A002 -- the flag's name
) -> Settings:
    return Settings(
        seconds=_seconds("seconds", seconds, above=0.0),
        rounds=rounds,
        warmup_s=_seconds("warmup", warmup),
        connections=connections,
        keys=keys,
        directory=dir or "",
        say=_say,
    )


def _seconds(name: str, text: str, above: float = -math.inf) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (above < seconds and 0 <= seconds <= SECONDS_MAX):
        raise click.UsageError(f"-{name} is seconds, up to {SECONDS_MAX:.0f}, and not {text!r}")
    return seconds


def _say(progress: str) -> None:
    click.echo(progress, err=True)


def show(measure: Callable[[Settings], Report], settings: Settings, *, as_json: bool) -> None:
    """Measure and print; the exit code is 1 if anything was wrong.

    Raises:
        click.ClickException: there are no figures.
    """
    try:
        with _ended_by_sigterm():
            report = measure(settings)
    except BenchError as error:
        raise click.ClickException(str(error)) from None
    click.echo(render_json(report.figures) if as_json else render_table(report.figures))
    for problem in report.problems:
        click.echo(problem, err=True)
    if report.problems:
        click.get_current_context().exit(1)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that it too ends what was started and takes files away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
