"""The faults that a plan is made of, as data.

Owns their records. Must not know how a fault is brought about: the network, the disks and the
world do that. Each fault is an episode with a start and a duration, so that taking one record
out of a plan takes its end out as well.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeVar

import msgspec

from core.moment import NANOSECONDS_PER_SECOND

LEADER: Final = "leader"
"""Stands among node names for the node that leads when the fault begins, or led last."""

AUDIT_FILES: Final = ("/audit/first", "/audit/second")
"""The audit files of each node, in the order in which plans use them."""

NODES_MAX: Final = 9
PERCENT: Final = 100
FACTOR_MAX: Final = 1_000
DRIFT_PPM_MAX: Final = 100_000
LATE_NS_MAX: Final = 10 * NANOSECONDS_PER_SECOND
CLOCK_JUMP_NS_MAX: Final = 10 * 366 * 86_400 * NANOSECONDS_PER_SECOND

Unsynced = Literal["drop", "keep", "tear"]
"""What a crash does to bytes that are written and not synced: none, all, or some survive."""

Amid = Literal["anything", "write", "replacement"]
"""When a crash comes: at once, as the log is written, or as a snapshot replaces the base."""

Way = Literal["both", "rightward", "leftward"]
"""Which links between two sides: all, those from left to right, or those from right to left."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One fault.

    Attributes:
        at_ns: when it begins, in virtual nanoseconds since the start of the run.
        for_ns: how long it lasts.
    """

    at_ns: int
    for_ns: int

    def __post_init__(self) -> None:
        """Refuse times that have no meaning."""
        _require(self.at_ns >= 0 and self.for_ns >= 0, "a time is negative")

    @property
    def until_ns(self) -> int:
        """When it ends."""
        return self.at_ns + self.for_ns


class NodeFault(Fault, frozen=True, kw_only=True):
    """A fault of some nodes.

    Attributes:
        nodes: their names; `LEADER` may be among them.
    """

    nodes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a fault of nobody."""
        super().__post_init__()
        _require(0 < len(self.nodes) <= NODES_MAX, "the count of nodes is out of range")


class LinkFault(Fault, frozen=True, kw_only=True):
    """A fault of all links between a node in `left` and another one in `right`.

    A bridge is a partition that names one node on neither side.

    Attributes:
        left: names of nodes; `LEADER` may be among them.
        right: the same; empty means all nodes that are not in `left`.
        way: which of the two directions has the fault.
    """

    left: tuple[str, ...]
    right: tuple[str, ...] = ()
    way: Way = "both"

    def __post_init__(self) -> None:
        """Refuse a fault of no link."""
        super().__post_init__()
        _require(0 < len(self.left) <= NODES_MAX, "the count of nodes is out of range")
        _require(len(self.right) <= NODES_MAX, "the count of nodes is out of range")


class Partition(LinkFault, frozen=True, tag="partition"):
    """What is sent is lost."""


class Loss(LinkFault, frozen=True, tag="loss"):
    """Each message is lost with that probability."""

    percent: int

    def __post_init__(self) -> None:
        """Refuse a probability that is none."""
        super().__post_init__()
        _require(0 < self.percent <= PERCENT, "the percentage is out of range")


class Duplication(LinkFault, frozen=True, tag="duplication"):
    """Each message that is not lost arrives twice with that probability."""

    percent: int

    def __post_init__(self) -> None:
        """Refuse a probability that is none."""
        super().__post_init__()
        _require(0 < self.percent <= PERCENT, "the percentage is out of range")


class Delay(LinkFault, frozen=True, tag="delay"):
    """Each message takes `factor` times as long."""

    factor: int

    def __post_init__(self) -> None:
        """Refuse a factor that is out of range."""
        super().__post_init__()
        _require(1 <= self.factor <= FACTOR_MAX, "the factor is out of range")


class Clog(LinkFault, frozen=True, tag="clog"):
    """What is sent is held back, and arrives out of order after the end of the fault."""


class Crash(NodeFault, frozen=True, tag="crash"):
    """The node loses its memory, and starts again when no such fault is in force any more.

    Attributes:
        unsynced: what happens to bytes that are not synced.
        amid: unless it is `anything`, do not crash at once but about the next such work of the
            node's disk, so that there is something to lose or to mix up; never, if there is none
            before the end of the fault.
    """

    unsynced: Unsynced
    amid: Amid = "anything"


class Stop(NodeFault, frozen=True, tag="stop"):
    """The process is asked to end: it may hand over leadership, ends, and starts again after."""


