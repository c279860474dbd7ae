"""The JSON object of a request: decoded, and bounded in every direction.

Owns the limits on bodies. They are those of Vault, which refuses with 400 what exceeds them.
"""

from typing import Any, Final

import msgspec

from core.engines.call import RequestError

DEPTH_MAX: Final = 500
STRING_BYTES_MAX: Final = 1 << 20
ENTRIES_MAX: Final = 10_000
"""Entries of one object, or elements of one array."""

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_TOO_DEEP: Final = f"JSON input exceeds the depth limit of {DEPTH_MAX}"
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
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RequestError(400, f"failed to parse JSON input: {error}") from None
    if len(body) > _SMALL_BYTES:
        _bound(decoded)
    return decoded


def fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of the object that `body` spells, each as the text that was sent."""
    return {} if _says_nothing(body) else _decode_fields(body)


def _says_nothing(body: bytes) -> bool:
    # An object is the usual case, and needs no further look.
    return body[:1] != b"{" and body.strip() in _NOTHING


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
