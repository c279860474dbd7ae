"""Who may create which token, and for how long it is good.

Owns the rules of `auth/token/create` and the arithmetic of lifetimes. Must not know how tokens
are stored.
"""

from typing import Any, Final

from core.engines.call import RequestError
from core.moment import NANOSECONDS_PER_SECOND
from core.vault.context import Context
from core.vault.duration import parse_duration_s
from core.vault.policy import DEFAULT_NAME, ROOT, UNASSIGNABLE_NAMES
from core.vault.reply import Auth, Reply
from core.vault.token_entry import TokenEntry
from core.vault.tokens import GENERATIONS_MAX, TOKEN_LENGTH_MAX

POLICIES_MAX: Final = 256
METADATA_KEYS_MAX: Final = 64
METADATA_KEY_LENGTH_MAX: Final = 128
METADATA_VALUE_LENGTH_MAX: Final = 512
DISPLAY_NAME_LENGTH_MAX: Final = 256
USES_MAX: Final = 1 << 31

_RESERVED_PREFIXES: Final = ("hvs.", "hvb.", "hvr.", "s.", "b.", "r.")
_TRUE: Final = (True, "true", "1", 1)


def create(context: Context, *, orphan: bool) -> Reply:
    """Create a token as the body asks, within what the caller's own token allows."""
    body = context.body
    caller = _caller(context)
    tokens = context.services.tokens
    if caller.uses_left:
        raise RequestError(400, "restricted use token cannot generate child tokens")
    kind = body.get("type") or "service"
    if kind != "service":
        raise RequestError(400, f"tokens of type {kind!r} are not supported; use 'service'")
    has_sudo = _has_sudo(context)
    policies, warnings = _policies(context, caller, has_sudo=has_sudo)
    orphan = orphan or _orphan(body, has_sudo=has_sudo)
    if not orphan and tokens.generations(context.transaction, caller) + 1 >= GENERATIONS_MAX:
        raise RequestError(400, f"a tree of tokens has at most {GENERATIONS_MAX} generations")
    period_s = _duration(body, "period")
    if period_s and not has_sudo:
        raise RequestError(400, "root or sudo privileges required to create periodic token")
    explicit_max_s = _duration(body, "explicit_max_ttl")
    ttl_s, ttl_warnings = _lifetime(context, caller, policies, period_s, explicit_max_s)
    token, entry = tokens.create(
        context.transaction,
        context.wall_ns,
        policies=policies,
        parent=None if orphan else caller,
        path=context.request.path,
        display_name=_display_name(body),
        metadata=_metadata(body),
        ttl_s=ttl_s,
        explicit_max_ttl_s=explicit_max_s,
        period_s=period_s,
        num_uses=_uses(body),
        renewable=bool(ttl_s) and body.get("renewable", True) in _TRUE,
        token_id=_token_id(context, has_sudo=has_sudo),
    )
    return Reply(auth=auth_of(entry, token), warnings=(*warnings, *ttl_warnings))


def auth_of(entry: TokenEntry, token: str) -> Auth:
    """Return the `auth` object that hands out or renews a token."""
    return Auth(
        token,
        entry.accessor,
        entry.policies,
        entry.metadata,
        entry.ttl_s,
        entry.renewable,
        not entry.parent,
        max(entry.uses_left, 0),
        entry.display_name,
    )


