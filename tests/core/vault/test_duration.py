"""The two spellings of a duration, and Go's way to print one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vault.duration import (
    DURATION_NS_MAX,
    format_duration,
    parse_duration_ns,
    parse_duration_s,
)

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        ("", 0),
        ("0", 0),
        ("90", 90 * SECOND),
        ("-90", -90 * SECOND),
        ("+90", 90 * SECOND),
        (90, 90 * SECOND),
        (1.5, 1_500_000_000),
        (-1, -SECOND),
        ("10s", 10 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("-1h30m", -5400 * SECOND),
        ("+1m", 60 * SECOND),
        ("1.5h", 5400 * SECOND),
        (".5s", 500_000_000),
        ("1.s", SECOND),
        ("1h1h", 2 * HOUR),
        ("250ms", 250_000_000),
        ("3us", 3_000),
        ("3\u00b5s", 3_000),
        ("3\u03bcs", 3_000),
        ("7ns", 7),
        ("0.9ns", 0),
        ("7d", 168 * HOUR),
        ("-1d", -24 * HOUR),
        ("768h", 2_764_800 * SECOND),
        ("2540400h10m10.000000001s", 9_145_440_610_000_000_001),
    ],
)
def test_durations(value: str | float, nanoseconds: int) -> None:
    assert nanoseconds == parse_duration_ns(value)


@pytest.mark.parametrize(
    "value",
    [
        "h",
        ".",
        "s",
        ".s",
        "d",
        "-",
        "1h30",
        "1.5",
        "1.5d",
        "1d12h",
        "1h -1m",
        "1 h",
        "1H",
        "\u0661s",
        "1" * 65,
        True,
        float("nan"),
        float("inf"),
    ],
)
def test_what_is_no_duration(value: str | float) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 90, 1h30m or 7d"):
        parse_duration_ns(value)


@pytest.mark.parametrize("value", ["106752d", 10**10, -(10**10), "9" * 64, 1e20])
def test_what_is_out_of_range(value: str | float) -> None:
    with pytest.raises(ValueError, match="this duration is out of range"):
        parse_duration_ns(value)


def test_the_error_repeats_only_the_start_of_the_text() -> None:
    with pytest.raises(ValueError, match=r"^'x{64}' is not"):
        parse_duration_ns("x" * 1000)


def test_whole_seconds_drop_the_fraction_on_either_side_of_zero() -> None:
    assert (1, -1, 0) == (
        parse_duration_s("1999ms"),
        parse_duration_s("-1999ms"),
        parse_duration_s("-999ms"),
    )


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1\u00b5s"),
        (2_200_000, "2.2ms"),
        (SECOND, "1s"),
        (3_300_000_000, "3.3s"),
        (60 * SECOND, "1m0s"),
        (90 * SECOND, "1m30s"),
        (245_001_000_000, "4m5.001s"),
        (768 * HOUR, "768h0m0s"),
        (-HOUR - 1, "-1h0m0.000000001s"),
        (-5_000_000, "-5ms"),
    ],
)
def test_printing(nanoseconds: int, text: str) -> None:
    assert text == format_duration(nanoseconds)


@given(st.integers(-DURATION_NS_MAX, DURATION_NS_MAX))
def test_what_is_printed_is_read_back(nanoseconds: int) -> None:
    assert nanoseconds == parse_duration_ns(format_duration(nanoseconds))


@given(st.text("0123456789.hmsund+-", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        nanoseconds = parse_duration_ns(text)
    except ValueError:
        return

    assert abs(nanoseconds) <= DURATION_NS_MAX
