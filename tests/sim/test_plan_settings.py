"""Bounds that leave nothing to draw are refused."""

import msgspec
import pytest

from sim.plan_settings import LEADERSHIP_FAULT_NS_MIN, PlanSettings

SETTINGS = PlanSettings()


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes": ()},
        {"healed_at_ns": SETTINGS.quiet_ns + 1},
        {"fault_ns_max": LEADERSHIP_FAULT_NS_MIN - 1},
        {"fault_ns_min": 0},
        {"fault_ns_min": SETTINGS.fault_ns_max + 1},
        {"faults_min": 0},
        {"faults_max": 5},
        {"faults_max": 1_001},
        {"clock_jump_ns_max": 1},
        {"clock_jump_ns_max": 1 << 60},
        {"drift_ppm_max": 0},
        {"rotten_nodes_max": 3},
        {"rotten_nodes_max": -1},
    ],
)
def test_settings_that_leave_nothing_to_draw_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"out of|too short|less than half"):
        msgspec.structs.replace(SETTINGS, **changes)
