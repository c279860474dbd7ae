"""`bench read`: one durable node on one core, TLS and audit on, beside a bare JSON application.

Owns the course of this benchmark.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from server.bench import bare_app, node
from server.bench.audit_count import AuditLedger
from server.bench.certificate import Certificate, write_certificate
from server.bench.figure import Figure, Report, number, of_rounds
from server.bench.load import Load, Round, Subject, rates, rounds_condition, usages
from server.bench.machine import Cores, choose_cores, limited_by, resident_bytes
from server.bench.place import disk_condition, workplace
from server.bench.settings import VALUE_BYTES, PeerUnavailable, Settings
from server.bench.workload import kv_read

OPEN_LOOP_SHARE: Final = 0.7
"""The open loop asks for this share of what the closed loop reached."""

_BYTES_PER_MB: Final = 1_000_000


def read(settings: Settings) -> Report:
    """Measure KV version 2 reads.

    Raises:
        BenchError: the node or the load generator failed.
    """
    cores = choose_cores()
    with workplace(settings) as directory, ExitStack() as stack:
        certificate = write_certificate(directory)
        conditions = single_node_conditions(settings, directory, cores)
        starts = _starts(settings, directory, certificate, cores)
        server = stack.enter_context(node.started(directory / "node", certificate, cores))
        starts.append(server)
        filled = node.fill(server, settings)
        workload = kv_read(filled.token, settings.keys)
        pid = server.process.pid
        ours = Subject(name="holdfast", target=server.target, workload=workload, pids=[pid])
        subjects = [ours]
        try:
            target, process = stack.enter_context(bare_app.bare_app(directory, certificate, cores))
        except PeerUnavailable as error:
            settings.say(f"no peer: {error}")
        else:
            peer = Subject(name=bare_app.NAME, target=target, workload=workload, pids=[process.pid])
            subjects.append(peer)
        load = Load(settings, directory, cores)
        taken = load.alternate(subjects)
        figures = [_throughput(taken, load, conditions)]
        rate = figures[0].value * OPEN_LOOP_SHARE
        opened = [load.open(ours, rate) for _ in range(settings.rounds)]
        figures += _latencies(opened, rate, settings, conditions)
        record(filled.ledger, [*taken[0], *opened])
        count = filled.ledger.count()
        figures += _process_figures(starts, resident_bytes(pid), conditions)
        figures.append(count.figure(conditions))
    return Report(figures, count.problems())


def single_node_conditions(settings: Settings, directory: Path, cores: Cores) -> tuple[str, ...]:
    """Return the conditions of all figures of one durable node."""
    return (
        "TLS",
        "file audit device",
        "1 durable node",
        f"{settings.connections} connections",
        f"{settings.keys} keys of {VALUE_BYTES} bytes",
        "policy of 20 rules",
        cores.condition,
        disk_condition(directory),
    )


def record(ledger: AuditLedger, rounds: list[Round]) -> None:
    """Count the requests of rounds."""
    for each in rounds:
        ledger.add(each.answered, each.cut_off_max)


def _starts(
    settings: Settings, directory: Path, certificate: Certificate, cores: Cores
) -> list[node.Started]:
    """Start new nodes and end them again, all but the one that will be loaded."""
    starts = []
    for count in range(settings.rounds - 1):
        with node.started(directory / f"start{count}", certificate, cores) as server:
            starts.append(server)
    return starts


def _throughput(taken: list[list[Round]], load: Load, conditions: tuple[str, ...]) -> Figure:
    ours, *peers = taken
    return of_rounds(
        "KV v2 read",
        rates(ours),
        "requests/s",
        (*conditions, *load.conditions, limited_by(usages(ours), load.cores, durable=False)),
        theirs=[rate for peer in peers for rate in rates(peer)],
        against=f"{bare_app.NAME}, TLS" if peers else "",
    )


def _latencies(
    opened: list[Round], rate: float, settings: Settings, conditions: tuple[str, ...]
) -> list[Figure]:
    told = (
        *conditions,
        f"open loop by own client, {number(rate)} per second",
        rounds_condition(settings, settings.seconds),
        f"load generator {max(each.usage.load for each in opened):.0%} of a core",
    )
    share = f"{OPEN_LOOP_SHARE:.0%}"
    return [
        of_rounds(
            f"KV v2 read p50 at {share}", [each.outcome.p50_ms for each in opened], "ms", told
        ),
        of_rounds(
            f"KV v2 read p99 at {share}", [each.outcome.p99_ms for each in opened], "ms", told
        ),
    ]


def _process_figures(
    starts: list[node.Started], loaded_bytes: int, conditions: tuple[str, ...]
) -> list[Figure]:
    first_answers = [each.first_answer_s for each in starts]
    sizes_mb = [each.resident_bytes / _BYTES_PER_MB for each in starts]
    started = f"starts: {len(starts)}, each with an empty data directory"
    return [
        of_rounds("time to first answer", first_answers, "s", (*conditions, started)),
        of_rounds("resident memory after start", sizes_mb, "MB", (*conditions, started)),
        Figure(
            name="resident memory after load",
            value=loaded_bytes / _BYTES_PER_MB,
            unit="MB",
            conditions=conditions,
        ),
    ]
