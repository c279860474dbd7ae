"""Durations as the Vault API and its configuration files write them.

Owns the two spellings: a number of seconds, and Go's `1h30m`, plus Vault's `7d`. Must not know
what a duration is for, nor which of them are sensible there.
"""

import re
from typing import Final

from core.moment import (
    NANOSECONDS_PER_MICROSECOND,
    NANOSECONDS_PER_MILLISECOND,
    NANOSECONDS_PER_SECOND,
)

DURATION_NS_MAX: Final = (1 << 63) - 1
"""Some 292 years, the longest that Go's 64 bits can say."""

TEXT_LENGTH_MAX: Final = 64
"""Characters of one duration."""

_NANOSECONDS_PER_MINUTE: Final = 60 * NANOSECONDS_PER_SECOND
_NANOSECONDS_PER_HOUR: Final = 3600 * NANOSECONDS_PER_SECOND
_NANOSECONDS_PER_DAY: Final = 24 * _NANOSECONDS_PER_HOUR
_UNITS: Final = {
    "ns": 1,
    "us": NANOSECONDS_PER_MICROSECOND,
    "\u00b5s": NANOSECONDS_PER_MICROSECOND,  # micro sign
    "\u03bcs": NANOSECONDS_PER_MICROSECOND,  # Greek letter mu
    "ms": NANOSECONDS_PER_MILLISECOND,
    "s": NANOSECONDS_PER_SECOND,
    "m": _NANOSECONDS_PER_MINUTE,
    "h": _NANOSECONDS_PER_HOUR,
}
_SECONDS: Final = re.compile(r"[+-]?[0-9]+")
_DAYS: Final = re.compile(r"([+-]?[0-9]+)d")
_PART: Final = re.compile(r"(?=\.?[0-9])([0-9]*)\.?([0-9]*)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_PARTS: Final = re.compile(rf"([+-]?)((?:{_PART.pattern})+)")


def parse_duration_ns(value: str | float) -> int:
    """Return nanoseconds; `value` is a number of seconds, or text: `90`, `1h30m`, `1.5s`, `7d`.

    The empty text is no time at all, as in Vault.

    Raises:
        ValueError: it says no duration, or one longer than `DURATION_NS_MAX` either way.
    """
    if isinstance(value, str):
        nanoseconds = _text_ns(value)
    else:
        nanoseconds = None if isinstance(value, bool) else _seconds_ns(value)
    if nanoseconds is None:
        shown = str(value)[:TEXT_LENGTH_MAX]
        raise ValueError(f"{shown!a} is not a duration such as 90, 1h30m or 7d")
    if abs(nanoseconds) > DURATION_NS_MAX:
        raise ValueError("this duration is out of range")
    return nanoseconds


def parse_duration_s(value: str | float) -> int:
    """Return whole seconds; a fraction is cut off. See `parse_duration_ns`."""
    nanoseconds = parse_duration_ns(value)
    seconds = abs(nanoseconds) // NANOSECONDS_PER_SECOND
    return seconds if nanoseconds >= 0 else -seconds


def format_duration(nanoseconds: int) -> str:
    """Return the text that Go prints: `768h0m0s`, `1m30s`, `1.5s`, `20ms`, `0s`."""
    sign, length = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if length < NANOSECONDS_PER_SECOND:
        for unit in ("ms", "\u00b5s", "ns"):
            if length >= _UNITS[unit]:
                return f"{sign}{_decimal(length, _UNITS[unit])}{unit}"
        return "0s"
    hours, below_hour = divmod(length, _NANOSECONDS_PER_HOUR)
    minutes, below_minute = divmod(below_hour, _NANOSECONDS_PER_MINUTE)
    seconds = _decimal(below_minute, NANOSECONDS_PER_SECOND)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}s"
    return f"{sign}{minutes}m{seconds}s" if minutes else f"{sign}{seconds}s"


def _seconds_ns(seconds: float) -> int | None:
    try:
        return int(seconds * NANOSECONDS_PER_SECOND)
    except (ValueError, OverflowError):  # not a number, or an infinity
        return None


def _text_ns(text: str) -> int | None:
    if len(text) > TEXT_LENGTH_MAX:
        return None
    if not text:
        return 0
    if _SECONDS.fullmatch(text):
        return int(text) * NANOSECONDS_PER_SECOND
    if days := _DAYS.fullmatch(text):
        return int(days[1]) * _NANOSECONDS_PER_DAY
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return None
    length = sum(_part_ns(*part) for part in _PART.findall(parts[2]))
    return -length if parts[1] == "-" else length


def _part_ns(whole: str, fraction: str, unit: str) -> int:
    # Integers, since a float would round: 2540400h10m10.000000001s must come out exact.
    unit_ns = _UNITS[unit]
    scale: int = 10 ** len(fraction)
    return int(whole or "0") * unit_ns + int(fraction or "0") * unit_ns // scale


def _decimal(length: int, unit: int) -> str:
    """Return `length / unit`, a power of ten, without trailing zeros."""
    whole, rest = divmod(length, unit)
    digits = f"{rest:0{len(str(unit)) - 1}}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
