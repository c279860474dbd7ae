"""ACL policies: what a policy's text says, as records.

Owns the grammar of a policy and the policies that are built in. Must not know who holds a
policy, nor how one rule is chosen among many: that is `core.vault.acl`.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

import msgspec

from core.hcl.document import parse
from core.hcl.tree import Attribute, Block, Body, HclError, Value
from core.vault.duration import parse_duration_s

Capability = Literal[
    "create", "read", "update", "delete", "list", "patch", "sudo", "deny", "subscribe", "recover"
]
CAPABILITIES: Final[tuple[Capability, ...]] = get_args(Capability)

Parameters: TypeAlias = dict[str, tuple[Any, ...]]
"""Names of parameters in lower case, each with the JSON values it may have; none means any."""


class PolicyError(Exception):
    """The text is not a policy; the message is meant for the caller who sent it."""


class PathRule(msgspec.Struct, frozen=True):
    """One `path` stanza.

    Attributes:
        pattern: the path as written, without its leading slash: literal, with `+` for whole
            segments, with `*` at the end for a prefix.
        capabilities: what it grants, in the order of `CAPABILITIES`; `deny` stands alone.
        allowed_parameters: if any, only these.
        denied_parameters: never these.
        required_parameters: names that must be there.
        min_wrapping_ttl_s: the answer must be wrapped for at least this long; 0 is no limit.
        max_wrapping_ttl_s: the answer must be wrapped for at most this long; 0 is no limit.
    """

    pattern: str
    capabilities: tuple[Capability, ...] = ()
    allowed_parameters: Parameters = {}
    denied_parameters: Parameters = {}
    required_parameters: tuple[str, ...] = ()
    min_wrapping_ttl_s: int = 0
    max_wrapping_ttl_s: int = 0


class Policy(msgspec.Struct, frozen=True):
    """A named list of rules; the same pattern may be there more than once."""

    name: str
    rules: tuple[PathRule, ...] = ()


ROOT: Final = Policy("root")
"""Grants everything, and stands alone in a token's list; it has no text."""

DEFAULT_NAME: Final = "default"
"""Added to a token unless it opts out; may be edited, not deleted."""

RESPONSE_WRAPPING_NAME: Final = "response-wrapping"
"""Reserved for the tokens that wrap a response."""

IMMUTABLE_NAMES: Final = frozenset({ROOT.name, RESPONSE_WRAPPING_NAME})
"""Policies that nobody writes or deletes."""

UNASSIGNABLE_NAMES: Final = frozenset({RESPONSE_WRAPPING_NAME})
"""Policies that no request may give to a token."""

DEFAULT_POLICY: Final = """\
# A token may look after itself.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# It may ask what it may do.
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }

# It may look up and renew leases whose id it knows, also by the old path.
path "sys/leases/lookup" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/renew" { capabilities = ["update"] }

# It has a private place for secrets, which ends with it.
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }

# It may wrap what it knows, and open what was wrapped for it.
path "sys/wrapping/wrap" { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }

# It may use the hash functions, which hold nothing secret.
path "sys/tools/hash" { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }
"""
"""The text that a new cluster starts with for the policy `default`."""

_BLOCKS: Final = {"path": 1, "allowed_parameters": 0, "denied_parameters": 0}

_LEGACY: Final[dict[str, tuple[Capability, ...]]] = {
    "deny": ("deny",),
    "read": ("read", "list"),
    "write": ("create", "read", "update", "delete", "list"),
    "sudo": ("create", "read", "update", "delete", "list", "sudo"),
}
"""`policy = "..."` in a stanza, from before there were capabilities."""

_TEMPLATE: Final = re.compile(r"\{\{[^{}]*\}\}")


def parse_policy(name: str, text: str) -> Policy:
    """Return the policy that `text`, HCL or JSON, spells; its name is lower-cased.

    A stanza whose path holds a template, such as `{{identity.entity.id}}`, is checked and then
    left out, as is any stanza whose template has no value for the caller.

    Raises:
        PolicyError: the text is no policy.
    """
    try:
        body = parse(text, _BLOCKS)
        rules = [_path_rule(block) for block in _path_blocks(body)]
    except HclError as error:
        raise PolicyError(f"failed to parse policy: {error}") from None
    except _Fault as fault:
        raise PolicyError(f"failed to parse policy: {fault}") from None
    plain = (rule for rule in rules if not _TEMPLATE.search(rule.pattern))
    return Policy(name.lower(), tuple(plain))


class _Fault(Exception):
    """Something that the grammar of documents lets pass and that of policies does not."""


def _path_blocks(body: Body) -> list[Block]:
    blocks: list[Block] = []
    name: Attribute | None = None
    for item in body.items:
        if item.key == "path":
            if isinstance(item, Attribute) or len(item.labels) != 1:
                raise _Fault(f"a path block with exactly one path is expected on line {item.line}")
            blocks.append(item)
        elif item.key == "name" and isinstance(item, Attribute):
            # Vault lets a text name its policy, and then goes by the name in the request.
            _refuse_second(name, item)
            _string(item)
            name = item
        else:
            raise _Fault(f'invalid key "{item.key}" on line {item.line}')
    return blocks


