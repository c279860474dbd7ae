"""The paths below `auth/token/`.

Owns their shapes and texts. Must not know how tokens are stored (`core.vault.tokens`), nor the
rules for new ones (`core.vault.token_creation`).
"""

from typing import Any, Final

from core.barrier.names import PathTooLong
from core.engines.call import RequestError, collected
from core.moment import NANOSECONDS_PER_SECOND
from core.vault.context import Context
from core.vault.duration import parse_duration_s
from core.vault.reply import Reply, listing
from core.vault.rfc3339 import format_ns
from core.vault.routes import Route
from core.vault.token_creation import auth_of, caller_of, create
from core.vault.token_entry import SPENT, TokenEntry
from core.vault.token_lifetime import renewal_grant

ORPHANED_AT_ONCE_MAX: Final = 1_000
"""Children that `revoke-orphan` leaves behind; a token with more is refused."""


def _create(context: Context) -> Reply:
    return create(context, orphan=False)


def _create_orphan(context: Context) -> Reply:
    return create(context, orphan=True)


# -- finding ----------------------------------------------------------------------------------


def _named_token(context: Context, unknown: RequestError) -> tuple[str, TokenEntry]:
    """Return the token in the body and its entry.

    Raises:
        RequestError: none is named; or `unknown`, there is no such token.
    """
    token = _token(context)
    entry = context.services.tokens.find(context.transaction, token)
    if entry is None or not context.services.tokens.is_live(entry, context.wall_ns):
        raise unknown
    return token, entry


def _token(context: Context) -> str:
    token = context.body.get("token")
    if not isinstance(token, str) or not token:
        raise RequestError(400, "missing token ID")
    return token


def _own_token(context: Context) -> tuple[str, TokenEntry]:
    return context.request.token, caller_of(context)


def _by_accessor(context: Context) -> TokenEntry:
    entry = _sought(context)
    if entry is None:
        raise RequestError(400, collected("invalid accessor"))
    return entry


def _sought(context: Context) -> TokenEntry | None:
    """Return the token whose accessor is in the body, if there is one."""
    accessor = context.body.get("accessor")
    if not isinstance(accessor, str) or not accessor:
        raise RequestError(400, collected("missing accessor"))
    tokens = context.services.tokens
    entry = tokens.find_accessor(context.transaction, accessor)
    return entry if entry is not None and tokens.is_live(entry, context.wall_ns) else None


# -- looking up -------------------------------------------------------------------------------


def _lookup(context: Context) -> Reply:
    if not context.body.get("token"):
        return _lookup_self(context)
    token, entry = _named_token(context, RequestError(403, "bad token"))
    return Reply(data=_described(entry, token, context.wall_ns))


def _lookup_self(context: Context) -> Reply:
    token, entry = _own_token(context)
    return Reply(data=_described(entry, token, context.wall_ns))


def _lookup_accessor(context: Context) -> Reply:
    return Reply(data=_described(_by_accessor(context), "", context.wall_ns))


