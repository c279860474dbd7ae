"""Rounds: a warm-up that is not counted, then load for a while, with an eye on who is busy.

Owns the choice of the load generator and the order of rounds. Must not know what serves.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from server.bench import children, wrk
from server.bench.figure import number
from server.bench.generator import Job, Outcome
from server.bench.machine import Cores, Usage, Watch
from server.bench.settings import BenchError, Settings
from server.bench.workload import Target, Workload

OVERTIME_S_MAX: Final = 120.0
"""How much longer than its job our own client may take: an open loop may run late, see `loops`."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Who is loaded with what.

    Attributes:
        name: for people.
        target: where it listens.
        workload: what it is asked.
        pids: its processes.
    """

    name: str
    target: Target
    workload: Workload
    pids: Sequence[int]


class Round(msgspec.Struct, frozen=True):
    """One round.

    Attributes:
        outcome: of what is counted.
        usage: who was busy meanwhile.
        answered: all answers, those of the warm-up included.
        cut_off_max: how many more requests the load generator may have sent and not awaited.
    """

    outcome: Outcome
    usage: Usage
    answered: int
    cut_off_max: int


def rounds_condition(settings: Settings, seconds: float) -> str:
    """Say how many rounds there were, and how long."""
    return f"rounds: {settings.rounds} of {seconds:g} s, each after {settings.warmup_s:g} s warm-up"


class Load:
    """The load generator of a benchmark.

    Attributes:
        cores: where it and the server run.
        name: which it is.
    """

    def __init__(self, settings: Settings, directory: Path, cores: Cores) -> None:
        """Prepare to load; scripts and logs go to `directory`."""
        self.cores = cores
        self._settings = settings
        self._directory = directory
        self._wrk = wrk.find()
        self._runs = 0
        self.name = "wrk, one thread" if self._wrk else "own client, one process"

    @property
    def seconds(self) -> float:
        """How long a round of a closed loop is."""
        asked = self._settings.seconds
        return wrk.whole_seconds(asked) if self._wrk else asked

    @property
    def conditions(self) -> tuple[str, ...]:
        """Return what holds for all rounds."""
        return f"load by {self.name}", rounds_condition(self._settings, self.seconds)

    def closed(self, subject: Subject, connections: int | None = None) -> Round:
        """Load a subject as fast as it answers.

        Raises:
            BenchError: the load generator failed, or requests were refused.
        """
        return self._round(subject, connections or self._settings.connections, 0.0)

    def open(self, subject: Subject, rate: float) -> Round:
        """Load a subject with `rate` requests per second; always by our own client.

        Raises:
            BenchError: as `closed`.
        """
        taken = self._round(subject, self._settings.connections, rate)
        self._settings.say(
            f"open loop, {subject.name}: {number(rate)} per second,"
            f" p99 {number(taken.outcome.p99_ms)} ms"
        )
        return taken

    def alternate(
        self, subjects: Sequence[Subject], connections: int | None = None
    ) -> list[list[Round]]:
        """Load subjects in turn, again and again; return the rounds of each.

        Raises:
            BenchError: as `closed`.
        """
        rounds: list[list[Round]] = [[] for _ in subjects]
        for count in range(1, self._settings.rounds + 1):
            for subject, own in zip(subjects, rounds, strict=True):
                taken = self.closed(subject, connections)
                own.append(taken)
                self._settings.say(
                    f"round {count} of {self._settings.rounds}, {subject.name}:"
                    f" {number(taken.outcome.rate)} per second"
                )
        return rounds

    def _round(self, subject: Subject, connections: int, rate: float) -> Round:
        cut_off_max = 0 if rate or not self._wrk else connections
        answered = 0
        if self._settings.warmup_s:
            warm = self._perform(subject, connections, self._settings.warmup_s, rate)
            answered += warm.answered
        watch = Watch(subject.pids, self.cores)
        outcome = self._perform(subject, connections, self._settings.seconds, rate)
        try:
            usage = watch.usage(outcome.load_share)
        except OSError:
            raise BenchError(f"a process of {subject.name} has ended") from None
        runs = 2 if self._settings.warmup_s else 1
        return Round(outcome, usage, answered + outcome.answered, runs * cut_off_max)

    def _perform(self, subject: Subject, connections: int, seconds: float, rate: float) -> Outcome:
        self._runs += 1
        job = Job(
            target=subject.target,
            workload=subject.workload,
            connections=connections,
            seconds=seconds,
            run=self._runs,
            rate=rate,
        )
        core = self.cores.load
        if self._wrk and not rate:
            outcome = wrk.perform(self._wrk, job, self._directory, core)
        else:
            outcome = self._own(job, core)
        if outcome.refused:
            raise BenchError(
                f"{subject.name} refused {outcome.refused} of {outcome.answered} requests"
            )
        return outcome

    def _own(self, job: Job, core: int | None) -> Outcome:
        log = self._directory / "generator.log"
        ended = children.run(
            children.python_module("server.bench.generator"),
            log,
            job.seconds + OVERTIME_S_MAX,
            core=core,
            given=msgspec.json.encode(job),
        )
        if ended.code != 0:
            raise BenchError(f"the load generator failed: {children.tail(log)}")
        return msgspec.json.decode(ended.output, type=Outcome)


def rates(rounds: Sequence[Round]) -> list[float]:
    """Return the throughput of each round."""
    return [each.outcome.rate for each in rounds]


def usages(rounds: Sequence[Round]) -> list[Usage]:
    """Return who was busy in each round."""
    return [each.usage for each in rounds]
