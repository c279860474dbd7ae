"""Time as an argument."""

from core.moment import (
    NANOSECONDS_PER_MICROSECOND,
    NANOSECONDS_PER_MILLISECOND,
    NANOSECONDS_PER_SECOND,
    Now,
)


def test_units_fit_together() -> None:
    """Each is a thousand of the one before."""
    units = [NANOSECONDS_PER_MICROSECOND, NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND]

    assert units == [1_000**power for power in (1, 2, 3)]
    assert Now(1, 2) == Now(monotonic_ns=1, wall_ns=2)
