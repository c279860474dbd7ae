"""What a rule demands of parameters and of wrapping, as sections of Vault's table."""

from typing import Any

import pytest

from core.vault.constraints import Constraints, unite
from core.vault.policy import PathRule, parse_policy


def constraints_of(*stanzas: str) -> Constraints:
    rules = [
        rule for stanza in stanzas for rule in parse_policy("p", f'path "x" {{ {stanza} }}').rules
    ]
    united = unite(rules)
    assert united is not None
    return united


def permits(stanza: str, parameters: dict[str, Any], operation: str = "update") -> bool:
    return constraints_of(stanza).permit(operation, parameters, 0)


def test_rules_without_demands_unite_to_nothing() -> None:
    assert unite([PathRule("x", ("read",)), PathRule("x", ("list",))]) is None


@pytest.mark.parametrize("operation", ["read", "update", "patch"])
def test_required_parameters_must_be_there(operation: str) -> None:
    stanza = 'required_parameters = ["a", "B"]'

    assert permits(stanza, {"a": 1, "b": 2, "c": 3}, operation)
    assert not permits(stanza, {"a": 1}, operation)
    assert not permits(stanza, {}, operation)


def test_required_parameters_are_demanded_in_lower_case() -> None:
    assert not permits('required_parameters = ["Foo"]', {"Foo": 1})
    assert permits('required_parameters = ["Foo"]', {"foo": 1})


@pytest.mark.parametrize("operation", ["delete", "list"])
def test_parameters_do_not_count_for_a_delete_and_a_list(operation: str) -> None:
    stanza = 'required_parameters = ["a"] denied_parameters = { "*" = [] }'

    assert permits(stanza, {"b": 1}, operation)


def test_a_request_without_parameters_passes_whatever_is_denied_or_allowed() -> None:
    stanza = 'denied_parameters = { "*" = [] } allowed_parameters = { a = [1] }'

    assert permits(stanza, {})
    assert not permits(stanza, {"a": 1})


def test_a_denied_parameter_with_a_denied_value_is_refused() -> None:
    stanza = 'denied_parameters = { a = [1, "x*"], B = [] }'

    assert permits(stanza, {"a": 2, "c": 1})
    assert not permits(stanza, {"a": 1})
    assert not permits(stanza, {"A": "xyz"})
    assert not permits(stanza, {"b": 5})


def test_only_allowed_parameters_with_allowed_values_pass() -> None:
    stanza = 'allowed_parameters = { a = [1, "x*"], B = [] }'

    assert permits(stanza, {"a": 1, "b": None})
    assert permits(stanza, {"A": "xyz"})
    assert not permits(stanza, {"a": 2})
    assert not permits(stanza, {"c": 1})


def test_a_star_allows_all_others() -> None:
    stanza = 'allowed_parameters = { a = [1], "*" = [] }'

    assert permits(stanza, {"a": 1, "c": 1})
    assert not permits(stanza, {"a": 2, "c": 1})
    assert permits('allowed_parameters = { "*" = [] }', {"a": 1})


def test_what_is_denied_is_not_saved_by_being_allowed() -> None:
    stanza = 'allowed_parameters = { a = [] } denied_parameters = { a = ["secret"] }'

    assert permits(stanza, {"a": "open"})
    assert not permits(stanza, {"a": "secret"})


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ('"abc"', "abc", True),
        ('"abc"', "abcd", False),
        ('"a*"', "abc", True),
        ('"a*"', "ba", False),
        ('"*c"', "abc", True),
        ('"*c"', "cb", False),
        ('"*b*"', "abc", True),
        ('"*b*"', "ac", False),
        ('"a*c"', "abc", False),
        ('"a*c"', "a*c", True),
        ('"*"', "*", True),
        ('"*"', "a", False),
        ('"**"', "", True),
        ('""', "", True),
        ('""', "a", False),
        ("1", 1, True),
        ("1", 1.0, True),
        ("1", "1", False),
        ("1", True, False),
        ("true", True, True),
        ("true", 1, False),
        ('"1"', 1, False),
        ("[1, true]", [1, True], True),
        ("[1, true]", [1, 1], False),
        ("[1]", [1, 2], False),
        ("[]", [], True),
        ("[]", {}, False),
        ("{ a = [1] }", {"a": [1]}, True),
        ("{ a = [1] }", {"a": [True]}, False),
        ("{ a = 1 }", {"b": 1}, False),
        ('["a*"]', ["abc"], False),
    ],
)
def test_values(pattern: str, value: object, matches: bool) -> None:
    assert matches == permits(f"allowed_parameters = {{ a = [{pattern}] }}", {"a": value})


def test_null_is_a_value() -> None:
    rules = parse_policy("p", '{"path": {"x": {"allowed_parameters": {"a": [null]}}}}').rules
    united = unite(rules)
    assert united is not None

    assert united.permit("update", {"a": None}, 0)
    assert not united.permit("update", {"a": 0}, 0)


def test_lists_of_values_unite_and_an_empty_one_takes_all() -> None:
    united = constraints_of(
        'allowed_parameters = { a = [1], b = [1], c = [] } required_parameters = ["x"]',
        'allowed_parameters = { a = [2], b = [], c = [1] } required_parameters = ["X", "y"]',
        "denied_parameters = { d = [3] }",
    )

    assert Constraints({"a": (1, 2), "b": (), "c": ()}, {"d": (3,)}, ("x", "y"), 0, 0) == united


def test_the_lowest_wrapping_times_are_kept() -> None:
    united = constraints_of(
        "min_wrapping_ttl = 20 max_wrapping_ttl = 100",
        "min_wrapping_ttl = 10",
        "max_wrapping_ttl = 50",
    )

    assert (10, 50) == (united.min_wrapping_ttl_s, united.max_wrapping_ttl_s)


@pytest.mark.parametrize("operation", ["read", "list", "delete"])
@pytest.mark.parametrize(
    ("stanza", "permitted_s"),
    [
        ("min_wrapping_ttl = 10", [10, 11, 99]),
        ("max_wrapping_ttl = 11", [9, 10, 11]),
        ("min_wrapping_ttl = 10 max_wrapping_ttl = 11", [10, 11]),
    ],
)
def test_the_answer_must_be_wrapped_within_the_range(
    stanza: str, permitted_s: list[int], operation: str
) -> None:
    constraints = constraints_of(stanza)

    assert permitted_s == [
        ttl_s for ttl_s in (0, 9, 10, 11, 99) if constraints.permit(operation, {}, ttl_s)
    ]


def test_a_minimum_above_the_maximum_permits_nothing() -> None:
    constraints = constraints_of("min_wrapping_ttl = 10", "max_wrapping_ttl = 5")

    assert [] == [ttl_s for ttl_s in (0, 4, 5, 7, 10, 11) if constraints.permit("read", {}, ttl_s)]


def test_wrapping_and_parameters_must_both_be_right() -> None:
    constraints = constraints_of('min_wrapping_ttl = 10 required_parameters = ["a"]')

    assert constraints.permit("update", {"a": 1}, 10)
    assert not constraints.permit("update", {"a": 1}, 9)
    assert not constraints.permit("update", {}, 10)
