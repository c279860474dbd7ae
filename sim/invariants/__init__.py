"""What must hold after every turn of every member; one file for each property.

An invariant is told of each start, crash, answer and turn, and raises `Violated`. `ALL` lists
them; a run makes each anew.
"""

from typing import Final

from sim.invariants.commitment import CommittedIsDurable
from sim.invariants.election import ElectionSafety
from sim.invariants.invariant import Invariant, Violated
from sim.invariants.leadership import LeaderCompleteness
from sim.invariants.matching import LogMatching
from sim.invariants.monotonic import NothingGoesBack
from sim.invariants.state_machine import StateMachineSafety

ALL: Final[tuple[type[Invariant], ...]] = (
    ElectionSafety,
    NothingGoesBack,
    LogMatching,
    LeaderCompleteness,
    StateMachineSafety,
    CommittedIsDurable,
)

__all__ = ["ALL", "Invariant", "Violated"]
