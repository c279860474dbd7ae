"""Who may create which token.

Owns the rules of `auth/token/create`. Must not know how tokens are stored, nor how long one is
good for (`core.vault.token_lifetime`).
"""

import re
from typing import Any, Final

from core.check import check
from core.engines.call import RequestError
from core.vault import fields
from core.vault.context import Context
from core.vault.duration import parse_duration_s
from core.vault.policy import DEFAULT_NAME, ROOT, UNASSIGNABLE_NAMES
from core.vault.reply import Auth, Reply
from core.vault.token_entry import TokenEntry
from core.vault.token_lifetime import Grant, first_grant, granted_s
from core.vault.tokens import GENERATIONS_MAX, TOKEN_LENGTH_MAX

POLICIES_MAX: Final = 256
POLICY_NAME_LENGTH_MAX: Final = 256
METADATA_KEYS_MAX: Final = 64
METADATA_KEY_LENGTH_MAX: Final = 128
METADATA_VALUE_LENGTH_MAX: Final = 512
DISPLAY_NAME_LENGTH_MAX: Final = 256
USES_MAX: Final = 1 << 31

_VISIBLE: Final = re.compile(r"[!-~]+").fullmatch
"""What passes through any header."""
_DIGITS: Final = re.compile(r"[0-9]{1,10}").fullmatch
"""As many as `USES_MAX` has."""
_NOT_SHOWN: Final = re.compile(r"[^a-zA-Z0-9-]")
_RESERVED_PREFIXES: Final = ("hvs.", "hvb.", "hvr.", "s.", "b.", "r.")


def create(context: Context, *, orphan: bool) -> Reply:
    """Create a token as the body asks, within what the caller's own token allows."""
    body = context.body
    caller = caller_of(context)
    tokens = context.services.tokens
    if caller.uses_left:
        raise RequestError(400, "restricted use token cannot generate child tokens")
    kind = body.get("type") or "service"
    if kind == "batch":
        raise RequestError(400, "batch tokens are not supported; use 'service'")
    if kind != "service":
        raise RequestError(400, "invalid 'token_type' value")
    if fields.given(body, "entity_alias"):
        raise RequestError(400, "'entity_alias' is only allowed in combination with token role")
    has_sudo = _has_sudo(context)
    policies, warnings = _policies(context, caller, has_sudo=has_sudo)
    orphan = orphan or _orphan(body, has_sudo=has_sudo)
    ancestors = 0 if orphan else tokens.generations(context.transaction, caller) + 1
    if ancestors >= GENERATIONS_MAX:
        raise RequestError(400, f"a tree of tokens has at most {GENERATIONS_MAX} generations")
    period_s = _duration(body, "period")
    if period_s and not has_sudo:
        raise RequestError(400, "root or sudo privileges required to create periodic token")
    explicit_max_s = _duration(body, "explicit_max_ttl")
    grant = _lifetime(context, caller, policies, period_s, explicit_max_s)
    token, entry = tokens.create(
        context.transaction,
        context.wall_ns,
        policies=policies,
        parent=None if orphan else caller,
        path=context.request.path,
        display_name=_display_name(body),
        metadata=_metadata(body),
        ttl_s=grant.ttl_s,
        explicit_max_ttl_s=explicit_max_s,
        period_s=period_s,
        num_uses=_uses(body),
        renewable=bool(grant.ttl_s) and _renewable(body),
        token_id=_token_id(context, has_sudo=has_sudo),
    )
    return Reply(auth=auth_of(entry, token), warnings=(*grant.warnings, *warnings))


def caller_of(context: Context) -> TokenEntry:
    """Return the token of whoever asks; none of these paths is run without one."""
    check(context.token is not None, "a path that needs a token is run with one")
    assert context.token is not None
    return context.token


def auth_of(entry: TokenEntry, token: str) -> Auth:
    """Return the `auth` object that hands out or renews a token."""
    return Auth(
        token,
        entry.accessor,
        entry.policies,
        entry.metadata,
        granted_s(entry),
        entry.renewable,
        not entry.parent,
        max(entry.uses_left, 0),
        entry.display_name,
    )


def _has_sudo(context: Context) -> bool:
    acl = context.acl
    return acl is not None and (acl.is_root or "sudo" in acl.capabilities(context.request.path))


