"""For how long a token is good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import RequestSettings
from core.vault.token_entry import TokenEntry
from core.vault.token_lifetime import Grant, first_grant, granted_s, renewal_grant
from tests.core.barrier.helpers import WALL_NS, examples

SECOND_NS = 1_000_000_000
SETTINGS = RequestSettings(default_lease_ttl_s=100, max_lease_ttl_s=1000)
TIMES = st.integers(0, 2000)


def entry(
    *, ttl_s: int, explicit_max_ttl_s: int = 0, period_s: int = 0, renewed_ns: int = 0
) -> TokenEntry:
    since_ns = renewed_ns or WALL_NS
    return TokenEntry(
        name="00",
        accessor="accessor",
        policies=("default",),
        path="auth/token/create",
        display_name="token",
        metadata=None,
        created_ns=WALL_NS,
        renewed_ns=renewed_ns,
        expires_ns=since_ns + ttl_s * SECOND_NS if ttl_s else 0,
        ttl_s=ttl_s,
        explicit_max_ttl_s=explicit_max_ttl_s,
        period_s=period_s,
        uses_left=0,
        renewable=True,
        parent="",
    )


def capped(what: str, wanted: str, granted: str) -> tuple[str]:
    exceeded = f'{what} of "{wanted}" exceeded the effective max_ttl of "{granted}"'
    return (f"{exceeded}; {what} value is capped accordingly",)


@pytest.mark.parametrize(
    ("asked_s", "period_s", "explicit_max_ttl_s", "is_root", "expected"),
    [
        (0, 0, 0, True, Grant(0)),
        (0, 0, 5000, True, Grant(5000)),
        (50, 0, 0, True, Grant(50)),
        (0, 50, 0, True, Grant(50)),
        (0, 0, 0, False, Grant(100)),
        (200, 0, 0, False, Grant(200)),
        (200, 50, 0, False, Grant(50)),
        (200, 0, 500, False, Grant(200)),
        (200, 50, 500, False, Grant(50)),
        (1001, 0, 0, False, Grant(1000, capped("TTL", "16m41s", "16m40s"))),
        (0, 0, 60, False, Grant(60, capped("TTL", "1m40s", "1m0s"))),
        (0, 7200, 0, False, Grant(1000, capped("period", "2h0m0s", "16m40s"))),
        (0, 200, 60, False, Grant(60, capped("period", "3m20s", "1m0s"))),
    ],
)
def test_a_new_token(
    asked_s: int, period_s: int, explicit_max_ttl_s: int, is_root: bool, expected: Grant
) -> None:
    grant = first_grant(SETTINGS, asked_s, period_s, explicit_max_ttl_s, is_root=is_root)

    assert expected == grant


@pytest.mark.parametrize(
    ("token", "increment_s", "age_s", "ttl_s", "warnings"),
    [
        (entry(ttl_s=60), 0, 30, 60, 0),
        (entry(ttl_s=60), 90, 30, 90, 0),
        (entry(ttl_s=60), 5, 30, 5, 0),
        (entry(ttl_s=60), 0, 950, 50, 1),
        (entry(ttl_s=60), 0, 949.5, 50, 1),
        (entry(ttl_s=60), 0, 999.5, 0, 1),
        (entry(ttl_s=60), 0, 2000, 0, 1),
        (entry(ttl_s=60, explicit_max_ttl_s=100), 60, 60, 40, 1),
        (entry(ttl_s=60, period_s=60), 5, 5000, 60, 0),
        (entry(ttl_s=60, period_s=60, explicit_max_ttl_s=100), 0, 70, 30, 1),
        (entry(ttl_s=60, period_s=5000), 0, 0, 1000, 1),
        (entry(ttl_s=10, renewed_ns=WALL_NS + SECOND_NS), 0, 5, 10, 0),
        (entry(ttl_s=60), 0, -5, 60, 0),
    ],
)
def test_a_renewed_token(
    token: TokenEntry, increment_s: int, age_s: float, ttl_s: int, warnings: int
) -> None:
    wall_ns = WALL_NS + int(age_s * SECOND_NS)
    grant = renewal_grant(SETTINGS, token, increment_s, wall_ns)

    assert (ttl_s, warnings) == (grant.ttl_s, len(grant.warnings))


def test_what_was_granted_counts_from_the_last_renewal() -> None:
    renewed_ns = WALL_NS + 7 * SECOND_NS

    assert [0, 60, 60] == [
        granted_s(entry(ttl_s=0)),
        granted_s(entry(ttl_s=60)),
        granted_s(entry(ttl_s=60, renewed_ns=renewed_ns)),
    ]


@given(asked_s=TIMES, period_s=TIMES, explicit_max_ttl_s=TIMES, age_ms=st.integers(0, 2_000_000))
@examples(100)
def test_no_token_outlives_its_limits(
    asked_s: int, period_s: int, explicit_max_ttl_s: int, age_ms: int
) -> None:
    first = first_grant(SETTINGS, asked_s, period_s, explicit_max_ttl_s, is_root=False)
    token = entry(ttl_s=first.ttl_s, explicit_max_ttl_s=explicit_max_ttl_s, period_s=period_s)
    again = renewal_grant(SETTINGS, token, asked_s, WALL_NS + age_ms * 1_000_000)
    limits = [explicit_max_ttl_s] if explicit_max_ttl_s else []
    if not period_s:
        limits.append(SETTINGS.max_lease_ttl_s)

    assert 0 < first.ttl_s <= SETTINGS.max_lease_ttl_s
    assert 0 <= again.ttl_s <= SETTINGS.max_lease_ttl_s
    for limit_s in limits:
        assert first.ttl_s <= limit_s
        assert not again.ttl_s or again.ttl_s * 1000 + age_ms <= limit_s * 1000
