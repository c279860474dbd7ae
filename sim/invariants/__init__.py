"""What must hold after every turn of every member; one file for each property.

An invariant is told of each start, crash, message, answer and turn, and raises `Violated`. `ALL`
lists them; a run makes each anew.
"""

from typing import Final

from sim.invariants.acknowledgement import AcknowledgedIsDurable
from sim.invariants.audit import AnswersAreRecorded
from sim.invariants.barrier import NothingReadable
from sim.invariants.bounds import IndicesAreOrdered
from sim.invariants.commitment import CommittedIsDurable
from sim.invariants.election import ElectionSafety
from sim.invariants.expiry import TokensExpire
from sim.invariants.freshness import AnswersAreFresh
from sim.invariants.invariant import Invariant, Violated
from sim.invariants.leadership import LeaderCompleteness
from sim.invariants.lease import LeasesAreExclusive
from sim.invariants.mandate import LeadersAreElected
from sim.invariants.matching import LogMatching
from sim.invariants.membership import MembersChangeOneByOne
from sim.invariants.monotonic import NothingGoesBack
from sim.invariants.own_term import CommitsOwnTerm
from sim.invariants.reference import BasesEqualReference
from sim.invariants.removal import RemovedAreTold
from sim.invariants.stability import StableIsDurable
from sim.invariants.state_machine import StateMachineSafety
from sim.invariants.tokens import TokensEnd
from sim.invariants.votes import VotesAreKept

ALL: Final[tuple[type[Invariant], ...]] = (
    ElectionSafety,
    LeadersAreElected,
    MembersChangeOneByOne,
    RemovedAreTold,
    VotesAreKept,
    NothingGoesBack,
    IndicesAreOrdered,
    LogMatching,
    LeaderCompleteness,
    CommitsOwnTerm,
    StableIsDurable,
    CommittedIsDurable,
    AcknowledgedIsDurable,
    StateMachineSafety,
    BasesEqualReference,
    LeasesAreExclusive,
    AnswersAreFresh,
    TokensEnd,
    TokensExpire,
    AnswersAreRecorded,
    NothingReadable,
)

__all__ = ["ALL", "Invariant", "Violated"]