def _policies(
    context: Context, caller: TokenEntry, *, has_sudo: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the policies of the new token, and a warning for each that does not exist.

    Who asks for none gets the caller's. `default` is added to what was asked for, but nobody
    without sudo can add it to what the caller has.
    """
    asked = _asked_policies(context.body)
    names = dict.fromkeys(caller.policies if asked is None else asked)
    if not has_sudo and any(name not in caller.policies for name in names):
        raise RequestError(400, "child policies must be subset of parent")
    if ROOT.name in names:
        if not caller.is_root:
            raise RequestError(
                400, "root tokens may not be created without parent token being root"
            )
        return (ROOT.name,), ()
    if fields.flag(context.body, "no_default_policy"):
        names.pop(DEFAULT_NAME, None)
    elif asked is not None and (has_sudo or DEFAULT_NAME in caller.policies):
        names[DEFAULT_NAME] = None
    policies = tuple(sorted(names))
    exists = context.services.policies.exists
    missing = [name for name in policies if not exists(context.transaction, name)]
    return policies, tuple(f'Policy "{name}" does not exist' for name in missing)


def _asked_policies(body: dict[str, Any]) -> list[str] | None:
    """Return the policies that are asked for, or None if the field says nothing.

    A list of empty names asks for none, which is not the same as for all that the caller has.
    """
    asked = body.get("policies")
    if isinstance(asked, str):
        asked = asked.split(",", POLICIES_MAX) if asked.strip() else None
    if asked is None or asked == []:
        return None
    if not (
        isinstance(asked, list)
        and len(asked) <= POLICIES_MAX
        and all(isinstance(name, str) and len(name) <= POLICY_NAME_LENGTH_MAX for name in asked)
    ):
        raise RequestError(
            400,
            f"policies must be a list of at most {POLICIES_MAX} names, of at most"
            f" {POLICY_NAME_LENGTH_MAX} characters each",
        )
    names = [name for name in (each.strip().lower() for each in asked) if name]
    for name in names:
        if name in UNASSIGNABLE_NAMES:
            raise RequestError(400, f'cannot assign policy "{name}"')
    return names


def _orphan(body: dict[str, Any], *, has_sudo: bool) -> bool:
    if not fields.flag(body, "no_parent"):
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
    if not isinstance(token, str) or len(token) > TOKEN_LENGTH_MAX or not _VISIBLE(token):
        raise RequestError(
            400, f"a token id is a text of at most {TOKEN_LENGTH_MAX} visible ASCII characters"
        )
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
) -> Grant:
    grant = first_grant(
        context.services.settings,
        _duration(context.body, "ttl") or _duration(context.body, "lease"),
        period_s,
        explicit_max_s,
        is_root=policies == (ROOT.name,),
    )
    if not grant.ttl_s and caller.expires_ns:
        raise RequestError(400, "expiring root tokens cannot create non-expiring root tokens")
    return grant


def _renewable(body: dict[str, Any]) -> bool:
    return fields.flag(body, "renewable") if fields.given(body, "renewable") else True


def _duration(body: dict[str, Any], field: str) -> int:
    value = body.get(field)
    if value is None or value == "":
        return 0
    seconds = None
    try:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            seconds = parse_duration_s(value)
    except ValueError:
        pass
    if seconds is None:
        raise RequestError(400, f"{field} must be a duration such as 90, 1h30m or 7d")
    if seconds < 0:
        raise RequestError(400, f"{field} must be positive")
    return seconds


def _display_name(body: dict[str, Any]) -> str:
    name = body.get("display_name") or ""
    if not isinstance(name, str) or len(name) > DISPLAY_NAME_LENGTH_MAX:
        raise RequestError(
            400, f"display_name is a text of at most {DISPLAY_NAME_LENGTH_MAX} characters"
        )
    if not name:
        return "token"
    return _NOT_SHOWN.sub("-", f"token-{name}").removesuffix("-")


def _metadata(body: dict[str, Any]) -> dict[str, str] | None:
    metadata = fields.text_mapping(body, "meta")
    if len(metadata) > METADATA_KEYS_MAX or not all(
        len(key) <= METADATA_KEY_LENGTH_MAX and len(value) <= METADATA_VALUE_LENGTH_MAX
        for key, value in metadata.items()
    ):
        raise RequestError(
            400,
            f"meta is an object of at most {METADATA_KEYS_MAX} texts, of at most"
            f" {METADATA_VALUE_LENGTH_MAX} characters each",
        )
    return metadata or None


def _uses(body: dict[str, Any]) -> int:
    uses = body.get("num_uses")
    if uses is None:
        return 0
    if isinstance(uses, str) and _DIGITS(uses):
        uses = int(uses)
    if type(uses) is int and uses < 0:
        raise RequestError(400, "number of uses cannot be negative")
    if type(uses) is not int or uses > USES_MAX:
        raise RequestError(400, f"num_uses must be a whole number from 0 to {USES_MAX}")
    return uses
