"""The fields of a request to the system, as loosely typed as Vault takes them.

Owns what counts as a text, a truth value, a duration, an object of texts or a list of texts: forms
and command lines send text for all of them. Must not know which fields there are. A field that
is missing, null or empty text counts as not given.
"""

from typing import Any, Final

from core.engines.call import RequestError
from core.vault.duration import parse_duration_s

Body = dict[str, Any]

TEXTS_MAX: Final = 1_000
"""Elements of a list of texts."""

_TRUTHS: Final = dict.fromkeys(("1", "t", "T", "true", "True", "TRUE"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "False", "FALSE"), False
)


def given(body: Body, name: str) -> bool:
    """Tell whether a field says anything."""
    return body.get(name) not in (None, "")


def text(body: Body, name: str) -> str:
    """Return a text; a number or truth value stands for its own.

    Raises:
        RequestError: 400, it is anything else.
    """
    value = body.get(name)
    return "" if value is None else _text(value, name)


def flag(body: Body, name: str) -> bool:
    """Return a truth value; false if it is not given.

    Raises:
        RequestError: 400, it is anything else.
    """
    if not given(body, name):
        return False
    truth = _TRUTHS.get(text(body, name))
    if truth is None:
        raise _refusal(name, "expected true or false")
    return truth


def duration_s(body: Body, name: str) -> int:
    """Return whole seconds, from a number of them or text like `1h30m`; 0 if it is not given.

    Raises:
        RequestError: 400, it is anything else, or negative.
    """
    value = body.get(name)
    if value is None:
        return 0
    if isinstance(value, str | int | float):
        try:
            seconds = parse_duration_s(value)
        except ValueError:
            seconds = -1
        if seconds >= 0:
            return seconds
    raise _refusal(name, "expected a duration")


def mapping(body: Body, name: str) -> Body:
    """Return an object; empty if it is not given.

    Raises:
        RequestError: 400, it is anything else.
    """
    if not given(body, name):
        return {}
    value = body[name]
    if not isinstance(value, dict):
        raise _refusal(name, "expected an object")
    return value


def text_mapping(body: Body, name: str) -> dict[str, str]:
    """Return an object whose values are texts; empty if it is not given.

    Raises:
        RequestError: 400, it is anything else.
    """
    return {key: _text(value, name) for key, value in mapping(body, name).items()}


def texts(body: Body, name: str) -> list[str]:
    """Return a list of texts, or what stands between the commas of one text.

    Raises:
        RequestError: 400, it is anything else, or has more than `TEXTS_MAX` elements.
    """
    if not given(body, name):
        return []
    value = body[name]
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",", TEXTS_MAX)]
    if not isinstance(value, list) or len(value) > TEXTS_MAX:
        raise _refusal(name, f"expected a list of at most {TEXTS_MAX} texts")
    return [each for each in (_text(element, name) for element in value) if each]


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise _refusal(name, "expected a text")


def _refusal(name: str, expected: str) -> RequestError:
    return RequestError(
        400, f'Field validation failed: error converting input for field "{name}": {expected}'
    )
