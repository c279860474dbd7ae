"""Which rule is chosen, what it grants, and who granted it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.request import Operation
from core.vault.acl import Acl, Verdict
from core.vault.policy import DEFAULT_POLICY, ROOT, PathRule, Policy, parse_policy
from tests.core.vault import acl_reference

REFUSED = Verdict(allowed=False)


def acl_of(**texts: str) -> Acl:
    return Acl([parse_policy(name, text) for name, text in texts.items()])


def acl_of_patterns(*patterns: str) -> Acl:
    """Grant each pattern to a policy of the same name, so that a verdict tells which one won."""
    return Acl([Policy(pattern, (PathRule(pattern, ("read", "list")),)) for pattern in patterns])


def winner(acl: Acl, path: str, operation: Operation = "read") -> str:
    return "".join(acl.allows(operation, path).granting_policies)


def test_nothing_is_allowed_without_a_rule() -> None:
    assert REFUSED == Acl([]).allows("read", "secret/a")
    assert ["deny"] == Acl([]).capabilities("secret/a")


def test_root_is_allowed_everything() -> None:
    acl = Acl([ROOT])
    expected = Verdict(allowed=True, root_privileges=True, granting_policies=("root",))

    assert expected == acl.allows("delete", "sys/seal", sudo_required=True)
    assert ["root"] == acl.capabilities("sys/seal")
    assert acl.is_root
    assert acl.reaches("secret/")


def test_root_must_be_alone() -> None:
    with pytest.raises(ValueError, match="other policies present along with root"):
        Acl([ROOT, Policy("default")])


def test_help_is_always_allowed() -> None:
    assert Verdict(allowed=True) == Acl([]).allows("help", "secret/a")


@pytest.mark.parametrize("operation", ["read", "list", "update", "patch", "delete"])
def test_each_operation_needs_its_own_capability(operation: Operation) -> None:
    acl = acl_of(p=f'path "a/*" {{ capabilities = ["{operation}"] }}')
    operations: tuple[Operation, ...] = ("read", "list", "update", "patch", "delete")

    assert [operation] == [each for each in operations if acl.allows(each, "a/b").allowed]


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        # An exact path wins over everything.
        (("a/b", "a/*", "a/+", "+/b"), "a/b", "a/b"),
        # A prefix is no segment, and the longest one wins.
        (("foo*",), "foobar/baz", "foo*"),
        (("a*", "a/b*", "a/*"), "a/bc", "a/b*"),
        (("*",), "", "*"),
        (("a/*",), "a", ""),
        (("a/*",), "a/", "a/*"),
        # A `*` elsewhere is literal.
        (("a*b",), "axb", ""),
        (("a*b",), "a*b", "a*b"),
        # A `+` is one whole segment.
        (("a/+/c",), "a/b/c", "a/+/c"),
        (("a/+/c",), "a/b/b/c", ""),
        (("a/+",), "a/b/c", ""),
        (("+/b",), "a/b", "+/b"),
        (("a/+b",), "a/xb", ""),
        (("a/+b",), "a/+b", "a/+b"),
        (("a/+/c*",), "a/b/cd/e", "a/+/c*"),
        (("a/+/*",), "a/b/c/d", "a/+/*"),
        (("a/+/*",), "a/b", ""),
        # The first wildcard comes later.
        (("a/+/c", "a/b/*"), "a/b/c", "a/b/*"),
        (("a/+/c/d", "a/b/+/d"), "a/b/c/d", "a/b/+/d"),
        (("a/*", "a/b/+"), "a/b/c", "a/b/+"),
        # At the same place, what does not end in `*` wins.
        (("a/+", "a/*"), "a/b", "a/+"),
        (("a/+/c*", "a/+/+"), "a/b/cd", "a/+/+"),
        # Then the one with fewer `+`.
        (("a/+/c/+", "a/+/+/+"), "a/b/c/d", "a/+/c/+"),
        (("a/+/+/d*", "a/+/c/*"), "a/b/c/d", "a/+/c/*"),
        # Then the longer.
        (("a/+/c*", "a/+/cd*"), "a/b/cde", "a/+/cd*"),
        # Then the one that sorts later.
        (("a/+/+/d", "a/+/c/+"), "a/b/c/d", "a/+/c/+"),
    ],
)
def test_the_choice_of_a_rule(patterns: tuple[str, ...], path: str, expected: str) -> None:
    assert expected == winner(acl_of_patterns(*patterns), path)
    assert expected == winner(acl_of_patterns(*reversed(patterns)), path)


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (("a/b", "a/b/"), "a/b/", "a/b/"),
        (("a/b", "a/b/*", "a/+/"), "a/b/", "a/b"),
        (("a/+", "a/b/*"), "a/b/", "a/b/*"),
        (("a/+", "a/+/"), "a/b/", "a/+/"),
        (("a/+",), "a/b/", "a/+"),
        (("a/+", "a/*"), "a/b/", "a/*"),
        (("b",), "a/", ""),
    ],
)
def test_a_list_looks_with_and_without_the_slash(
    patterns: tuple[str, ...], path: str, expected: str
) -> None:
    assert expected == winner(acl_of_patterns(*patterns), path, "list")


def test_a_deny_below_a_path_is_not_passed_by_listing_it() -> None:
    """The order of GHSA-xp3c: the slash is dropped last."""
    acl = acl_of(
        p='path "secret/+" { capabilities = ["list"] } path "secret/a/*" { policy = "deny" }'
    )

    assert acl.allows("list", "secret/b/").allowed
    assert REFUSED == acl.allows("list", "secret/a/")


def test_only_a_list_drops_the_slash() -> None:
    assert "" == winner(acl_of_patterns("a/b"), "a/b/")


def test_only_the_winner_counts() -> None:
    acl = acl_of(
        p='path "a/*" { capabilities = ["read"] } path "a/b/*" { capabilities = ["list"] }'
    )

    assert REFUSED == acl.allows("read", "a/b/c")
    assert ["list"] == acl.capabilities("a/b/c")


def test_capabilities_on_one_pattern_are_united() -> None:
    acl = acl_of(
        one='path "a" { capabilities = ["read", "update"] }',
        two='path "a" { capabilities = ["read", "list"] } path "a" { policy = "read" }',
    )

    assert ["list", "read", "update"] == acl.capabilities("a")
    assert ("one", "two") == acl.allows("read", "a").granting_policies
    assert ("two",) == acl.allows("list", "a").granting_policies


@pytest.mark.parametrize("pattern", ["a/b", "a/*", "a/+"])
def test_deny_in_any_policy_beats_all_on_the_same_pattern(pattern: str) -> None:
    acl = acl_of(
        one=f'path "{pattern}" {{ capabilities = ["read", "sudo"] }}',
        two=f'path "{pattern}" {{ capabilities = ["deny", "list"] }}',
    )

    assert REFUSED == acl.allows("read", "a/b")
    assert ["deny"] == acl.capabilities("a/b")


def test_a_broad_deny_does_not_beat_a_narrow_allow() -> None:
    acl = acl_of(p='path "a/*" { capabilities = ["deny"] } path "a/b" { capabilities = ["read"] }')

    assert acl.allows("read", "a/b").allowed


def test_a_rule_without_capabilities_reports_deny() -> None:
    assert ["deny"] == acl_of(p='path "a" {}').capabilities("a")


def test_sudo_is_needed_besides_the_capability() -> None:
    acl = acl_of(
        p="""
        path "both" { capabilities = ["update", "sudo"] }
        path "only" { capabilities = ["sudo"] }
        path "none" { capabilities = ["update"] }
        """
    )
    privileged = Verdict(allowed=True, root_privileges=True, granting_policies=("p",))

    assert privileged == acl.allows("update", "both", sudo_required=True)
    assert privileged == acl.allows("update", "both")
    assert Verdict(allowed=False, root_privileges=True) == acl.allows("update", "only")
    assert REFUSED == acl.allows("update", "none", sudo_required=True)


def test_an_update_of_what_is_not_there_is_a_create() -> None:
    acl = acl_of(
        one='path "c" { capabilities = ["create"] } path "b" { capabilities = ["create"] }',
        two='path "u" { capabilities = ["update"] } path "b" { capabilities = ["update"] }',
    )

    def granting(path: str, *, exists: bool) -> tuple[str, ...]:
        return acl.allows("update", path, exists=exists).granting_policies

    assert (("one",), ()) == (granting("c", exists=False), granting("c", exists=True))
    assert ((), ("two",)) == (granting("u", exists=False), granting("u", exists=True))
    assert (("one",), ("two",)) == (granting("b", exists=False), granting("b", exists=True))


def test_existence_is_asked_only_if_the_answer_depends_on_it() -> None:
    acl = acl_of(
        p="""
        path "both" { capabilities = ["create", "update"] }
        path "none" { capabilities = ["read"] }
        path "create" { capabilities = ["create"] }
        """
    )
    asked: list[bool] = []

    def exists() -> bool:
        asked.append(True)
        return False

    assert acl.allows("update", "both", exists=exists).allowed
    assert not acl.allows("update", "none", exists=exists).allowed
    assert not acl.allows("read", "create", exists=exists).allowed
    assert [] == asked
    assert acl.allows("update", "create", exists=exists).allowed
    assert [True] == asked


def test_constraints_are_held_against_the_request() -> None:
    acl = acl_of(
        p="""
        path "a" {
          capabilities = ["create", "read", "delete", "sudo"]
          allowed_parameters = { key = ["x*"] }
          max_wrapping_ttl = 60
        }
        """
    )
    refused = Verdict(allowed=False, root_privileges=True)
    granted = Verdict(allowed=True, root_privileges=True, granting_policies=("p",))

    def create(parameters: dict[str, object], wrap_ttl_s: int) -> Verdict:
        return acl.allows("update", "a", parameters, exists=False, wrap_ttl_s=wrap_ttl_s)

    assert granted == create({"key": "xy"}, 60)
    assert refused == create({"key": "y"}, 60)
    assert refused == create({"key": "xy"}, 61)
    assert refused == acl.allows("read", "a")
    assert granted == acl.allows("delete", "a", {"other": 1}, wrap_ttl_s=1)
    assert refused == acl.allows("list", "a", wrap_ttl_s=1)


def test_constraints_of_a_denied_pattern_are_moot() -> None:
    acl = acl_of(
        one='path "a" { capabilities = ["read"] required_parameters = ["x"] }',
        two='path "a" { capabilities = ["deny"] }',
    )

    assert REFUSED == acl.allows("read", "a", {"x": 1})


@pytest.mark.parametrize(
    ("pattern", "reaches"),
    [
        ("secret/", True),
        ("secret", True),
        ("secret/data/a", True),
        ("secret/data/*", True),
        ("sec*", True),
        ("*", True),
        ("secrets/a", False),
        ("other/*", False),
        ("+/data/a", True),
        ("+/*", True),
        ("secret/+", True),
        ("secret/+/a", True),
        ("+", True),
        ("other/+", False),
        ("+/x/y*", True),
        ("+/", True),
    ],
)
def test_whether_anything_below_a_mount_is_granted(pattern: str, reaches: bool) -> None:
    def acl(capability: str) -> Acl:
        return acl_of(p=f'path "{pattern}" {{ capabilities = [{capability}] }}')

    assert reaches == acl('"update"').reaches("secret/")
    assert not acl('"deny"').reaches("secret/")
    assert not acl("").reaches("secret/")


@pytest.mark.parametrize(
    ("pattern", "reaches"),
    [
        ("team/+", True),
        ("team/+/x", True),
        ("team/+/x*", True),
        ("+/k*", True),
        ("+/q*", False),
        ("+/kv/a", True),
        ("+/a*", False),
        ("+/x", False),
        ("team/x/+", False),
    ],
)
def test_a_mount_may_have_several_segments(pattern: str, reaches: bool) -> None:
    assert reaches == acl_of_patterns(pattern).reaches("team/kv/")


def test_the_default_policy_lets_a_token_look_after_itself() -> None:
    acl = acl_of(default=DEFAULT_POLICY)

    assert acl.allows("read", "auth/token/lookup-self").allowed
    assert acl.allows("update", "auth/token/renew-self").allowed
    assert acl.allows("update", "auth/token/revoke-self").allowed
    assert acl.allows("update", "sys/capabilities-self").allowed
    assert acl.allows("list", "cubbyhole/").allowed
    assert not acl.allows("read", "secret/data/a").allowed
    assert not acl.allows("update", "auth/token/create").allowed


_segments = st.sampled_from(["a", "b", "ab", "", "+", "+", "a+", "b*"])
_patterns = (
    st.builds(
        lambda segments, end: "/".join(segments) + end,
        st.lists(_segments, min_size=1, max_size=4),
        st.sampled_from(["", "*", "/", "/*"]),
    )
    .filter(lambda pattern: "+*" not in pattern)
    .map(lambda pattern: pattern.removeprefix("/"))
)
_capabilities = st.sampled_from(
    [(), ("read",), ("list",), ("deny",), ("create", "list"), ("read", "sudo"), ("update", "read")]
)
_policies = st.lists(
    st.builds(
        Policy,
        st.sampled_from(["p", "q", "r"]),
        st.lists(st.builds(PathRule, _patterns, _capabilities), max_size=6).map(tuple),
    ),
    max_size=4,
)
_paths = st.lists(st.sampled_from(["a", "b", "ab", "abc", "a+", ""]), min_size=1, max_size=5).map(
    "/".join
)


@pytest.mark.slow
@given(_policies, st.lists(_paths, min_size=1, max_size=6))
def test_every_answer_is_that_of_the_table(policies: list[Policy], paths: list[str]) -> None:
    acl = Acl(policies)

    for path in paths:
        assert acl_reference.capabilities(policies, path) == acl.capabilities(path)
        for capability, operation, exists in _REQUESTS:
            verdict = acl.allows(operation, path, exists=exists)

            assert acl_reference.allows(policies, capability, path) == (
                verdict.allowed,
                verdict.granting_policies,
            )


_REQUESTS: tuple[tuple[str, Operation, bool], ...] = (
    ("read", "read", True),
    ("list", "list", True),
    ("update", "update", True),
    ("create", "update", False),
    ("delete", "delete", True),
)
