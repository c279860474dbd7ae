"""How long things take: one heavy-tailed law, as a table.

Owns the law. Must not know whether a message or a disk takes that long. A latency is
`floor_ns * QUANTILES[bits & QUANTILE_MASK] >> QUANTILE_SHIFT` for uniform random `bits`: one
integer draw, one look-up, no floating point where a run spends its time.
"""

from typing import Final

QUANTILE_BITS: Final = 12
QUANTILE_MASK: Final = (1 << QUANTILE_BITS) - 1
QUANTILE_SHIFT: Final = 10

_TAIL_EXPONENT: Final = 1.8
"""Between 1 and 2 the mean is finite and the variance is not, as in real networks. The median
is 1.5 times the floor, the mean 2.2, one in a hundred exceeds 13, the largest is 149."""


def _quantile(position: int) -> int:
    """Return one quantile of the Pareto law with floor 1, in units of `1 << QUANTILE_SHIFT`."""
    beyond = (QUANTILE_MASK + 0.5 - position) / (QUANTILE_MASK + 1)
    return int(beyond ** (-1 / _TAIL_EXPONENT) * (1 << QUANTILE_SHIFT))


QUANTILES: Final = tuple(_quantile(position) for position in range(QUANTILE_MASK + 1))
"""Latencies in ascending order, as multiples of a floor; each is equally likely."""