def _path_rule(block: Block) -> PathRule:
    path = block.labels[0]
    try:
        return _rule(_pattern(path), _fields(block.body))
    except _Fault as fault:
        raise _Fault(f'path "{path}": {fault}') from None


def _pattern(path: str) -> str:
    if "+*" in path:
        raise _Fault("invalid use of wildcards ('+*' is forbidden)")
    rest = _TEMPLATE.sub("", path)
    if "{{" in rest or "}}" in rest:
        raise _Fault("unbalanced templating characters")
    return path.removeprefix("/")


def _fields(body: Body) -> dict[str, Attribute]:
    fields = _members(body)
    for item in fields.values():
        if item.key not in _KEYS:
            raise _Fault(f'invalid key "{item.key}" on line {item.line}')
    return fields


def _members(body: Body) -> dict[str, Attribute]:
    """Return what `body` sets, each once; `key { ... }` is `key = { ... }`, as in HCL 1."""
    members: dict[str, Attribute] = {}
    for item in body.items:
        _refuse_second(members.get(item.key), item)
        if isinstance(item, Attribute):
            members[item.key] = item
        elif item.labels:
            raise _Fault(f'invalid key "{item.key}" on line {item.line}')
        else:
            members[item.key] = Attribute(item.key, item.body, item.line)
    return members


def _refuse_second(earlier: Attribute | None, item: Attribute | Block) -> None:
    if earlier is not None:
        raise _Fault(
            f'the argument "{item.key}" on line {item.line} was already set on line '
            f"{earlier.line}; each argument can only be set once"
        )


def _rule(pattern: str, fields: dict[str, Attribute]) -> PathRule:
    named: tuple[str, ...] = _read(fields, "capabilities", _capabilities, ())
    legacy: tuple[str, ...] = _read(fields, "policy", _legacy, ())
    granted = named + legacy
    rule = PathRule(
        pattern,
        tuple(capability for capability in CAPABILITIES if capability in granted),
        _read(fields, "allowed_parameters", _parameters, {}),
        _read(fields, "denied_parameters", _parameters, {}),
        _read(fields, "required_parameters", _strings, ()),
        _read(fields, "min_wrapping_ttl", _ttl_s, 0),
        _read(fields, "max_wrapping_ttl", _ttl_s, 0),
    )
    if 0 < rule.max_wrapping_ttl_s < rule.min_wrapping_ttl_s:
        raise _Fault("max_wrapping_ttl cannot be less than min_wrapping_ttl")
    return PathRule(pattern, ("deny",)) if "deny" in granted else rule


_KEYS: Final = frozenset(
    {
        "capabilities",
        "policy",
        "allowed_parameters",
        "denied_parameters",
        "required_parameters",
        "min_wrapping_ttl",
        "max_wrapping_ttl",
    }
)

_Result = TypeVar("_Result")


def _read(
    fields: dict[str, Attribute],
    key: str,
    reader: Callable[[Attribute], _Result],
    absent: _Result,
) -> _Result:
    return reader(fields[key]) if key in fields else absent


def _string(item: Attribute) -> str:
    if not isinstance(item.value, str):
        raise _Fault(f"{item.key} on line {item.line} must be a string")
    return item.value


def _strings(item: Attribute) -> tuple[str, ...]:
    values = item.value if isinstance(item.value, tuple) else (None,)
    strings = tuple(value for value in values if isinstance(value, str))
    if len(strings) != len(values):
        raise _Fault(f"{item.key} on line {item.line} must be a list of strings")
    return strings


def _capabilities(item: Attribute) -> tuple[str, ...]:
    granted = _strings(item)
    for capability in granted:
        if capability not in CAPABILITIES:
            raise _Fault(f'invalid capability "{capability}"')
    return granted


def _legacy(item: Attribute) -> tuple[str, ...]:
    word = _string(item)
    if word not in _LEGACY:
        raise _Fault(f'invalid policy "{word}"')
    return _LEGACY[word]


def _ttl_s(item: Attribute) -> int:
    value = item.value
    try:
        # Whatever else stands there is refused by the same words as a bad text.
        ttl_s = parse_duration_s(value if isinstance(value, str | int | float) else str(value))
    except ValueError as error:
        raise _Fault(f"error parsing {item.key} on line {item.line}: {error}") from None
    if ttl_s < 0:
        raise _Fault(f"{item.key} on line {item.line} cannot be negative")
    return ttl_s


def _parameters(item: Attribute) -> Parameters:
    parameters: Parameters = {}
    if not isinstance(item.value, Body):
        raise _Fault(f"{item.key} on line {item.line} must be an object of lists")
    for member in _members(item.value).values():
        name = member.key.lower()
        if name in parameters:
            raise _Fault(f'{item.key} on line {member.line} names "{name}" for a second time')
        if not isinstance(member.value, tuple):
            raise _Fault(f'{item.key} on line {member.line} needs a list for "{member.key}"')
        parameters[name] = tuple(_json(value) for value in member.value)
    return parameters


def _json(value: Value) -> Any:  # noqa: ANN401 -- a JSON value has no narrower type
    """Return `value` in the shape that the body of a request has once it is decoded."""
    if isinstance(value, tuple):
        return [_json(element) for element in value]
    if isinstance(value, Body):
        return {key: _json(member.value) for key, member in _members(value).items()}
    return value