class Pause(NodeFault, frozen=True, tag="pause"):
    """The node gets no turn; what reaches it meanwhile waits for it.

    Attributes:
        amid_turn: it begins within the next turn that writes the log: all that comes of that
            turn happens after the pause; never, if there is no such turn before its end.
    """

    amid_turn: bool = False


class ClockJump(NodeFault, frozen=True, tag="clock_jump"):
    """The wall clock is `by_ns` ahead (or behind, if negative) of what it would be."""

    by_ns: int

    def __post_init__(self) -> None:
        """Refuse a jump out of bounds."""
        super().__post_init__()
        _require(abs(self.by_ns) <= CLOCK_JUMP_NS_MAX, "the jump is out of range")


class ClockDrift(NodeFault, frozen=True, tag="clock_drift"):
    """Both clocks run too fast (or too slow, if negative) by that many parts in a million.

    Drifts do not add up, lest they exceed the bound that leases rely on: of two in force, the
    one that began last counts.
    """

    ppm: int

    def __post_init__(self) -> None:
        """Refuse a drift out of bounds."""
        super().__post_init__()
        _require(abs(self.ppm) <= DRIFT_PPM_MAX, "the drift is out of range")


class DiskFull(NodeFault, frozen=True, tag="disk_full"):
    """The disk has no room for another segment, a flush of the base, or a snapshot."""


class SlowDisk(NodeFault, frozen=True, tag="slow_disk"):
    """The disk takes `factor` times as long."""

    factor: int

    def __post_init__(self) -> None:
        """Refuse a factor that is out of range."""
        super().__post_init__()
        _require(1 <= self.factor <= FACTOR_MAX, "the factor is out of range")


class BitRot(NodeFault, frozen=True, tag="bit_rot"):
    """One record of the base no longer matches its checksum; `for_ns` says nothing."""


class AuditRefusal(NodeFault, frozen=True, tag="audit_refusal"):
    """Audit files take no record, as if they could not be opened.

    Attributes:
        files: their paths, each one of `AUDIT_FILES`.
    """

    files: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse files that no node has."""
        super().__post_init__()
        known = all(path in AUDIT_FILES for path in self.files)
        _require(known and bool(self.files), "no audit file is named, or an unknown one")


class SlowAudit(NodeFault, frozen=True, tag="slow_audit"):
    """Each append to audit files is late; the node, which waits for it, stands still.

    Attributes:
        late_ns: for how long.
    """

    late_ns: int

    def __post_init__(self) -> None:
        """Refuse a time that is out of range."""
        super().__post_init__()
        _require(0 < self.late_ns <= LATE_NS_MAX, "the time is out of range")


AnyLinkFault = Partition | Loss | Duplication | Delay | Clog
AnyFault = (
    AnyLinkFault
    | Crash
    | Stop
    | Pause
    | ClockJump
    | ClockDrift
    | DiskFull
    | SlowDisk
    | BitRot
    | AuditRefusal
    | SlowAudit
)
"""The closed unions of faults."""

FaultKind = TypeVar("FaultKind", bound=AnyFault)


def resolve(fault: FaultKind, leader: str) -> FaultKind:
    """Return `fault` with `leader` in the place of `LEADER`."""
    fields = ("left", "right") if isinstance(fault, LinkFault) else ("nodes",)
    changes = {field: _named(getattr(fault, field), leader) for field in fields}
    return msgspec.structs.replace(fault, **changes)


def names_in(fault: AnyFault) -> tuple[str, ...]:
    """Return all names that `fault` mentions, `LEADER` included."""
    return fault.left + fault.right if isinstance(fault, LinkFault) else fault.nodes


def links_of(fault: LinkFault, nodes: Sequence[str]) -> list[tuple[str, str]]:
    """Return the links (sender, receiver) of a resolved fault, each once; `nodes` are all."""
    right = fault.right or tuple(name for name in nodes if name not in fault.left)
    pairs = [(one, other) for one in fault.left for other in right if one != other]
    back = [(other, one) for one, other in pairs]
    chosen = {"both": pairs + back, "rightward": pairs, "leftward": back}[fault.way]
    return list(dict.fromkeys(chosen))


def _named(names: tuple[str, ...], leader: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(leader if name == LEADER else name for name in names))


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 -- it is the subject
    """Raise ValueError, which msgspec reports with the place in the file, unless `condition`."""
    if not condition:
        raise ValueError(message)
