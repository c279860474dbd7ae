"""The law of latencies."""

from sim.latency import QUANTILE_MASK, QUANTILE_SHIFT, QUANTILES

UNIT = 1 << QUANTILE_SHIFT


def test_latencies_are_ascending_multiples_of_the_floor() -> None:
    assert QUANTILE_MASK + 1 == len(QUANTILES)
    assert sorted(QUANTILES) == list(QUANTILES)
    assert UNIT == QUANTILES[0]


def test_the_tail_is_heavy() -> None:
    """The figures that the module's text promises."""
    assert 1.5 == round(QUANTILES[len(QUANTILES) // 2] / UNIT, 1)
    assert 2.2 == round(sum(QUANTILES) / len(QUANTILES) / UNIT, 1)
    assert 13 == round(QUANTILES[len(QUANTILES) * 99 // 100] / UNIT)
    assert 149 == round(QUANTILES[-1] / UNIT)
