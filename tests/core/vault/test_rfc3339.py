"""Times as text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vault.rfc3339 import format_ns, parse_ns

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
def test_format_and_parse(wall_ns: int, text: str) -> None:
    assert format_ns(wall_ns) == text
    assert parse_ns(text) == wall_ns


@given(st.integers(YEAR_1_NS // SECOND, YEAR_10000_NS // SECOND - 1))
def test_format_as_datetime_does(second: int) -> None:
    text = format_ns(second * SECOND)
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    assert text == expected.isoformat().replace("+00:00", "Z")
    assert parse_ns(text) == second * SECOND


@pytest.mark.parametrize("wall_ns", [YEAR_1_NS - 1, YEAR_10000_NS])
def test_years_without_four_digits_have_no_form(wall_ns: int) -> None:
    with pytest.raises(OverflowError):
        format_ns(wall_ns)


@pytest.mark.parametrize(
    ("text", "wall_ns"),
    [
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T18:30:00-05:30", 0),
        ("1970-01-01T00:00:00.5-00:00", SECOND // 2),
        ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
        ("0001-01-01T00:00:00+23:59", YEAR_1_NS - (24 * 60 - 1) * 60 * SECOND),
    ],
)
def test_parse_takes_any_rfc_3339_form(text: str, wall_ns: int) -> None:
    assert parse_ns(text) == wall_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1970-01-01",
        "1970-01-01 00:00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00+24:00",
        "1970-13-01T00:00:00Z",
        "1970-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z\n",
        "\uff11970-01-01T00:00:00Z",
    ],
)
def test_parse_refuses_all_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_ns(text)
