"""Fields as clients send them: typed, or as text."""

from collections.abc import Callable
from typing import Any

import pytest

from core.engines.call import RequestError
from core.vault import fields
from core.vault.fields import TEXTS_MAX

NOT_GIVEN: list[dict[str, Any]] = [{}, {"f": None}, {"f": ""}]


@pytest.mark.parametrize("body", NOT_GIVEN)
def test_what_is_not_given_is_nothing(body: dict[str, Any]) -> None:
    assert not fields.given(body, "f")
    assert "" == fields.text(body, "f")
    assert fields.flag(body, "f") is False
    assert 0 == fields.duration_s(body, "f")
    assert {} == fields.mapping(body, "f")
    assert {} == fields.text_mapping(body, "f")
    assert [] == fields.texts(body, "f")


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (fields.given, False, True),
        (fields.text, "a", "a"),
        (fields.text, 2, "2"),
        (fields.text, 1.5, "1.5"),
        (fields.text, True, "true"),
        (fields.flag, True, True),
        (fields.flag, "true", True),
        (fields.flag, 1, True),
        (fields.flag, "F", False),
        (fields.duration_s, 90, 90),
        (fields.duration_s, "1h30m", 5400),
        (fields.duration_s, "90", 90),
        (fields.mapping, {"a": [1]}, {"a": [1]}),
        (fields.text_mapping, {"a": 1, "b": False}, {"a": "1", "b": "false"}),
        (fields.texts, "a, b,,c", ["a", "b", "c"]),
        (fields.texts, ["a", 1, ""], ["a", "1"]),
        (fields.texts, ["a"] * TEXTS_MAX, ["a"] * TEXTS_MAX),
    ],
)
def test_what_stands_for_a_value(
    read: Callable[[dict[str, Any], str], object], value: object, expected: object
) -> None:
    assert expected == read({"f": value}, "f")


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (fields.text, [], "a text"),
        (fields.text, {}, "a text"),
        (fields.flag, "maybe", "true or false"),
        (fields.flag, 2, "true or false"),
        (fields.duration_s, "soon", "a duration"),
        (fields.duration_s, "-1s", "a duration"),
        (fields.duration_s, [], "a duration"),
        (fields.duration_s, True, "a duration"),
        (fields.mapping, [], "an object"),
        (fields.text_mapping, {"a": []}, "a text"),
        (fields.texts, 1, "a list of at most 1000 texts"),
        (fields.texts, [[]], "a text"),
        (fields.texts, ["a"] * (TEXTS_MAX + 1), "a list of at most 1000 texts"),
        (fields.texts, "a," * TEXTS_MAX, "a list of at most 1000 texts"),
    ],
)
def test_what_does_not(
    read: Callable[[dict[str, Any], str], object], value: object, expected: str
) -> None:
    with pytest.raises(RequestError) as refusal:
        read({"f": value}, "f")
    text = f'Field validation failed: error converting input for field "f": expected {expected}'
    assert (400, text) == (refusal.value.status, *refusal.value.messages)
