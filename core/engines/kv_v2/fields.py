"""The fields of a request, as loosely typed as Vault takes them.

Owns what counts as a number, a truth value, a list of numbers, a duration or an object: forms
and command lines send text for all of them. Must not know which fields there are.
"""

import re
from typing import Any, Final

from core.engines.call import RequestError
from core.vault.duration import parse_duration_s

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_TRUTH: Final = dict.fromkeys(("1", "t", "T", "true", "True", "TRUE"), True) | dict.fromkeys(
    ("", "0", "f", "F", "false", "False", "FALSE"), False
)

_NUMBERS_MAX: Final = 2_048


def integer(value: object, field: str) -> int:
    """Return a number, or text of one; null and empty text are 0.

    Raises:
        RequestError: 400, it is anything else.
    """
    if type(value) is int:
        return value
    if value is None or value == "":
        return 0
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    raise _refusal(field, "expected a whole number")


def boolean(value: object, field: str) -> bool:
    """Return a truth value, a number or the text of either; null is false.

    Raises:
        RequestError: 400, it is anything else.
    """
    if type(value) is bool:
        return value
    if value is None or type(value) is int:
        return bool(value)
    if type(value) is str and value in _TRUTH:
        return _TRUTH[value]
    raise _refusal(field, "expected true or false")


def integers(value: object, field: str) -> list[int]:
    """Return a list of numbers, one number, or text with commas between numbers.

    Raises:
        RequestError: 400, it is anything else, or there are more than 2,048 of them.
    """
    if value is None or value == "":
        return []
    items: list[object]
    if type(value) is list:
        items = value
    elif type(value) is str:
        items = [item.strip() for item in value.split(",", _NUMBERS_MAX)]
    else:
        items = [value]
    if len(items) > _NUMBERS_MAX:
        raise _refusal(field, f"expected at most {_NUMBERS_MAX} numbers")
    return [integer(item, field) for item in items]


def mapping(value: object, field: str) -> dict[str, Any]:
    """Return a JSON object; null is an empty one.

    Raises:
        RequestError: 400, it is anything else.
    """
    if value is None:
        return {}
    if type(value) is dict:
        return value
    raise _refusal(field, "expected an object")


def duration_s(value: object, field: str) -> int:
    """Return a duration in whole seconds from a number of them or text like `1h30m`; null is 0.

    Raises:
        RequestError: 400, it is anything else, or longer than Go can say, some 292 years.
    """
    if value is None:
        return 0
    if isinstance(value, str | int | float):
        try:
            return parse_duration_s(value)
        except ValueError:
            pass
    raise _refusal(field, "expected a duration")


def _refusal(field: str, expected: str) -> RequestError:
    return RequestError(
        400, f'Field validation failed: error converting input for field "{field}": {expected}'
    )
