"""What counts as a number, a truth value, a list, an object or a duration."""

from collections.abc import Callable

import pytest

from core.engines.call import RequestError
from core.engines.kv_v2 import fields

Parse = Callable[[object, str], object]


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (fields.integer, 7, 7),
        (fields.integer, "7", 7),
        (fields.integer, "-7", -7),
        (fields.integer, "+7", 7),
        (fields.integer, "", 0),
        (fields.integer, None, 0),
        (fields.boolean, True, True),
        (fields.boolean, False, False),
        (fields.boolean, None, False),
        (fields.boolean, 2, True),
        (fields.boolean, 0, False),
        (fields.boolean, "true", True),
        (fields.boolean, "F", False),
        (fields.boolean, "", False),
        (fields.integers, [1, "2"], [1, 2]),
        (fields.integers, 3, [3]),
        (fields.integers, "1, 2,3", [1, 2, 3]),
        (fields.integers, "", []),
        (fields.integers, None, []),
        (fields.integers, [1] * 2_048, [1] * 2_048),
        (fields.mapping, {"a": 1}, {"a": 1}),
        (fields.mapping, None, {}),
        (fields.duration_s, None, 0),
        (fields.duration_s, 90, 90),
        (fields.duration_s, 1.5, 1),
        (fields.duration_s, "1h30m", 5_400),
        (fields.duration_s, "-5s", -5),
    ],
)
def test_accepted(parse: Parse, value: object, expected: object) -> None:
    assert parse(value, "field") == expected


@pytest.mark.parametrize(
    ("parse", "value", "complaint"),
    [
        (fields.integer, 1.0, "expected a whole number"),
        (fields.integer, True, "expected a whole number"),
        (fields.integer, "1_0", "expected a whole number"),
        (fields.integer, " 1", "expected a whole number"),
        (fields.integer, "٣", "expected a whole number"),
        (fields.integer, "1" * 20, "expected a whole number"),
        (fields.boolean, "yes", "expected true or false"),
        (fields.boolean, [], "expected true or false"),
        (fields.integers, [1, []], "expected a whole number"),
        (fields.integers, "1,x", "expected a whole number"),
        (fields.integers, {}, "expected a whole number"),
        (fields.integers, [1] * 2_049, "expected at most 2048 numbers"),
        (fields.integers, "1," * 2_048 + "1", "expected at most 2048 numbers"),
        (fields.mapping, [], "expected an object"),
        (fields.duration_s, "soon", "expected a duration"),
        (fields.duration_s, [], "expected a duration"),
        (fields.duration_s, True, "expected a duration"),
        (fields.duration_s, 2**63, "expected a duration"),
    ],
)
def test_refused(parse: Parse, value: object, complaint: str) -> None:
    with pytest.raises(RequestError) as refusal:
        parse(value, "field")
    assert (refusal.value.status, refusal.value.messages) == (
        400,
        ('Field validation failed: error converting input for field "field": ' + complaint,),
    )