def _described(entry: TokenEntry, token: str, wall_ns: int) -> dict[str, Any]:
    remaining_ns = max(0, entry.expires_ns - wall_ns) if entry.expires_ns else 0
    described: dict[str, Any] = {
        "accessor": entry.accessor,
        "creation_time": entry.created_ns // NANOSECONDS_PER_SECOND,
        "creation_ttl": entry.ttl_s,
        "display_name": entry.display_name,
        "entity_id": "",
        "expire_time": format_ns(entry.expires_ns) if entry.expires_ns else None,
        "explicit_max_ttl": entry.explicit_max_ttl_s,
        "id": token,
        "issue_time": format_ns(entry.created_ns),
        "meta": entry.metadata,
        "num_uses": max(entry.uses_left, 0),
        "orphan": not entry.parent,
        "path": entry.path,
        "policies": list(entry.policies),
        "renewable": entry.renewable,
        "ttl": -(-remaining_ns // NANOSECONDS_PER_SECOND),
        "type": entry.type,
    }
    if entry.period_s:
        described["period"] = entry.period_s
    if entry.renewed_ns:
        described["last_renewal"] = format_ns(entry.renewed_ns)
        described["last_renewal_time"] = entry.renewed_ns // NANOSECONDS_PER_SECOND
    return described


def _accessors(context: Context) -> Reply:
    tokens = context.services.tokens
    try:
        return listing(tokens.accessors(context.transaction, context.request.parameters))
    except PathTooLong as error:
        raise RequestError(400, str(error)) from None


# -- renewing ---------------------------------------------------------------------------------


def _renew(context: Context) -> Reply:
    token, entry = _named_token(context, RequestError(400, "token not found"))
    return _renewed(context, entry, token)


def _renew_self(context: Context) -> Reply:
    token, entry = _own_token(context)
    return _renewed(context, entry, token)


def _renew_accessor(context: Context) -> Reply:
    return _renewed(context, _by_accessor(context), "")


def _renewed(context: Context, entry: TokenEntry, token: str) -> Reply:
    # A token whose last use this is has gone already.
    if not entry.renewable or entry.uses_left == SPENT:
        raise RequestError(400, "lease is not renewable")
    services = context.services
    grant = renewal_grant(services.settings, entry, _increment_s(context.body), context.wall_ns)
    if not grant.ttl_s:
        raise RequestError(400, "past the max TTL, cannot renew")
    renewed = services.tokens.extend(context.transaction, entry, grant.ttl_s, context.wall_ns)
    return Reply(auth=auth_of(renewed, token), warnings=grant.warnings)


def _increment_s(body: dict[str, Any]) -> int:
    increment = body.get("increment")
    if increment is None or increment == "":
        return 0
    try:
        if isinstance(increment, str | int | float) and not isinstance(increment, bool):
            return max(0, parse_duration_s(increment))
    except ValueError:
        pass
    raise RequestError(400, "increment must be a duration")


# -- revoking ---------------------------------------------------------------------------------


def _revoke(context: Context) -> Reply:
    return _revoked(context, context.services.tokens.find(context.transaction, _token(context)))


def _revoke_self(context: Context) -> Reply:
    _, entry = _own_token(context)
    return _revoked(context, entry)


def _revoke_accessor(context: Context) -> Reply:
    entry = _sought(context)
    if entry is None:
        return Reply(warnings=("No token found with this accessor",))
    return _revoked(context, entry)


def _revoked(context: Context, entry: TokenEntry | None) -> Reply:
    """Revoke a token; one that is not there is revoked already."""
    if entry is not None:
        context.services.tokens.revoke(context.transaction, entry)
    return Reply()


def _revoke_orphan(context: Context) -> Reply:
    _, entry = _named_token(context, RequestError(400, "token to revoke not found"))
    tokens = context.services.tokens
    if not tokens.orphan_children(context.transaction, entry, ORPHANED_AT_ONCE_MAX):
        raise RequestError(
            400, f"the token has more than {ORPHANED_AT_ONCE_MAX} children; revoke some first"
        )
    return _revoked(context, entry)


ROUTES: Final = (
    Route("auth/token/create", writes={"update": _create}),
    Route("auth/token/create-orphan", writes={"update": _create_orphan}),
    Route("auth/token/lookup", reads={"read": _lookup, "update": _lookup}),
    Route("auth/token/lookup-self", reads={"read": _lookup_self, "update": _lookup_self}),
    Route("auth/token/lookup-accessor", reads={"update": _lookup_accessor}),
    Route("auth/token/accessors", reads={"list": _accessors}),
    Route("auth/token/renew", writes={"update": _renew}),
    Route("auth/token/renew-self", writes={"update": _renew_self}),
    Route("auth/token/renew-accessor", writes={"update": _renew_accessor}),
    Route("auth/token/revoke", writes={"update": _revoke}),
    Route("auth/token/revoke-self", writes={"update": _revoke_self}),
    Route("auth/token/revoke-accessor", writes={"update": _revoke_accessor}),
    Route("auth/token/revoke-orphan", writes={"update": _revoke_orphan}),
)
