"""One node's clocks, as functions of virtual time.

Owns drift and jumps. Virtual time is the truth; a node only ever sees its own clocks.
"""

from core.moment import Now
from sim.faults import ClockDrift, ClockJump

EPOCH_NS = 1_790_000_000_000_000_000
"""The wall clock at virtual time 0."""

_MILLION = 1_000_000


class Clock:
    """Monotonic and wall clock of one node.

    The monotonic clock runs at its own rate, set by the drift that began last; the wall clock
    follows it and jumps besides.

    Attributes:
        jumps: how often the wall clock has jumped.
    """

    __slots__ = ("_drifts", "_jumps", "_offset_ns", "_ppm", "_since_ns", "_wall_offset_ns", "jumps")

    def __init__(self, offset_ns: int) -> None:
        self._offset_ns = offset_ns
        self._since_ns = 0
        self._ppm = 0
        self._wall_offset_ns = EPOCH_NS - offset_ns
        self._drifts: list[ClockDrift] = []
        self._jumps: list[ClockJump] = []
        self.jumps = 0

    def monotonic_ns(self, time_ns: int) -> int:
        """Return what the monotonic clock shows at virtual `time_ns`."""
        elapsed_ns = time_ns - self._since_ns
        return self._offset_ns + elapsed_ns + elapsed_ns * self._ppm // _MILLION

    def now(self, time_ns: int) -> Now:
        """Return what both clocks show at virtual `time_ns`."""
        monotonic_ns = self._offset_ns + time_ns - self._since_ns
        if self._ppm:
            monotonic_ns = self.monotonic_ns(time_ns)
        return Now(monotonic_ns, monotonic_ns + self._wall_offset_ns)

    def time_ns(self, monotonic_ns: int) -> int:
        """Return the first virtual time at which the monotonic clock shows at least that."""
        elapsed_ns = monotonic_ns - self._offset_ns
        if self._ppm:
            elapsed_ns = -(-elapsed_ns * _MILLION // (_MILLION + self._ppm))
        return self._since_ns + elapsed_ns

    def begin(self, fault: ClockDrift | ClockJump, time_ns: int) -> None:
        """Put a fault in force."""
        if isinstance(fault, ClockJump):
            self._jumps.append(fault)
            self.jumps += 1
            self._wall_offset_ns += fault.by_ns
        else:
            self._drifts.append(fault)
            self._settle(time_ns)

    def end(self, fault: ClockDrift | ClockJump, time_ns: int) -> None:
        """Take a fault back; it may have been healed meanwhile."""
        if isinstance(fault, ClockJump):
            if fault in self._jumps:
                self._jumps.remove(fault)
                self.jumps += 1
                self._wall_offset_ns -= fault.by_ns
        elif fault in self._drifts:
            self._drifts.remove(fault)
            self._settle(time_ns)

    def _settle(self, time_ns: int) -> None:
        self._offset_ns = self.monotonic_ns(time_ns)
        self._since_ns = time_ns
        self._ppm = self._drifts[-1].ppm if self._drifts else 0
