"""Times on the wire: RFC 3339 in UTC, to the nanosecond, as Go writes them.

Owns the text form of a wall clock. Must not know where a time comes from or what it is for.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from core.moment import NANOSECONDS_PER_SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_CACHED_MAX: Final = 4_096
_MINUTES: Final = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS: Final = tuple(f"{second:02d}" for second in range(60))

_NANOSECOND_DIGITS: Final = 9

_FORM: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
"""Groups: date, time of day, fraction, and the offset's sign, hours and minutes."""


def format_ns(wall_ns: int) -> str:
    """Return the time `wall_ns` nanoseconds after the Unix epoch, such as `1970-01-01T00:00:00Z`.

    A fraction loses its trailing zeros, as with Go's `time.RFC3339Nano`.

    Raises:
        OverflowError: the year is outside 1 to 9999.
    """
    # The date is remembered and the rest looked up: a datetime's text costs three times as much.
    second, nanosecond = divmod(wall_ns, NANOSECONDS_PER_SECOND)
    minute, second = divmod(second, 60)
    day, minute = divmod(minute, 1_440)
    if not nanosecond:
        return f"{_date(day)}T{_MINUTES[minute]}{_SECONDS[second]}Z"
    fraction = f"{_date(day)}T{_MINUTES[minute]}{_SECONDS[second]}.{nanosecond:09d}"
    return fraction.rstrip("0") + "Z"


@lru_cache(maxsize=_DAYS_CACHED_MAX)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def parse_ns(text: str) -> int:
    """Return the nanoseconds between the Unix epoch and the time that `text` names.

    Digits behind the nanosecond are cut off.

    Raises:
        ValueError: `text` is no RFC 3339 time (section 5.6), or names a leap second.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time")
    date, time_of_day, fraction, sign, hours, minutes = match.groups()
    zone = UTC if sign is None else timezone(_offset(sign, int(hours), int(minutes)))
    moment = datetime.fromisoformat(f"{date}T{time_of_day}").replace(tzinfo=zone)
    since = moment - _EPOCH
    nanosecond = int((fraction or "0")[:_NANOSECOND_DIGITS].ljust(_NANOSECOND_DIGITS, "0"))
    return (since.days * 86_400 + since.seconds) * NANOSECONDS_PER_SECOND + nanosecond


def _offset(sign: str, hours: int, minutes: int) -> timedelta:
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if sign == "-" else offset
