"""What a policy may say, and how it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vault.policy import (
    CAPABILITIES,
    DEFAULT_NAME,
    DEFAULT_POLICY,
    PathRule,
    Policy,
    PolicyError,
    parse_policy,
)

SET_TWICE = (
    'the argument "{}" on line 2 was already set on line 1; each argument can only be set once'
)
NO_DURATION = "error parsing {} on line 1: '{}' is not a duration such as 90, 1h30m or 7d"


def rule_of(stanza: str) -> PathRule:
    (rule,) = parse_policy("p", f'path "x" {{ {stanza} }}').rules
    return rule


def refusal_of(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        parse_policy("p", text)
    return str(caught.value)


def test_rules_keep_their_order_and_their_duplicates() -> None:
    text = """
    path "b/*" { capabilities = ["read"] }
    path "a/+" { capabilities = ["list", "create"] }
    path "b/*" { capabilities = ["delete"] }
    """

    assert parse_policy("p", text) == Policy(
        "p",
        (
            PathRule("b/*", ("read",)),
            PathRule("a/+", ("create", "list")),
            PathRule("b/*", ("delete",)),
        ),
    )


def test_hcl_and_json_are_the_same() -> None:
    hcl = """
    name = "other"
    path "a" {
      capabilities = ["create", "update"]
      allowed_parameters = { "Foo" = ["x*", 1, true, [1, { a = 1.5 }]], "*" = [] }
      denied_parameters { bar = [] }
      required_parameters = ["Foo"]
      min_wrapping_ttl = "1m"
      max_wrapping_ttl = 90
    }
    path "b" { policy = "read" }
    """
    json = """{
      "name": "other",
      "path": {
        "a": {
          "capabilities": ["create", "update"],
          "allowed_parameters": {"Foo": ["x*", 1, true, [1, {"a": 1.5}]], "*": []},
          "denied_parameters": {"bar": []},
          "required_parameters": ["Foo"],
          "min_wrapping_ttl": "1m",
          "max_wrapping_ttl": 90
        },
        "b": {"policy": "read"}
      }
    }"""
    expected = Policy(
        "p",
        (
            PathRule(
                "a",
                ("create", "update"),
                {"foo": ("x*", 1, True, [1, {"a": 1.5}]), "*": ()},
                {"bar": ()},
                ("Foo",),
                60,
                90,
            ),
            PathRule("b", ("read", "list")),
        ),
    )

    assert expected == parse_policy("p", hcl)
    assert expected == parse_policy("p", json)


def test_names_are_lower_cased() -> None:
    assert Policy("admins") == parse_policy("Admins", "")


@pytest.mark.parametrize(
    ("path", "pattern"), [("/a/b", "a/b"), ("//a", "/a"), ("", ""), ("*", "*"), ("a*b", "a*b")]
)
def test_one_leading_slash_is_dropped(path: str, pattern: str) -> None:
    (rule,) = parse_policy("p", f'path "{path}" {{}}').rules

    assert PathRule(pattern) == rule


@pytest.mark.parametrize(
    ("word", "capabilities"),
    [
        ("deny", ("deny",)),
        ("read", ("read", "list")),
        ("write", ("create", "read", "update", "delete", "list")),
        ("sudo", ("create", "read", "update", "delete", "list", "sudo")),
    ],
)
def test_the_old_words_stand_for_capabilities(word: str, capabilities: tuple[str, ...]) -> None:
    assert capabilities == rule_of(f'policy = "{word}"').capabilities


def test_the_old_words_add_to_capabilities() -> None:
    assert ("read", "list", "patch") == rule_of(
        'capabilities = ["patch", "read"] policy = "read"'
    ).capabilities


def test_every_capability_is_known() -> None:
    for capability in CAPABILITIES:
        assert (capability,) == rule_of(f'capabilities = ["{capability}"]').capabilities


def test_deny_stands_alone_and_makes_all_else_moot() -> None:
    stanza = 'capabilities = ["read", "deny"] required_parameters = ["a"] min_wrapping_ttl = 5'

    assert PathRule("x", ("deny",)) == rule_of(stanza)


def test_a_stanza_with_a_template_is_left_out() -> None:
    text = """
    path "secret/{{identity.entity.id}}/*" { capabilities = ["read"] }
    path "secret/own" { capabilities = ["read"] }
    """

    assert Policy("p", (PathRule("secret/own", ("read",)),)) == parse_policy("p", text)


def test_a_stanza_with_a_template_is_still_checked() -> None:
    text = 'path "{{identity.entity.id}}" { capabilities = ["fly"] }'

    assert 'path "{{identity.entity.id}}": invalid capability "fly"' in refusal_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path", "line 1: expected = or {, found end of text"),
        ('{"path": }', "line 1: expected a value, found '}'"),
        ("paths {}", 'invalid key "paths" on line 1'),
        ("name {}", 'invalid key "name" on line 1'),
        ("\nname = 1", "name on line 2 must be a string"),
        (
            'name = "a"\nname = "b"',
            SET_TWICE.format("name"),
        ),
        ('path = "a"', "a path block with exactly one path is expected on line 1"),
        ('path "a" "b" {}', "a path block with exactly one path is expected on line 1"),
        ("path { a = 1 }", "a path block with exactly one path is expected on line 1"),
        ('{"path": {"a": 1}}', "a path block with exactly one path is expected on line 1"),
        (
            'path "a+*" {}',
            "path \"a+*\": invalid use of wildcards ('+*' is forbidden)",
        ),
        ('path "{{a" {}', 'path "{{a": unbalanced templating characters'),
        ('path "{{a}}}}" {}', 'path "{{a}}}}": unbalanced templating characters'),
    ],
)
def test_what_is_no_policy(text: str, message: str) -> None:
    assert f"failed to parse policy: {message}" == refusal_of(text)


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ("\nfoo = 1", 'invalid key "foo" on line 2'),
        ("control_group {}", 'invalid key "control_group" on line 1'),
        ('capabilities "a" {}', 'invalid key "capabilities" on line 1'),
        (
            'policy = "read"\npolicy = "read"',
            SET_TWICE.format("policy"),
        ),
        ('capabilities = ["fly"]', 'invalid capability "fly"'),
        ('capabilities = "read"', "capabilities on line 1 must be a list of strings"),
        ("capabilities = [1]", "capabilities on line 1 must be a list of strings"),
        ("capabilities {}", "capabilities on line 1 must be a list of strings"),
        ('policy = "admin"', 'invalid policy "admin"'),
        ("policy = 1", "policy on line 1 must be a string"),
        ("required_parameters = [true]", "required_parameters on line 1 must be a list of strings"),
        ("allowed_parameters = []", "allowed_parameters on line 1 must be an object of lists"),
        ("denied_parameters = 1", "denied_parameters on line 1 must be an object of lists"),
        (
            'allowed_parameters = { "a" = 1 }',
            'allowed_parameters on line 1 needs a list for "a"',
        ),
        (
            "allowed_parameters = { a {} }",
            'allowed_parameters on line 1 needs a list for "a"',
        ),
        (
            "allowed_parameters = { a = []\nA = [] }",
            'allowed_parameters on line 2 names "a" for a second time',
        ),
        (
            "allowed_parameters = { a = []\na = [] }",
            SET_TWICE.format("a"),
        ),
        ("allowed_parameters = { a = [{ b c {} }] }", 'invalid key "b" on line 1'),
        (
            'min_wrapping_ttl = "soon"',
            NO_DURATION.format("min_wrapping_ttl", "soon"),
        ),
        (
            "max_wrapping_ttl = []",
            NO_DURATION.format("max_wrapping_ttl", "()"),
        ),
        (
            "max_wrapping_ttl = true",
            NO_DURATION.format("max_wrapping_ttl", "True"),
        ),
        ("min_wrapping_ttl = -1", "min_wrapping_ttl on line 1 cannot be negative"),
        (
            "min_wrapping_ttl = 10 max_wrapping_ttl = 5",
            "max_wrapping_ttl cannot be less than min_wrapping_ttl",
        ),
    ],
)
def test_what_is_no_stanza(stanza: str, message: str) -> None:
    expected = f'failed to parse policy: path "x": {message}'

    assert expected == refusal_of(f'path "x" {{ {stanza} }}')


def test_an_object_of_paths_may_be_empty() -> None:
    assert Policy("p") == parse_policy("p", "path {}")
    assert Policy("p") == parse_policy("p", '{"path": {}}')


def test_the_text_of_the_default_policy_is_a_policy() -> None:
    policy = parse_policy(DEFAULT_NAME, DEFAULT_POLICY)

    assert PathRule("auth/token/lookup-self", ("read",)) in policy.rules
    assert not [rule for rule in policy.rules if not rule.capabilities]


@given(st.text() | st.text('path "x*+/{}[]=,capilites:\n', max_size=60))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    try:
        policy = parse_policy("p", text)
    except PolicyError as error:
        assert str(error).startswith("failed to parse policy: ")  # noqa: PT017 -- either may be
    else:
        assert "p" == policy.name
