"""Vault's table of rules, slow and to the letter: what `Acl` must agree with."""

import re
from collections.abc import Sequence
from functools import cmp_to_key

from core.vault.policy import PathRule, Policy

Grant = tuple[str, PathRule]


def capabilities(policies: Sequence[Policy], path: str) -> list[str]:
    granted = _united(_list_grants(policies, path))
    return granted or ["deny"]


def allows(policies: Sequence[Policy], capability: str, path: str) -> tuple[bool, tuple[str, ...]]:
    choose = _list_grants if capability == "list" else _grants
    grants = choose(policies, path)
    if capability not in _united(grants):
        return False, ()
    names = [name for name, rule in grants if capability in rule.capabilities]
    return True, tuple(name for at, name in enumerate(names) if name not in names[:at])


def _united(grants: Sequence[Grant]) -> list[str]:
    named = {capability for _, rule in grants for capability in rule.capabilities}
    return ["deny"] if "deny" in named else sorted(named)


def _list_grants(policies: Sequence[Policy], path: str) -> list[Grant]:
    bare = path.removesuffix("/")
    return (
        _of_pattern(policies, _exact(policies, path))
        or _of_pattern(policies, _exact(policies, bare))
        or _of_pattern(policies, _best(policies, path))
        or _of_pattern(policies, _best(policies, bare))
    )


def _grants(policies: Sequence[Policy], path: str) -> list[Grant]:
    pattern = _exact(policies, path)
    return _of_pattern(policies, _best(policies, path) if pattern is None else pattern)


def _of_pattern(policies: Sequence[Policy], pattern: str | None) -> list[Grant]:
    return [
        (policy.name, rule)
        for policy in policies
        for rule in policy.rules
        if rule.pattern == pattern
    ]


def _patterns(policies: Sequence[Policy]) -> list[str]:
    return [rule.pattern for policy in policies for rule in policy.rules]


def _has_plus(pattern: str) -> bool:
    return pattern.startswith("+") or "/+" in pattern


def _exact(policies: Sequence[Policy], path: str) -> str | None:
    for pattern in _patterns(policies):
        if pattern == path and not _has_plus(pattern) and not pattern.endswith("*"):
            return pattern
    return None


def _best(policies: Sequence[Policy], path: str) -> str | None:
    matching = [
        pattern
        for pattern in _patterns(policies)
        if (_has_plus(pattern) or pattern.endswith("*")) and _matches(pattern, path)
    ]
    return max(matching, key=cmp_to_key(_compare), default=None)


def _matches(pattern: str, path: str) -> bool:
    body = pattern.removesuffix("*")
    # A segment of its own may be anything but must be whole; in Vault it may be empty.
    spelled = "/".join(
        "[^/]*" if segment == "+" else re.escape(segment) for segment in body.split("/")
    )
    return re.fullmatch(spelled + ".*" * pattern.endswith("*"), path) is not None


def _compare(first: str, second: str) -> int:
    """Return a negative number if `first` has the lower priority."""
    if _first_wildcard(first) != _first_wildcard(second):
        return _first_wildcard(first) - _first_wildcard(second)
    if first.endswith("*") != second.endswith("*"):
        return -1 if first.endswith("*") else 1
    first_body, second_body = first.removesuffix("*"), second.removesuffix("*")
    first_plus = first_body.split("/").count("+")
    second_plus = second_body.split("/").count("+")
    if first_plus != second_plus:
        return second_plus - first_plus
    if len(first_body) != len(second_body):
        return len(first_body) - len(second_body)
    return -1 if first_body < second_body else int(first_body > second_body)


def _first_wildcard(pattern: str) -> int:
    return pattern.index("+") if _has_plus(pattern) else len(pattern) - 1
