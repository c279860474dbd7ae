"""Times as text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vault.rfc3339 import format_ns

SECOND = 10**9
YEAR_10000_NS = 253_402_300_800 * SECOND
YEAR_1_NS = -62_135_596_800 * SECOND


@pytest.mark.parametrize(
    ("wall_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
        (951_782_400 * SECOND, "2000-02-29T00:00:00Z"),
        (YEAR_10000_NS - 1, "9999-12-31T23:59:59.999999999Z"),
        (YEAR_1_NS, "0001-01-01T00:00:00Z"),
    ],
)
def test_format(wall_ns: int, text: str) -> None:
    assert format_ns(wall_ns) == text


@given(st.integers(YEAR_1_NS // SECOND, YEAR_10000_NS // SECOND - 1))
def test_format_as_datetime_does(second: int) -> None:
    text = format_ns(second * SECOND)
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    assert text == expected.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("wall_ns", [YEAR_1_NS - 1, YEAR_10000_NS])
def test_years_without_four_digits_have_no_form(wall_ns: int) -> None:
    with pytest.raises(OverflowError):
        format_ns(wall_ns)
