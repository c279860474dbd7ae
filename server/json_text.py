"""JSON as the client reads and writes it: numbers stay as they were written.

Owns what becomes of a number with a fraction or an exponent, which a float would change or could
not hold: `1.10`, `1e400`. Knows nothing of what the JSON says.
"""

import json
from typing import Any, Final

INDENT: Final = "  "


class Number:
    """A number with a fraction or an exponent.

    Attributes:
        text: how it is written.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def decode(text: str | bytes) -> Any:  # noqa: ANN401 -- any JSON value
    """Return what `text` says.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, parse_float=Number, parse_constant=_refuse)


def encode(value: object, *, ensure_ascii: bool = True) -> str:
    """Return JSON text on one line, letters beyond ASCII escaped or as they are."""
    return _encoded(value, "", ensure_ascii=ensure_ascii)


def encode_indented(value: object) -> str:
    """Return JSON text on many lines. Letters beyond ASCII stay as they are."""
    return _encoded(value, "\n", ensure_ascii=False)


def _encoded(value: object, newline: str, *, ensure_ascii: bool) -> str:
    pieces: list[str] = []
    _append(pieces, value, newline, ensure_ascii=ensure_ascii)
    return "".join(pieces)


def _append(pieces: list[str], value: object, newline: str, *, ensure_ascii: bool) -> None:
    """Append what `value` is written as; `newline` begins its last line, and is empty for one."""
    if isinstance(value, Number):
        pieces.append(value.text)
        return
    if not value or not isinstance(value, dict | list | tuple):
        pieces.append(json.dumps(value, ensure_ascii=ensure_ascii))
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inner = newline and newline + INDENT
    between = "," if newline else ", "
    pieces.append(opening)
    for number, item in enumerate(value):
        pieces.append(f"{between if number else ''}{inner}")
        if isinstance(value, dict):
            pieces.append(f"{json.dumps(item, ensure_ascii=ensure_ascii)}: ")
            item = value[item]  # noqa: PLW2901 -- of a dictionary, the key came first
        _append(pieces, item, inner, ensure_ascii=ensure_ascii)
    pieces.append(f"{newline}{closing}")


def _refuse(literal: str) -> object:
    raise ValueError(f"{literal} is no JSON value")
