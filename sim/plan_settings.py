"""The bounds within which a plan of faults is drawn.

Owns the bounds and which of them leave anything to draw. Must not know the odds: the swarm does.
"""

from typing import Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from sim.faults import CLOCK_JUMP_NS_MAX, DRIFT_PPM_MAX, NODES_MAX
from sim.plan import FAULTS_MAX

LEADERSHIP_FAULT_NS_MIN: Final = 2 * NANOSECONDS_PER_SECOND
"""So long must a leader be out of the way that another one is surely elected meanwhile: an
election timeout takes at most 1 s (D20), and a vote may be split."""


class PlanSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds within which a plan is drawn.

    Attributes:
        nodes: the names of the members.
        quiet_ns: time at the start without faults, to elect a first leader.
        healed_at_ns: when all faults have ended.
        ends_at_ns: when the run ends.
        faults_min: the least count of faults.
        faults_max: the greatest.
        fault_ns_min: the least duration of a fault.
        fault_ns_max: the greatest, but for faults that last for the whole phase.
        clock_jump_ns_max: by how much a wall clock jumps at most, either way.
        drift_ppm_max: by how much a clock runs fast or slow at most, in millionths. Two
            clocks may drift apart, so this must be less than half of the bound that nodes
            rely on for their leases.
        rotten_nodes_max: on how many nodes bits may rot.
    """

    nodes: tuple[str, ...] = ("n1", "n2", "n3", "n4", "n5")
    quiet_ns: int = 3 * NANOSECONDS_PER_SECOND
    healed_at_ns: int = 50 * NANOSECONDS_PER_SECOND
    ends_at_ns: int = 60 * NANOSECONDS_PER_SECOND
    faults_min: int = 10
    faults_max: int = 24
    fault_ns_min: int = 100 * NANOSECONDS_PER_MILLISECOND
    fault_ns_max: int = 6 * NANOSECONDS_PER_SECOND
    clock_jump_ns_max: int = 3_600 * NANOSECONDS_PER_SECOND
    drift_ppm_max: int = 40_000
    rotten_nodes_max: int = 0

    def __post_init__(self) -> None:
        """Refuse bounds that leave nothing to draw."""
        phase_ns = self.healed_at_ns - self.quiet_ns
        if not 0 < len(self.nodes) <= NODES_MAX:
            raise ValueError("the count of nodes is out of range")
        if not LEADERSHIP_FAULT_NS_MIN <= self.fault_ns_max <= phase_ns:
            raise ValueError("the phase of faults is too short, or its faults are")
        if not 0 < self.fault_ns_min <= self.fault_ns_max:
            raise ValueError("the durations of faults are out of order")
        if not 0 < self.faults_min <= self.faults_max <= FAULTS_MAX:
            raise ValueError("the counts of faults are out of order")
        if not NANOSECONDS_PER_MILLISECOND <= self.clock_jump_ns_max <= CLOCK_JUMP_NS_MAX:
            raise ValueError("the greatest jump of a clock is out of range")
        if not 0 < self.drift_ppm_max <= DRIFT_PPM_MAX:
            raise ValueError("the greatest drift of a clock is out of range")
        if not 0 <= 2 * self.rotten_nodes_max < len(self.nodes):
            raise ValueError("bits may rot on less than half of the nodes")
