"""Times on the wire: RFC 3339 in UTC, to the nanosecond, as Go writes them.

Owns the text form of a wall clock. Must not know where a time comes from or what it is for.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from core.moment import NANOSECONDS_PER_SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_CACHED_MAX: Final = 4_096
_MINUTES: Final = tuple(f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS: Final = tuple(f"{second:02d}" for second in range(60))


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
