"""One run from its seed or plan to its result.

Owns the order of a run: a cluster is founded, faults and clients act, all is healed, all must
answer, and what was seen is checked.
"""

import time
import traceback
from collections.abc import Sequence
from typing import Final

import msgspec

from core.check import InvariantBroken
from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from core.settings import RaftSettings, Settings, StoreSettings
from sim.checker.linearizability import check_linearizable
from sim.checker.oracle import check_oracle
from sim.chores import Chores
from sim.host import Host
from sim.invariants import ALL, Invariant, Violated
from sim.plan import Plan
from sim.plan_settings import PlanSettings
from sim.setup import OPERATOR, Operators
from sim.streams import Streams
from sim.swarm import draw_plan
from sim.timeline import TraceRecord, render, window
from sim.token_clients import TokenClients, UnexpectedTokenAnswer
from sim.turnover import Turnover
from sim.watch import Watch
from sim.workload import CLIENTS, KEYS, UnexpectedAnswer, Workload
from sim.world import World

AFTER_NS: Final = 100 * NANOSECONDS_PER_MILLISECOND
"""So much of what follows a failure is shown."""

GRACE_NS: Final = 5 * NANOSECONDS_PER_SECOND
"""After all is healed the cluster has this long to find itself again."""


class Result(msgspec.Struct, kw_only=True, omit_defaults=False):
    """What came of a run.

    Attributes:
        seed: its seed.
        ok: nothing was wrong.
        trace_hash: over all messages and answers; equal for equal runs.
        virtual_ms: simulated time.
        operations: operations that clients asked for.
        acknowledged: how many of them were answered.
        faults: faults of the plan that took place.
        leaders: terms with a leader.
        flushes: flushes of a base.
        snapshots: snapshots installed.
        replaced: members that were removed, their machines having joined anew.
        messages: messages between members.
        wall_s: real seconds that it took.
        failure: what was wrong.
        failed_at_ns: when, in virtual time; -1 if nothing was.
    """

    seed: int
    ok: bool
    trace_hash: str
    virtual_ms: int
    operations: int
    acknowledged: int
    faults: int
    leaders: int
    flushes: int
    snapshots: int
    replaced: int
    messages: int
    wall_s: float
    failure: str = ""
    failed_at_ns: int = -1