def renewal_s(
    entry: TokenEntry, increment_s: int, max_ttl_s: int, wall_ns: int
) -> tuple[int, tuple[str, ...]]:
    """Return for how many seconds from now a token is renewed, and warnings.

    The time counts from now; the limits count from when the token was created. A periodic token
    has no limit but its explicit maximum.
    """
    wanted_s = entry.period_s or increment_s or entry.ttl_s
    age_s = -((entry.created_ns - wall_ns) // NANOSECONDS_PER_SECOND)
    limits = [entry.explicit_max_ttl_s - age_s] if entry.explicit_max_ttl_s else []
    if not entry.period_s:
        limits.append(max_ttl_s - age_s)
    granted_s = max(0, min([wanted_s, *limits]))
    if granted_s < wanted_s:
        return granted_s, (_capped(wanted_s, granted_s),)
    return granted_s, ()


def _caller(context: Context) -> TokenEntry:
    if context.token is None:
        raise RequestError(403, "permission denied")
    return context.token


def _has_sudo(context: Context) -> bool:
    acl = context.acl
    return acl is not None and (acl.is_root or "sudo" in acl.capabilities(context.request.path))


def _policies(
    context: Context, caller: TokenEntry, *, has_sudo: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the policies of the new token, and a warning for each that does not exist."""
    asked = context.body.get("policies")
    if isinstance(asked, str):
        asked = [name for name in asked.split(",") if name]
    if asked is not None and (
        not isinstance(asked, list)
        or not all(isinstance(name, str) for name in asked)
        or len(asked) > POLICIES_MAX
    ):
        raise RequestError(400, f"policies must be a list of at most {POLICIES_MAX} names")
    names = {name.strip().lower(): None for name in asked or caller.policies if name.strip()}
    for name in UNASSIGNABLE_NAMES & names.keys():
        raise RequestError(400, f"cannot assign policy {name!r}")
    if ROOT.name in names:
        if not caller.is_root:
            raise RequestError(
                400, "root tokens may not be created without parent token being root"
            )
        return (ROOT.name,), ()
    if not has_sudo and not caller.is_root:
        allowed = {*caller.policies, DEFAULT_NAME}
        if any(name not in allowed for name in names):
            raise RequestError(400, "child policies must be subset of parent")
    if context.body.get("no_default_policy") not in _TRUE:
        names[DEFAULT_NAME] = None
    policies = tuple(sorted(names))
    exists = context.services.policies.exists
    missing = [name for name in policies if not exists(context.transaction, name)]
    return policies, tuple(f'Policy "{name}" does not exist' for name in missing)


def _orphan(body: dict[str, Any], *, has_sudo: bool) -> bool:
    if body.get("no_parent") not in _TRUE:
        return False
    if not has_sudo:
        raise RequestError(400, "root or sudo privileges required to create orphan token")
    return True


def _token_id(context: Context, *, has_sudo: bool) -> str:
    token = context.body.get("id")
    if token is None or token == "":
        return ""
    if not has_sudo:
        raise RequestError(400, "root or sudo privileges required to specify token id")
    if not isinstance(token, str) or len(token) > TOKEN_LENGTH_MAX or not token.isprintable():
        raise RequestError(400, f"a token id is a text of at most {TOKEN_LENGTH_MAX} characters")
    if token.startswith(_RESERVED_PREFIXES):
        raise RequestError(400, "custom token ID cannot have the prefix of a generated one")
    if "." in token or "/" in token:
        raise RequestError(400, "custom token ID cannot contain '.' or '/'")
    if context.services.tokens.exists(context.transaction, token):
        raise RequestError(400, "cannot create a token with a duplicate ID")
    return token


def _lifetime(
    context: Context,
    caller: TokenEntry,
    policies: tuple[str, ...],
    period_s: int,
    explicit_max_s: int,
) -> tuple[int, tuple[str, ...]]:
    """Return the time to live in seconds, 0 for ever, and warnings."""
    body = context.body
    settings = context.services.settings
    asked_s = _duration(body, "ttl") or _duration(body, "lease")
    if policies == (ROOT.name,):
        if not asked_s and caller.expires_ns:
            raise RequestError(400, "expiring root tokens cannot create non-expiring root tokens")
        if not asked_s and not explicit_max_s and not period_s:
            return 0, ()
    max_s = settings.max_ttl_s(explicit_max_s)
    if period_s:
        return min(period_s, explicit_max_s or period_s), ()
    if asked_s > max_s:
        return max_s, (_capped(asked_s, max_s),)
    return asked_s or min(settings.default_lease_ttl_s, max_s), ()


def _capped(wanted_s: int, granted_s: int) -> str:
    return (
        f"TTL of {wanted_s}s exceeded the effective max_ttl of {granted_s}s; TTL value is capped"
        " accordingly"
    )


def _duration(body: dict[str, Any], field: str) -> int:
    value = body.get(field)
    if value is None or value == "":
        return 0
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            seconds = parse_duration_s(value)
            if seconds >= 0:
                return seconds
    except ValueError:
        pass
    raise RequestError(400, f"{field} must be a duration that is not negative")


def _display_name(body: dict[str, Any]) -> str:
    name = body.get("display_name") or ""
    if not isinstance(name, str) or len(name) > DISPLAY_NAME_LENGTH_MAX:
        raise RequestError(
            400, f"display_name is a text of at most {DISPLAY_NAME_LENGTH_MAX} characters"
        )
    kept = "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
    return f"token-{kept}" if kept else "token"


def _metadata(body: dict[str, Any]) -> dict[str, str] | None:
    metadata = body.get("meta")
    if metadata is None or metadata == {}:
        return None
    if (
        not isinstance(metadata, dict)
        or len(metadata) > METADATA_KEYS_MAX
        or not all(
            isinstance(value, str)
            and len(key) <= METADATA_KEY_LENGTH_MAX
            and len(value) <= METADATA_VALUE_LENGTH_MAX
            for key, value in metadata.items()
        )
    ):
        raise RequestError(
            400,
            f"meta is an object of at most {METADATA_KEYS_MAX} texts, of at most"
            f" {METADATA_VALUE_LENGTH_MAX} characters each",
        )
    return metadata


def _uses(body: dict[str, Any]) -> int:
    uses = body.get("num_uses")
    if uses is None:
        return 0
    if isinstance(uses, str) and uses.isascii() and uses.isdigit():
        uses = int(uses)
    if type(uses) is not int or not 0 <= uses <= USES_MAX:
        raise RequestError(400, f"num_uses must be a whole number from 0 to {USES_MAX}")
    return uses
