"""How a plan of faults is drawn from a seed.

Owns the odds. Must not know how a fault is brought about. Swarm testing (Groce et al., ISSTA
2012): each seed uses a random subset of the kinds of faults, so that no kind always hides what
another one would show.
"""

import math
from collections.abc import Callable
from random import Random
from typing import Final

from core.moment import NANOSECONDS_PER_MILLISECOND
from sim.faults import (
    AUDIT_FILES,
    LEADER,
    Amid,
    AnyFault,
    AuditRefusal,
    BitRot,
    ClockDrift,
    ClockJump,
    Clog,
    Crash,
    Delay,
    DiskFull,
    Duplication,
    Loss,
    Partition,
    Pause,
    SlowAudit,
    SlowDisk,
    Stop,
    Unsynced,
    Way,
)
from sim.plan import Plan
from sim.plan_settings import LEADERSHIP_FAULT_NS_MIN, PlanSettings
from sim.streams import Streams

CALM_SEEDS_ONE_IN: Final = 16
"""In one seed of so many, nothing sees to it that the leader changes."""

STRANDED_OF: Final = 2
"""Of so many plans, all but one strand nodes that write; see `stranded`."""

_STRANDED_TIMES: Final = 2
_LOSS_PERCENTS: Final = (1, 5, 10, 30)
_DUPLICATION_PERCENTS: Final = (1, 10, 50)
_DELAY_FACTORS: Final = (2, 5, 20)
_DISK_FACTORS: Final = (10, 50, 200)
_LATE_NS: Final = tuple(late_ms * NANOSECONDS_PER_MILLISECOND for late_ms in (2, 10, 100, 1_000))
_AUDIT_DEVICES: Final = (0, 0, 0, 1, 2)
_MILD: Final = 2
"""A fault that lasts for the whole phase takes one of so many mildest values."""
_WAYS: Final[tuple[Way, ...]] = ("both", "both", "rightward", "leftward")
_UNSYNCED: Final[tuple[Unsynced, ...]] = ("drop", "keep", "tear", "tear")
_AMID: Final[tuple[Amid, ...]] = ("anything", "anything", "write", "replacement")


def draw_plan(streams: Streams, settings: PlanSettings) -> Plan:
    """Draw a plan from the stream called `plan`."""
    random = streams.stream("plan")
    audit_devices = random.choice(_AUDIT_DEVICES)
    return Plan(
        seed=streams.seed,
        nodes=settings.nodes,
        faults=_Draw(random, settings, audit_devices).faults(),
        healed_at_ns=settings.healed_at_ns,
        ends_at_ns=settings.ends_at_ns,
        audit_devices=audit_devices,
    )