def draw_settings(streams: Streams) -> Settings:
    """Draw a node's limits: small ones, so that logs are cut and snapshots sent in short runs."""
    random = streams.stream("settings")
    memtable = random.choice((1 << 10, 2 << 10, 4 << 10, 16 << 10, 128 << 10))
    return Settings(
        raft=RaftSettings(
            append_bytes_max=random.choice((2 << 10, 16 << 10, 1 << 20)),
            inflight_messages_max=random.choice((1, 4, 64)),
            snapshot_chunk_bytes=random.choice((1 << 10, 4 << 10, 64 << 10)),
        ),
        store=StoreSettings(
            segment_bytes=random.choice((64 << 10, 256 << 10)),
            memtable_bytes_max=memtable,
            trailing_bytes_max=random.choice((0, 0, memtable // 2, memtable)),
            log_bytes_max=8 * memtable,
            retry_ns=200 * NANOSECONDS_PER_MILLISECOND,
        ),
    )


class Run:
    """A run under way.

    Attributes:
        world: the cluster.
        workload: its clients.
        token_clients: clients whose tokens end.
        operators: its operators.
        chores: what the operators do while clients work.
        turnover: members that they replace meanwhile.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        keeps_trace: bool = False,
        invariants: Sequence[type[Invariant]] = ALL,
    ) -> None:
        streams = Streams(plan.seed)
        self._plan = plan
        settings = draw_settings(streams)
        self.watch = Watch(self._started, invariants)
        self.world = World(
            streams,
            plan,
            settings,
            (OPERATOR, *CLIENTS),
            self.watch,
            keeps_trace=keeps_trace,
        )
        self.workload = Workload(self.world)
        self.token_clients = TokenClients(self.world, CLIENTS, KEYS[0])
        self.operators = Operators(self.world, self._ready)
        self.chores = Chores(self.world, self.operators)
        self.turnover = Turnover(self.world, self.operators)

    def _ready(self) -> None:
        until_ns = self._plan.healed_at_ns
        self.world.on_leader = self.workload.rush
        self.world.on_cut = self._cut
        self.workload.begin(self.operators.client_token, until_ns)
        self.token_clients.begin(self.operators.root_token, until_ns)
        self.chores.begin(until_ns)
        self.turnover.begin(until_ns)

    def _cut(self, machines: Sequence[str]) -> None:
        self.workload.crowd(machines)
        self.token_clients.crowd(machines)

    def _probe(self, _first: None, _second: None) -> None:
        left = self.turnover.left
        self.workload.probe([name for name in self._plan.nodes if name != left])

    def _started(self, host: Host) -> None:
        if self.operators.root_token:
            world = self.world
            world.at(world.time_ns + 1, self.operators.keep_open, host.machine, host.lives)

    def go(self) -> Result:
        """Run to the end; never raises for what the cluster did wrong."""
        started_s = time.perf_counter()
        failure = ""
        failed_at_ns = -1
        try:
            self._run()
        except (
            Violated,
            UnexpectedAnswer,
            UnexpectedTokenAnswer,
            InvariantBroken,
            RuntimeError,
        ) as error:
            failure = f"{type(error).__name__}: {error}"
            failed_at_ns = self.world.time_ns
        except Exception:  # noqa: BLE001 -- any error of the code under test is a finding
            failure = traceback.format_exc()
            failed_at_ns = self.world.time_ns
        return self._result(failure, failed_at_ns, time.perf_counter() - started_s)

    def _run(self) -> None:
        world = self.world
        plan = self._plan
        self.operators.begin()
        probe_ns = plan.healed_at_ns + GRACE_NS
        world.at(probe_ns, self._probe, None, None)
        world.run(plan.ends_at_ns)
        if not self.operators.ready:
            raise Violated("Liveness", "the cluster could not be set up")
        if self.workload.unanswered:
            raise Violated("Liveness", f"no answer: {sorted(self.workload.unanswered)}")
        self.watch.at_end(world)
        for violation in (
            *check_oracle(self.workload.history),
            *check_linearizable(self.workload.history),
        ):
            raise Violated("Linearizability", f"{violation.rule} {violation.explanation}")

    def _result(self, failure: str, failed_at_ns: int, wall_s: float) -> Result:
        world = self.world
        counts = world.counts
        return Result(
            seed=self._plan.seed,
            ok=not failure,
            trace_hash=world.trace_hash(),
            virtual_ms=world.time_ns // NANOSECONDS_PER_MILLISECOND,
            operations=self.workload.asked + self.token_clients.asked,
            acknowledged=self.workload.acknowledged + self.token_clients.acknowledged,
            faults=counts["faults"],
            leaders=len(world.terms),
            flushes=counts["flushes"],
            snapshots=counts["snapshots"],
            replaced=counts["installs"],
            messages=counts["messages"],
            wall_s=round(wall_s, 4),
            failure=failure,
            failed_at_ns=failed_at_ns,
        )


def run_seed(seed: int, nodes: int = 5) -> Result:
    """Draw the plan of a seed and run it."""
    return run_plan(plan_of(seed, nodes))


def run_plan(plan: Plan) -> Result:
    """Run a plan."""
    return Run(plan).go()


def replay_plan(plan: Plan, before_ns: int | None = None) -> tuple[str, list[str]]:
    """Run a plan; return how it failed, if it did, and the lines of its trace.

    Args:
        plan: what to run.
        before_ns: of a run that fails, show so much of what preceded; None: all.
    """
    running = Run(plan, keeps_trace=True)
    result = running.go()
    records: Sequence[TraceRecord] = running.world.records
    failed_at_ns = None if result.ok else result.failed_at_ns
    if failed_at_ns is not None and before_ns is not None:
        records = window(records, failed_at_ns, before_ns, AFTER_NS)
    return result.failure, list(render(records, plan.nodes, failed_at_ns))


def plan_of(seed: int, nodes: int) -> Plan:
    """Return the plan that is drawn from a seed."""
    names = tuple(f"n{number}" for number in range(1, nodes + 1))
    return draw_plan(Streams(seed), PlanSettings(nodes=names))
