"""Plans and their files."""

import msgspec
import pytest

from sim.faults import (
    AUDIT_FILES,
    LEADER,
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
)
from sim.plan import PLAN_BYTES_MAX, Plan, decode_plan, encode_plan

PLAN = Plan(
    seed=7,
    nodes=("n1", "n2", "n3"),
    faults=(
        Partition(at_ns=1, for_ns=2, left=(LEADER,), way="rightward"),
        Loss(at_ns=1, for_ns=2, left=("n1",), right=("n2",), percent=30),
        Duplication(at_ns=1, for_ns=2, left=("n1",), percent=50),
        Delay(at_ns=1, for_ns=2, left=("n1",), factor=5),
        Clog(at_ns=1, for_ns=2, left=("n1",)),
        Crash(at_ns=1, for_ns=2, nodes=("n1", LEADER), unsynced="tear", amid="write"),
        Pause(at_ns=1, for_ns=2, nodes=("n1",)),
        ClockJump(at_ns=1, for_ns=2, nodes=("n1",), by_ns=-5),
        ClockDrift(at_ns=1, for_ns=2, nodes=("n1",), ppm=-100),
        DiskFull(at_ns=1, for_ns=2, nodes=("n1",)),
        SlowDisk(at_ns=1, for_ns=2, nodes=("n1",), factor=10),
        BitRot(at_ns=1, for_ns=0, nodes=("n1",)),
        AuditRefusal(at_ns=1, for_ns=2, nodes=("n1",), files=AUDIT_FILES),
        SlowAudit(at_ns=1, for_ns=2, nodes=("n1",), late_ns=5),
    ),
    healed_at_ns=3,
    ends_at_ns=4,
    audit_devices=2,
)


def test_a_plan_survives_its_file() -> None:
    assert PLAN == decode_plan(encode_plan(PLAN))


def test_the_file_is_for_people() -> None:
    plan = Plan(
        seed=7,
        nodes=("n1",),
        faults=(DiskFull(at_ns=1, for_ns=2, nodes=("n1",)),),
        healed_at_ns=3,
        ends_at_ns=4,
    )

    assert encode_plan(plan).decode() == (
        '{\n  "seed": 7,\n  "nodes": [\n    "n1"\n  ],\n  "faults": [\n    {\n'
        '      "kind": "disk_full",\n      "at_ns": 1,\n      "for_ns": 2,\n      "nodes": [\n'
        '        "n1"\n      ]\n    }\n  ],\n  "healed_at_ns": 3,\n  "ends_at_ns": 4,\n'
        '  "audit_devices": 0\n}\n'
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": ()}, "no nodes"),
        ({"nodes": ("n",) * 10}, "too many nodes"),
        ({"faults": (PLAN.faults[0],) * 1_001}, "too many nodes or faults"),
        ({"audit_devices": 3}, "audit devices is out of range"),
        ({"audit_devices": 1}, "names an audit file"),
        ({"ends_at_ns": 2}, "ends before it is healed"),
        ({"healed_at_ns": 2}, "lasts longer than the phase"),
        ({"faults": (Pause(at_ns=1, for_ns=2, nodes=("n4",)),)}, "'n4', which is no node"),
        ({"faults": (BitRot(at_ns=1, for_ns=0, nodes=(LEADER,)),)}, "'leader', which is no"),
        ({"faults": (BitRot(at_ns=1, for_ns=0, nodes=("n1", "n2")),)}, "half of the nodes"),
    ],
)
def test_plans_that_no_run_can_follow_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(PLAN, **changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "truncated"),
        (b'{"seed": 7}', "missing required field"),
        (encode_plan(PLAN).replace(b'"pause"', b'"nap"'), r"Invalid value 'nap' - at `\$.faults"),
        (encode_plan(PLAN).replace(b'"seed"', b'"sead"'), "unknown field `sead`"),
        (encode_plan(PLAN).replace(b'"percent": 30', b'"percent": 0'), r"percentage .*\$.faults"),
        (b" " * (PLAN_BYTES_MAX + 1), "at most 1048576 bytes"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_plan(text)