class _Draw:
    """Draws the faults of one plan."""

    def __init__(self, random: Random, settings: PlanSettings, audit_devices: int) -> None:
        self.random = random
        self.settings = settings
        self.nodes = settings.nodes
        self.audit_files = AUDIT_FILES[:audit_devices]
        self.rotten = random.sample(self.nodes, settings.rotten_nodes_max)

    def faults(self) -> tuple[AnyFault, ...]:
        """Draw all faults, in the order of their start."""
        kinds = dict(_NODE_KINDS)
        if len(self.nodes) > 1:
            kinds |= _LINK_KINDS
        if self.audit_files:
            kinds |= _AUDIT_KINDS
        if self.rotten:
            kinds["bit_rot"] = _Draw.bit_rot
        enabled = [kind for kind in kinds if self.random.getrandbits(1)]
        if "crash" not in enabled and "partition" not in enabled and "pause" not in enabled:
            enabled.append("crash")
        faults: list[AnyFault] = []
        if self.random.randrange(CALM_SEEDS_ONE_IN):
            faults.append(self.leadership_fault(enabled))
        count = self.random.randint(self.settings.faults_min, self.settings.faults_max)
        if len(self.nodes) > 1 and self.random.randrange(STRANDED_OF):
            faults += self.stranded()
        if "disk_full" in enabled and "crash" in enabled:
            faults += self.cramped()
        while len(faults) < count:
            faults.append(kinds[self.random.choice(enabled)](self))
        return tuple(sorted(faults, key=lambda fault: fault.at_ns))

    def leadership_fault(self, enabled: list[str]) -> AnyFault:
        """Draw a fault that takes the leader out for long enough to elect another one."""
        kind = self.random.choice([kind for kind in enabled if kind in _LEADERSHIP_KINDS])
        for_ns = self.random.randint(LEADERSHIP_FAULT_NS_MIN, self.settings.fault_ns_max)
        at_ns = self.start_ns(for_ns)
        if kind == "partition":
            return Partition(at_ns=at_ns, for_ns=for_ns, left=(LEADER,), way=self.way())
        if kind == "pause":
            return Pause(at_ns=at_ns, for_ns=for_ns, nodes=(LEADER,))
        return Crash(at_ns=at_ns, for_ns=for_ns, nodes=(LEADER,), unsynced=self.unsynced())

    def stranded(self) -> tuple[AnyFault, ...]:
        """Let nodes take entries of a leader that all others leave behind, now and then."""
        longest_ns = self.settings.fault_ns_max // 2
        faults: tuple[AnyFault, ...] = ()
        episodes = (self.held_up, self.cut_off, self.cut_off)
        for episode in self.random.sample(episodes, _STRANDED_TIMES):
            for_ns = self.random.randint(longest_ns // 2, longest_ns)
            node = self.random.choice(self.nodes)
            faults += episode(node, self.start_ns(2 * for_ns), for_ns)
        return faults

    def held_up(self, node: str, at_ns: int, for_ns: int) -> tuple[AnyFault, AnyFault]:
        """Leave the leader to one node, which is held up as it writes until another leads.

        Its write is under way when entries of that other leader void it.
        """
        others = tuple(name for name in self.nodes if name != node)
        begin_ns = at_ns + self.random.randrange(for_ns // 8)
        return (
            Partition(at_ns=at_ns, for_ns=for_ns, left=(LEADER,), right=others),
            Pause(at_ns=begin_ns, for_ns=for_ns, nodes=(node,), amid_turn=True),
        )

    def cut_off(self, node: str, at_ns: int, for_ns: int) -> tuple[AnyFault, AnyFault]:
        """Cut the leader and one node off, which crashes as a snapshot replaces its base.

        Until it writes on, its log still has what only these two had, of which the snapshot, or
        what comes of the crash, knows nothing.
        """
        down_ns = self.random.randint(for_ns // 2, for_ns)
        return (
            Partition(at_ns=at_ns, for_ns=for_ns, left=(LEADER, node)),
            Crash(
                at_ns=at_ns + for_ns,
                for_ns=down_ns,
                nodes=(node,),
                unsynced=self.unsynced(),
                amid="replacement",
            ),
        )

    def cramped(self) -> tuple[AnyFault, AnyFault]:
        """Fill the disk of a node that was away as it takes in what it has missed."""
        longest_ns = self.settings.fault_ns_max // 2
        for_ns = self.random.randint(longest_ns // 2, longest_ns)
        nodes = (self.random.choice(self.nodes),)
        at_ns = self.start_ns(2 * for_ns)
        full_ns = at_ns + for_ns + self.random.randrange(for_ns // 16)
        return (
            Crash(at_ns=at_ns, for_ns=for_ns, nodes=nodes, unsynced=self.unsynced()),
            DiskFull(at_ns=full_ns, for_ns=for_ns // 2, nodes=nodes),
        )

    # What faults have in common

    def start_ns(self, for_ns: int) -> int:
        """Draw when a fault of that duration starts."""
        return self.random.randint(self.settings.quiet_ns, self.settings.healed_at_ns - for_ns)

    def span(self) -> tuple[int, int]:
        """Draw start and duration; short ones are as likely as long ones."""
        shortest, longest = self.settings.fault_ns_min, self.settings.fault_ns_max
        for_ns = int(shortest * math.exp(self.random.random() * math.log(longest / shortest)))
        return self.start_ns(for_ns), for_ns

    def strength(self, values: tuple[int, ...]) -> tuple[int, int, int]:
        """Draw start, duration and one of `values`; a quarter lasts long and is mild."""
        if self.random.randrange(4):
            return (*self.span(), self.random.choice(values))
        at_ns = self.settings.quiet_ns
        return at_ns, self.settings.healed_at_ns - at_ns, self.random.choice(values[:_MILD])

    def way(self) -> Way:
        """Draw a direction."""
        return self.random.choice(_WAYS)

    def unsynced(self) -> Unsynced:
        """Draw what a crash does."""
        return self.random.choice(_UNSYNCED)

    def some(self, count: int) -> tuple[str, ...]:
        """Draw that many nodes, in their usual order."""
        chosen = self.random.sample(self.nodes, count)
        return tuple(name for name in self.nodes if name in chosen)

    def one(self) -> str:
        """Draw a node: as often as not the one that leads."""
        return LEADER if self.random.getrandbits(1) else self.random.choice(self.nodes)

    def few(self) -> tuple[str, ...]:
        """Draw one node, or in a quarter of cases any number of nodes."""
        if self.random.randrange(4):
            return (self.one(),)
        return self.some(self.random.randint(1, len(self.nodes)))

    def sides(self) -> tuple[tuple[str, ...], tuple[str, ...], Way]:
        """Draw which links a fault is on: all of them, or those of one node."""
        if self.random.getrandbits(1):
            return self.nodes, self.nodes, "both"
        return (self.one(),), (), self.way()

    # One fault of each kind

    def partition(self) -> AnyFault:
        """Isolate a node, cut off a minority, cut some links, or leave a bridge."""
        at_ns, for_ns = self.span()
        count = len(self.nodes)
        form = self.random.choice(("isolate", "minority", "cut", "bridge"))
        left: tuple[str, ...] = (self.one(),)
        right: tuple[str, ...] = ()
        if form == "minority":
            left = tuple(dict.fromkeys(left + self.some(max(1, (count - 1) // 2) - 1)))
        elif form == "cut":
            right = self.some(min(2, count))
        elif form == "bridge":
            ends = self.random.sample(self.nodes, count)[1:]
            left, right = tuple(ends[: count // 2]), tuple(ends[count // 2 :])
        way = self.way()
        return Partition(at_ns=at_ns, for_ns=for_ns, left=left, right=right, way=way)

    def loss(self) -> AnyFault:
        """Lose some messages."""
        at_ns, for_ns, percent = self.strength(_LOSS_PERCENTS)
        left, right, way = self.sides()
        return Loss(at_ns=at_ns, for_ns=for_ns, left=left, right=right, way=way, percent=percent)

    def duplication(self) -> AnyFault:
        """Deliver some messages twice."""
        at_ns, for_ns, percent = self.strength(_DUPLICATION_PERCENTS)
        left, right, way = self.sides()
        return Duplication(
            at_ns=at_ns, for_ns=for_ns, left=left, right=right, way=way, percent=percent
        )

    def delay(self) -> AnyFault:
        """Slow messages down."""
        at_ns, for_ns, factor = self.strength(_DELAY_FACTORS)
        left, right, way = self.sides()
        return Delay(at_ns=at_ns, for_ns=for_ns, left=left, right=right, way=way, factor=factor)

    def clog(self) -> AnyFault:
        """Hold messages back."""
        at_ns, for_ns = self.span()
        left, right, way = self.sides()
        return Clog(at_ns=at_ns, for_ns=for_ns, left=left, right=right, way=way)

    def crash(self) -> AnyFault:
        """Crash and restart."""
        at_ns, for_ns = self.span()
        return Crash(
            at_ns=at_ns,
            for_ns=for_ns,
            nodes=self.few(),
            unsynced=self.unsynced(),
            amid=self.random.choice(_AMID),
        )

    def pause(self) -> AnyFault:
        """Stall a process."""
        at_ns, for_ns = self.span()
        amid_turn = bool(self.random.getrandbits(1))
        return Pause(at_ns=at_ns, for_ns=for_ns, nodes=self.few(), amid_turn=amid_turn)

    def stop(self) -> AnyFault:
        """End a process in good order, and start it again."""
        at_ns, for_ns = self.span()
        return Stop(at_ns=at_ns, for_ns=for_ns, nodes=(self.one(),))

    def clock_jump(self) -> AnyFault:
        """Set a wall clock wrong; small steps are as likely as large ones."""
        at_ns, for_ns = self.span()
        largest = self.settings.clock_jump_ns_max / NANOSECONDS_PER_MILLISECOND
        by_ns = int(NANOSECONDS_PER_MILLISECOND * largest ** self.random.random())
        if self.random.getrandbits(1):
            by_ns = -by_ns
        return ClockJump(at_ns=at_ns, for_ns=for_ns, nodes=self.few(), by_ns=by_ns)

    def clock_drift(self) -> AnyFault:
        """Let the clocks of a node run fast or slow."""
        at_ns, for_ns = self.span()
        bound = self.settings.drift_ppm_max
        drift = self.random.choice((-bound, bound))
        return ClockDrift(at_ns=at_ns, for_ns=for_ns, nodes=self.few(), ppm=drift)

    def disk_full(self) -> AnyFault:
        """Fill a disk."""
        at_ns, for_ns = self.span()
        return DiskFull(at_ns=at_ns, for_ns=for_ns, nodes=self.few())

    def slow_disk(self) -> AnyFault:
        """Slow a disk down."""
        at_ns, for_ns, factor = self.strength(_DISK_FACTORS)
        return SlowDisk(at_ns=at_ns, for_ns=for_ns, nodes=self.few(), factor=factor)

    def audit_refusal(self) -> AnyFault:
        """Let one audit file, or all of them, take no records."""
        at_ns, for_ns = self.span()
        files = self.audit_files
        if self.random.getrandbits(1):
            files = (self.random.choice(files),)
        return AuditRefusal(at_ns=at_ns, for_ns=for_ns, nodes=self.few(), files=files)

    def slow_audit(self) -> AnyFault:
        """Let a node stand still whenever it appends to its audit files."""
        at_ns, for_ns, late_ns = self.strength(_LATE_NS)
        return SlowAudit(at_ns=at_ns, for_ns=for_ns, nodes=self.few(), late_ns=late_ns)

    def bit_rot(self) -> AnyFault:
        """Damage a record of the base of a node that may rot."""
        nodes = (self.random.choice(self.rotten),)
        return BitRot(at_ns=self.start_ns(0), for_ns=0, nodes=nodes)


_Drawer = Callable[[_Draw], AnyFault]

_LEADERSHIP_KINDS: Final = ("crash", "partition", "pause")
_NODE_KINDS: Final[dict[str, _Drawer]] = {
    "crash": _Draw.crash,
    "stop": _Draw.stop,
    "pause": _Draw.pause,
    "clock_jump": _Draw.clock_jump,
    "clock_drift": _Draw.clock_drift,
    "disk_full": _Draw.disk_full,
    "slow_disk": _Draw.slow_disk,
}
_AUDIT_KINDS: Final[dict[str, _Drawer]] = {
    "audit_refusal": _Draw.audit_refusal,
    "slow_audit": _Draw.slow_audit,
}
_LINK_KINDS: Final[dict[str, _Drawer]] = {
    "partition": _Draw.partition,
    "loss": _Draw.loss,
    "duplication": _Draw.duplication,
    "delay": _Draw.delay,
    "clog": _Draw.clog,
}
