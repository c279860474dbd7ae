"""For how long a token is good: the arithmetic of times to live.

Owns the limits and how they combine. Must not know how tokens are stored, nor who asks for one.
All is in whole seconds; what is left of one is not granted.

A time to live counts from now, the limits count from when the token was created. There are two:
the longest lease of the system, and the explicit maximum that a token may have been given. A
periodic token is renewed for its period each time, and only its explicit maximum ends it.
"""

import msgspec

from core.moment import NANOSECONDS_PER_SECOND
from core.settings import RequestSettings
from core.vault.duration import format_duration
from core.vault.token_entry import TokenEntry


class Grant(msgspec.Struct, frozen=True):
    """What became of a wish.

    Attributes:
        ttl_s: seconds from now.
        warnings: what the caller should know, in Vault's words.
    """

    ttl_s: int
    warnings: tuple[str, ...] = ()


def first_grant(
    settings: RequestSettings,
    asked_s: int,
    period_s: int,
    explicit_max_ttl_s: int,
    *,
    is_root: bool,
) -> Grant:
    """Return for how long a new token is good; 0 is for ever, which only a root token can be.

    Each of the three times is 0 if it was not asked for.
    """
    if is_root and not asked_s and not period_s:
        return Grant(explicit_max_ttl_s)
    wanted_s = asked_s or settings.default_lease_ttl_s
    return _grant(settings, wanted_s, period_s, explicit_max_ttl_s, age_ns=0)


def renewal_grant(
    settings: RequestSettings, entry: TokenEntry, increment_s: int, wall_ns: int
) -> Grant:
    """Return for how long an expiring token is renewed; 0 if it has reached its maximum.

    Without an increment it is as long as the last time.
    """
    wanted_s = increment_s or granted_s(entry)
    age_ns = max(0, wall_ns - entry.created_ns)
    return _grant(settings, wanted_s, entry.period_s, entry.explicit_max_ttl_s, age_ns)


def granted_s(entry: TokenEntry) -> int:
    """Return for how many seconds a token was created or last renewed; 0 is for ever."""
    if not entry.expires_ns:
        return 0
    since_ns = entry.renewed_ns or entry.created_ns
    return (entry.expires_ns - since_ns) // NANOSECONDS_PER_SECOND


def _grant(
    settings: RequestSettings, wanted_s: int, period_s: int, explicit_max_ttl_s: int, age_ns: int
) -> Grant:
    warnings: tuple[str, ...] = ()
    max_s = settings.max_ttl_s(explicit_max_ttl_s)
    total_max_s = explicit_max_ttl_s if period_s else max_s
    if period_s:
        wanted_s = min(period_s, max_s)
        if wanted_s < period_s:
            warnings = (_capped("period", period_s, wanted_s),)
    if total_max_s:
        left_s = max(0, (total_max_s * NANOSECONDS_PER_SECOND - age_ns) // NANOSECONDS_PER_SECOND)
        if wanted_s > left_s:
            warnings = (*warnings, _capped("TTL", wanted_s, left_s))
            wanted_s = left_s
    return Grant(wanted_s, warnings)


def _capped(what: str, wanted_s: int, granted_s: int) -> str:
    wanted, granted = (
        format_duration(seconds * NANOSECONDS_PER_SECOND) for seconds in (wanted_s, granted_s)
    )
    return (
        f'{what} of "{wanted}" exceeded the effective max_ttl of "{granted}"; '
        f"{what} value is capped accordingly"
    )
