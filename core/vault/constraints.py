"""What a rule demands of a request's parameters and of the wrapping of its answer.

Owns how the demands of many policies on one path unite, and how a request is held against
them. Must not know paths or capabilities.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from core.vault.policy import Parameters, PathRule

_WITH_PARAMETERS: Final = frozenset({"read", "update", "patch"})
"""Operations whose parameters count; those of a delete and of a list never do."""

_GLOB_LENGTH_MIN: Final = 2
"""A lone `*` is no glob, and means itself."""


class Constraints(msgspec.Struct, frozen=True):
    """The united demands on one path; the fields are those of `PathRule`."""

    allowed_parameters: Parameters
    denied_parameters: Parameters
    required_parameters: tuple[str, ...]
    min_wrapping_ttl_s: int
    max_wrapping_ttl_s: int

    def permit(self, operation: str, parameters: Mapping[str, Any], wrap_ttl_s: int) -> bool:
        """Tell whether a request that its capability allows may go on.

        Args:
            operation: what is asked for.
            parameters: the JSON object of the body, or the query string.
            wrap_ttl_s: for how long the answer is to be wrapped; 0 if it is not.
        """
        if not self._permit_wrapping(wrap_ttl_s):
            return False
        if operation not in _WITH_PARAMETERS:
            return True
        if any(name not in parameters for name in self.required_parameters):
            return False
        if not parameters:
            return True
        return not self._denies(parameters) and self._allows(parameters)

    def _permit_wrapping(self, wrap_ttl_s: int) -> bool:
        # A minimum above the maximum, which two policies can amount to, lets nothing through.
        longest_s = self.max_wrapping_ttl_s or wrap_ttl_s
        demanded = self.min_wrapping_ttl_s or self.max_wrapping_ttl_s
        return not demanded or (
            wrap_ttl_s > 0 and self.min_wrapping_ttl_s <= wrap_ttl_s <= longest_s
        )

    def _denies(self, parameters: Mapping[str, Any]) -> bool:
        denied = self.denied_parameters
        if "*" in denied:
            return True
        return any(
            name.lower() in denied and _among(value, denied[name.lower()])
            for name, value in parameters.items()
        )

    def _allows(self, parameters: Mapping[str, Any]) -> bool:
        allowed = self.allowed_parameters
        if not allowed:
            return True
        others = "*" in allowed
        return all(
            _among(value, allowed[name.lower()]) if name.lower() in allowed else others
            for name, value in parameters.items()
        )


def unite(rules: Iterable[PathRule]) -> Constraints | None:
    """Return what `rules`, all for one pattern, demand together; None if that is nothing."""
    allowed: Parameters = {}
    denied: Parameters = {}
    required: list[str] = []
    minima_s: list[int] = []
    maxima_s: list[int] = []
    for rule in rules:
        _add(allowed, rule.allowed_parameters)
        _add(denied, rule.denied_parameters)
        required += rule.required_parameters
        minima_s.append(rule.min_wrapping_ttl_s)
        maxima_s.append(rule.max_wrapping_ttl_s)
    united = Constraints(
        allowed,
        denied,
        # Names are demanded in lower case, as in Vault, whatever case the policy has.
        tuple(dict.fromkeys(name.lower() for name in required)),
        min(filter(None, minima_s), default=0),
        min(filter(None, maxima_s), default=0),
    )
    return None if united == _NONE else united


_NONE: Final = Constraints({}, {}, (), 0, 0)


def _add(united: Parameters, parameters: Parameters) -> None:
    for name, values in parameters.items():
        # An empty list means any value, and so it takes in every other list.
        takes_all = not values or united.get(name) == ()
        united[name] = () if takes_all else united.get(name, ()) + values


def _among(value: object, listed: tuple[Any, ...]) -> bool:
    return not listed or any(_match(pattern, value) for pattern in listed)


def _match(pattern: object, value: object) -> bool:
    if not (isinstance(pattern, str) and isinstance(value, str)):
        return _equal(pattern, value)
    if len(pattern) < _GLOB_LENGTH_MIN:
        return pattern == value
    match pattern[0] == "*", pattern[-1] == "*":
        case True, True:
            return pattern[1:-1] in value
        case True, False:
            return value.endswith(pattern[1:])
        case False, True:
            return value.startswith(pattern[:-1])
        case _:
            return pattern == value


def _equal(left: Any, right: Any) -> bool:  # noqa: ANN401 -- both are any JSON value
    """Compare as JSON does: `true` is not 1, at any depth."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
