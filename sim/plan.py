"""The plan of a run: which faults happen when.

Owns the plan as data and its file. Must not know how a fault is brought about, nor how a plan
is drawn. The plan, not the seed, is what a fixed defect leaves behind: a seed means something
else as soon as the code draws differently.
"""

from typing import Final

import msgspec

from sim.faults import (
    AUDIT_FILES,
    LEADER,
    NODES_MAX,
    AnyFault,
    AuditRefusal,
    BitRot,
    names_in,
)

FAULTS_MAX: Final = 1_000
PLAN_BYTES_MAX: Final = 1 << 20
"""The longest file of a plan."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to a cluster in one run.

    Attributes:
        seed: the seed of all streams of the run.
        nodes: the names of its members.
        faults: in the order of their start.
        healed_at_ns: when the last fault has ended; from then on all must answer again.
        ends_at_ns: when the run ends.
        audit_devices: how many audit devices are enabled, with the first so many `AUDIT_FILES`.
    """

    seed: int
    nodes: tuple[str, ...]
    faults: tuple[AnyFault, ...]
    healed_at_ns: int
    ends_at_ns: int
    audit_devices: int = 0

    def __post_init__(self) -> None:
        """Refuse a plan that no run can follow."""
        if not 0 < len(self.nodes) <= NODES_MAX or len(self.faults) > FAULTS_MAX:
            raise ValueError("the plan has too many nodes or faults, or no nodes")
        if not 0 <= self.healed_at_ns <= self.ends_at_ns:
            raise ValueError("the plan ends before it is healed")
        if not 0 <= self.audit_devices <= len(AUDIT_FILES):
            raise ValueError("the count of audit devices is out of range")
        rotten: list[str] = []
        for fault in self.faults:
            if fault.until_ns > self.healed_at_ns:
                raise ValueError("a fault lasts longer than the phase of faults")
            for name in names_in(fault):
                if name not in self.nodes and (name != LEADER or isinstance(fault, BitRot)):
                    raise ValueError(f"a fault names {name!r}, which is no node")
            if isinstance(fault, AuditRefusal) and any(
                path not in AUDIT_FILES[: self.audit_devices] for path in fault.files
            ):
                raise ValueError("a fault names an audit file of no device")
            if isinstance(fault, BitRot):
                rotten += fault.nodes
        if 2 * len(dict.fromkeys(rotten)) >= len(self.nodes):
            raise ValueError("bits rot on half of the nodes or more: nothing could repair that")


def encode_plan(plan: Plan) -> bytes:
    """Return the file of a plan: JSON, laid out for people."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def decode_plan(text: bytes) -> Plan:
    """Return the plan in a file.

    Raises:
        ValueError: it is none; the message says where.
    """
    if len(text) > PLAN_BYTES_MAX:
        raise ValueError(f"a plan has at most {PLAN_BYTES_MAX} bytes")
    return msgspec.json.decode(text, type=Plan)
