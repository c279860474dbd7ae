"""The JSON object of a request: decoded, and bounded in every direction.

Owns the limits on bodies. They are those of Vault, which refuses with 400 what exceeds them. Two
things are refused that Vault takes: Go turns half a surrogate pair, and bytes that are not UTF-8,
into U+FFFD, and a secret would come back as another one.
"""

import math
import re
from typing import Any, Final

import msgspec

from core.engines.call import RequestError

DEPTH_MAX: Final = 500
STRING_BYTES_MAX: Final = 1 << 20
ENTRIES_MAX: Final = 10_000
"""Entries of one object, or elements of one array."""

DIGITS_MAX: Final = 4300
"""Digits of a whole number: what the decoder takes, which is Python's limit."""


def number(literal: str) -> float | msgspec.Raw:
    """Return a number with a fraction or an exponent; as it is written, if no float holds it."""
    value = float(literal)
    return value if math.isfinite(value) else msgspec.Raw(literal.encode())


_decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=number).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_HALF_A_PAIR: Final = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\(?!u[dD][89a-fA-F]).)*+\\u[dD]..", re.DOTALL
)
"""All up to the first escape that is half a surrogate pair."""
_SEARCHED_BYTES_MAX: Final = 1 << 20
"""Where it is looked for: a node does nothing else meanwhile, and no secret is longer."""
_INTEGER_FAULT: Final = "Integer value out of range"
"""How the decoder begins to say that a whole number is too long."""

_TOO_DEEP: Final = f"JSON input exceeds the depth limit of {DEPTH_MAX}"
_UNREADABLE: Final = "failed to parse JSON input"
_NOTHING: Final = frozenset({b"", b"null"})
"""Go's client sends `null` when it is given no data."""

_SMALL_BYTES: Final = DEPTH_MAX
"""No body of so few bytes can exceed any limit."""


def decode(body: bytes) -> dict[str, Any]:
    """Return the object that `body` spells; an empty body, or `null`, is an empty object.

    Raises:
        RequestError: 400, it is no JSON object, or one beyond the limits.
    """
    if _says_nothing(body):
        return {}
    try:
        decoded = _decode_object(body)
    except RecursionError:
        raise RequestError(400, _TOO_DEEP) from None
    except UnicodeDecodeError:
        raise RequestError(400, f"{_UNREADABLE}: a text is not UTF-8") from None
    except msgspec.MsgspecError as error:
        raise RequestError(400, f"{_UNREADABLE}: {_reason(body, error)}") from None
    if len(body) > _SMALL_BYTES:
        _bound(decoded)
    return decoded


def fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of the object that `body` spells, each as the text that was sent."""
    return {} if _says_nothing(body) else _decode_fields(body)


def _says_nothing(body: bytes) -> bool:
    # An object is the usual case, and needs no further look.
    return body[:1] != b"{" and body.strip() in _NOTHING


def _reason(body: bytes, error: msgspec.MsgspecError) -> str:
    """Return what is wrong with a body; of some faults the decoder says what misleads."""
    if _HALF_A_PAIR.match(body, 0, _SEARCHED_BYTES_MAX):
        return r"a text has half a surrogate pair, such as \ud800 alone"
    if str(error).startswith(_INTEGER_FAULT):
        return f"a whole number has more than {DIGITS_MAX} digits"
    return str(error)


def _bound(decoded: dict[str, Any]) -> None:
    level: list[Any] = [decoded]
    for _ in range(DEPTH_MAX):
        below: list[Any] = []
        for value in level:
            _bound_one(value, below)
        if not below:
            return
        level = below
    raise RequestError(400, _TOO_DEEP)


def _bound_one(value: Any, below: list[Any]) -> None:  # noqa: ANN401 -- any JSON value
    if isinstance(value, str):
        if len(value.encode()) > STRING_BYTES_MAX:
            raise RequestError(400, f"JSON input exceeds the string limit of {STRING_BYTES_MAX}")
    elif isinstance(value, dict | list):
        if len(value) > ENTRIES_MAX:
            raise RequestError(400, f"JSON input exceeds the limit of {ENTRIES_MAX} entries")
        if isinstance(value, dict):
            below += value
            below += value.values()
        else:
            below += value
