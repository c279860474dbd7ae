"""Access control: what the policies of one token grant, compiled for quick answers.

Owns the choice of one rule for a path, and the union of many policies on one pattern. Must not
know tokens, nor where policies are stored. An `Acl` never changes, so that it may be kept for
as long as the policies it was made from do not.

How a rule is chosen: an exact path wins. Else the longest prefix (`foo*`) and all patterns with
`+` that match are candidates, and the one that ranks highest wins. Only the winner counts, and
within it `deny` beats every other capability. So a deny on a broad pattern does not beat an
allow on a narrow one.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from core.request import Operation
from core.vault.constraints import Constraints, unite
from core.vault.policy import CAPABILITIES, ROOT, Capability, PathRule, Policy


class Verdict(msgspec.Struct, frozen=True):
    """The answer to one request.

    Attributes:
        allowed: whether it may go on.
        root_privileges: whether the caller has `sudo` on this path.
        granting_policies: the policies that grant the operation, for the audit record; none
            if it is refused.
    """

    allowed: bool
    root_privileges: bool = False
    granting_policies: tuple[str, ...] = ()


_BY_ROOT: Final = Verdict(allowed=True, root_privileges=True, granting_policies=(ROOT.name,))
_HELP: Final = Verdict(allowed=True)
_NO_RULE: Final = Verdict(allowed=False)
_NO_PARAMETERS: Final[Mapping[str, Any]] = MappingProxyType({})


class _Rule(msgspec.Struct, frozen=True):
    """All policies on one pattern, united.

    Attributes:
        capabilities: what is granted, or `deny` alone.
        verdicts: an answer for each capability, made beforehand; equal ones are one object.
        refusal: the answer if something else than the capability is missing.
        constraints: what is demanded besides, if anything is.
    """

    capabilities: tuple[Capability, ...]
    verdicts: dict[Capability, Verdict]
    refusal: Verdict
    constraints: Constraints | None


_Rank: TypeAlias = tuple[int, bool, int, int, str]
"""The higher wins: where the first wildcard is, no `*` at the end, fewer `+` (counted below
zero), the length without the `*`, and lastly the pattern itself."""


class _SegmentPattern(msgspec.Struct, frozen=True):
    """A pattern with `+`."""

    rank: _Rank
    segments: tuple[str, ...]
    is_prefix: bool
    rule: _Rule

    def matches(self, path: Sequence[str]) -> bool:
        """Tell whether the segments of a path match."""
        count = len(self.segments)
        if not self.is_prefix:
            return count == len(path) and _alike(self.segments, path)
        return (
            count <= len(path)
            and path[count - 1].startswith(self.segments[-1])
            and _alike(self.segments[:-1], path)
        )

    def reaches(self, mount: Sequence[str]) -> bool:
        """Tell whether something below the segments of a mount can match."""
        if len(self.segments) > len(mount):
            return _alike(self.segments, mount)
        return self.is_prefix and self.matches(mount)


def _alike(segments: Sequence[str], path: Sequence[str]) -> bool:
    """Compare as many segments as both have."""
    return all(segment in ("+", part) for segment, part in zip(segments, path, strict=False))


class Acl:
    """What a list of policies grants together.

    Attributes:
        is_root: whether this is the root policy, which grants everything.
    """

    def __init__(self, policies: Sequence[Policy]) -> None:
        """Compile `policies`.

        Raises:
            ValueError: the root policy is not alone.
        """
        self.is_root = any(policy.name == ROOT.name for policy in policies)
        if self.is_root and len(policies) > 1:
            raise ValueError("other policies present along with root")
        self._exact: dict[str, _Rule] = {}
        self._prefixes: dict[str, _Rule] = {}
        segment_patterns: list[_SegmentPattern] = []
        for pattern, grants in _by_pattern(policies).items():
            rule = _united(grants)
            if pattern.startswith("+") or "/+" in pattern:
                segment_patterns.append(_segment_pattern(pattern, rule))
            elif pattern.endswith("*"):
                self._prefixes[pattern[:-1]] = rule
            else:
                self._exact[pattern] = rule
        lengths = dict.fromkeys(len(prefix) for prefix in self._prefixes)
        self._prefix_lengths = tuple(sorted(lengths, reverse=True))
        self._segment_patterns = sorted(
            segment_patterns, key=lambda pattern: pattern.rank, reverse=True
        )

    def allows(
        self,
        operation: Operation,
        path: str,
        parameters: Mapping[str, Any] = _NO_PARAMETERS,
        *,
        exists: bool | Callable[[], bool] = True,
        sudo_required: bool = False,
        wrap_ttl_s: int = 0,
    ) -> Verdict:
        """Judge one request.

        Args:
            operation: what is asked for.
            path: of which path, without a leading slash.
            parameters: the JSON object of the body, or the query string of a read.
            exists: for an `update`, whether its target is there; if not, it is a `create`. A
                callable is asked only if the answer depends on it.
            sudo_required: whether the path is root-protected.
            wrap_ttl_s: for how long the answer is to be wrapped; 0 if it is not.
        """
        if self.is_root:
            return _BY_ROOT
        if operation == "help":
            return _HELP
        rule = self._listable(path) if operation == "list" else self._chosen(path)
        if rule is None:
            return _NO_RULE
        verdict = rule.verdicts[operation]
        if operation == "update":
            creating = rule.verdicts["create"]
            if creating is not verdict and not (exists() if callable(exists) else exists):
                verdict = creating
        if sudo_required and not verdict.root_privileges:
            return rule.refusal
        if rule.constraints is None or not verdict.allowed:
            return verdict
        permitted = rule.constraints.permit(operation, parameters, wrap_ttl_s)
        return verdict if permitted else rule.refusal

    def capabilities(self, path: str) -> list[str]:
        """Return what `sys/capabilities` reports: sorted names, or `root`, or `deny`, alone."""
        if self.is_root:
            return [ROOT.name]
        rule = self._listable(path)
        return sorted(rule.capabilities) if rule and rule.capabilities else ["deny"]

    def reaches(self, mount: str) -> bool:
        """Tell whether anything at or below `mount`, which ends in `/`, is granted."""
        if self.is_root or self.capabilities(mount) != ["deny"]:
            return True
        below = (
            rule
            for rules in (self._exact, self._prefixes)
            for path, rule in rules.items()
            if path.startswith(mount)
        )
        segments = mount.removesuffix("/").split("/")
        matching = (pattern.rule for pattern in self._segment_patterns if pattern.reaches(segments))
        return any(_grants(rule) for rules in (below, matching) for rule in rules)

    def _chosen(self, path: str) -> _Rule | None:
        rule = self._exact.get(path)
        return self._by_wildcard(path) if rule is None else rule

    def _listable(self, path: str) -> _Rule | None:
        """Choose for a LIST, whose rule may be written with or without the slash at the end.

        The order matters: whoever denies `foo/*` must not be overruled by an allow on `+`.
        """
        bare = path.removesuffix("/")
        for choose in (self._exact.get, self._by_wildcard):
            for spelling in (path, bare):
                rule = choose(spelling)
                if rule is not None:
                    return rule
        return None

    def _by_wildcard(self, path: str) -> _Rule | None:
        rule = None
        prefix = ""
        for length in self._prefix_lengths:
            prefix = path[:length]
            rule = self._prefixes.get(prefix)
            if rule is not None:
                break
        if not self._segment_patterns:
            return rule
        rank = None if rule is None else _prefix_rank(prefix)
        segments = path.split("/")
        for pattern in self._segment_patterns:
            if rank is not None and pattern.rank < rank:
                break
            if pattern.matches(segments):
                return pattern.rule
        return rule


def _by_pattern(policies: Sequence[Policy]) -> dict[str, list[tuple[str, PathRule]]]:
    grants: dict[str, list[tuple[str, PathRule]]] = {}
    for policy in policies:
        for rule in policy.rules:
            grants.setdefault(rule.pattern, []).append((policy.name, rule))
    return grants


def _united(grants: Sequence[tuple[str, PathRule]]) -> _Rule:
    granting: dict[Capability, tuple[str, ...]] = {
        capability: tuple(
            dict.fromkeys(name for name, rule in grants if capability in rule.capabilities)
        )
        for capability in CAPABILITIES
    }
    if granting["deny"]:
        verdicts = dict.fromkeys(CAPABILITIES, _NO_RULE)
        return _Rule(("deny",), verdicts, _NO_RULE, None)
    sudo = bool(granting["sudo"])
    refusal = Verdict(allowed=False, root_privileges=sudo)
    shared: dict[tuple[str, ...], Verdict] = {(): refusal}
    for names in granting.values():
        if names not in shared:
            shared[names] = Verdict(allowed=True, root_privileges=sudo, granting_policies=names)
    return _Rule(
        tuple(capability for capability, names in granting.items() if names),
        {capability: shared[names] for capability, names in granting.items()},
        refusal,
        unite(rule for _, rule in grants),
    )


def _grants(rule: _Rule) -> bool:
    return bool(rule.capabilities) and rule.capabilities != ("deny",)


def _segment_pattern(pattern: str, rule: _Rule) -> _SegmentPattern:
    is_prefix = pattern.endswith("*")
    text = pattern.removesuffix("*")
    segments = tuple(text.split("/"))
    # As in Vault, a `+` within a segment is no wildcard, and yet counts as the first one.
    rank = (pattern.index("+"), not is_prefix, -segments.count("+"), len(text), text)
    return _SegmentPattern(rank, segments, is_prefix, rule)


def _prefix_rank(prefix: str) -> _Rank:
    return (len(prefix), False, 0, len(prefix), prefix)
