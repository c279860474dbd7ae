"""When a message arrives, how often, and whether at all.

Owns the state of every link and what faults do to it. Must not know messages: it is asked for
arrival times and holds nothing back itself. Each link draws from its own random stream and
spends one draw on a message that meets no fault. Messages on a link overtake each other.
"""

from collections.abc import Callable, Sequence
from typing import Final, assert_never

from core.moment import NANOSECONDS_PER_MICROSECOND, NANOSECONDS_PER_MILLISECOND
from sim.faults import (
    PERCENT,
    AnyLinkFault,
    Clog,
    Delay,
    Duplication,
    Loss,
    Partition,
    links_of,
)
from sim.latency import QUANTILE_MASK, QUANTILE_SHIFT, QUANTILES
from sim.streams import Streams

FLOOR_NS_MIN: Final = 100 * NANOSECONDS_PER_MICROSECOND
FLOOR_NS_MAX: Final = 2 * NANOSECONDS_PER_MILLISECOND
"""Bounds of the least latency of a link, drawn per link: a local network, well or badly wired."""

_DRAW_BITS: Final = 32
"""The upper bits decide on loss and repetition, the lower ones on the latency."""
_ALL_DRAWS: Final = 1 << _DRAW_BITS


class _Link:
    """One direction between two members.

    Draws below `lost_below` are lost, those from there to `repeated_below` arrive twice, and
    those below `troubled_below` need a closer look than one comparison.
    """

    __slots__ = (
        "draw",
        "faults",
        "floor_ns",
        "healthy_floor_ns",
        "held_until_ns",
        "lost_below",
        "repeated_below",
        "troubled_below",
    )

    def __init__(self, draw: Callable[[int], int], floor_ns: int) -> None:
        self.draw = draw
        self.healthy_floor_ns = floor_ns
        self.faults: list[AnyLinkFault] = []
        self.settle()

    def settle(self) -> None:
        """Work out what the faults in force come to; of two of a kind the worse one counts."""
        lost = repeated = self.held_until_ns = 0
        factor = 1
        for fault in self.faults:
            match fault:
                case Partition():
                    lost = _ALL_DRAWS
                case Loss(percent=percent):
                    lost = max(lost, _ALL_DRAWS * percent // PERCENT)
                case Duplication(percent=percent):
                    repeated = max(repeated, percent)
                case Delay(factor=slower):
                    factor = max(factor, slower)
                case Clog():
                    self.held_until_ns = max(self.held_until_ns, fault.until_ns)
                case _:
                    assert_never(fault)
        self.floor_ns = self.healthy_floor_ns * factor
        self.lost_below = lost
        self.repeated_below = lost + (_ALL_DRAWS - lost) * repeated // PERCENT
        self.troubled_below = _ALL_DRAWS if self.held_until_ns else self.repeated_below


class Network:
    """All links between nodes, and between each client and each node."""

    __slots__ = ("_links", "_nodes")

    def __init__(self, streams: Streams, nodes: Sequence[str], clients: Sequence[str] = ()) -> None:
        self._nodes = tuple(nodes)
        self._links: dict[str, dict[str, _Link]] = {name: {} for name in (*nodes, *clients)}
        pairs = [(one, other) for one in nodes for other in nodes if one != other]
        for client in clients:
            for node in nodes:
                pairs += [(client, node), (node, client)]
        for sender, receiver in pairs:
            random = streams.stream(f"network {sender} > {receiver}")
            floor_ns = random.randint(FLOOR_NS_MIN, FLOOR_NS_MAX)
            self._links[sender][receiver] = _Link(random.getrandbits, floor_ns)

    def arrivals(self, sender: str, receiver: str, now_ns: int) -> tuple[int, ...]:
        """Return when a message sent now arrives: no time, one, or two in no order.

        Raises:
            KeyError: there is no such link.
        """
        link = self._links[sender][receiver]
        bits = link.draw(_DRAW_BITS)
        if bits < link.troubled_below:
            return _troubled_arrivals(link, bits, now_ns)
        return (now_ns + (link.floor_ns * QUANTILES[bits & QUANTILE_MASK] >> QUANTILE_SHIFT),)

    def begin(self, fault: AnyLinkFault) -> None:
        """Put a resolved `fault` in force, until it is ended."""
        for link in self._links_of(fault):
            link.faults.append(fault)
            link.settle()

    def end(self, fault: AnyLinkFault) -> None:
        """Take back a `fault` that was begun; it may have been healed meanwhile."""
        for link in self._links_of(fault):
            if fault in link.faults:
                link.faults.remove(fault)
                link.settle()

    def heal(self) -> None:
        """Take back all faults."""
        for links in self._links.values():
            for link in links.values():
                link.faults.clear()
                link.settle()

    def _links_of(self, fault: AnyLinkFault) -> list[_Link]:
        pairs = links_of(fault, self._nodes)
        return [self._links[sender][receiver] for sender, receiver in pairs]


def _troubled_arrivals(link: _Link, bits: int, now_ns: int) -> tuple[int, ...]:
    """Return the arrival times on a link that is clogged, or of a draw that met a fault."""
    if bits < link.lost_below:
        return ()
    start_ns = max(now_ns, link.held_until_ns)
    quantile = QUANTILES[bits & QUANTILE_MASK]
    arrival_ns = start_ns + (link.floor_ns * quantile >> QUANTILE_SHIFT)
    if bits >= link.repeated_below:
        return (arrival_ns,)
    quantile = QUANTILES[link.draw(_DRAW_BITS) & QUANTILE_MASK]
    return (arrival_ns, start_ns + (link.floor_ns * quantile >> QUANTILE_SHIFT))
