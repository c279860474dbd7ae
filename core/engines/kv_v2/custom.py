"""What users note on a secret: `custom_metadata`.

Owns its limits, which are Vault's, and how values of any kind become text.
"""

from typing import Any, Final

import msgspec

from core.engines.call import Call, RequestError
from core.engines.kv_v2 import fields

FIELD: Final = "custom_metadata"

_KEYS_MAX: Final = 64
_KEY_BYTES_MAX: Final = 128
_VALUE_BYTES_MAX: Final = 512

_decoder: Final = msgspec.json.Decoder(dict[str, Any], float_hook=str)
"""Numbers with a fraction or exponent become the text that was sent."""


def replaced(call: Call) -> dict[str, str] | None:
    """Return the notes that were sent.

    Raises:
        RequestError: 400, they are no texts, too many or too long.
    """
    return _valid({key: text or "" for key, text in _submitted(call).items()})


def merged(call: Call, notes: dict[str, str] | None) -> dict[str, str] | None:
    """Return `notes` with those that were sent added, and those that were sent as null removed.

    Raises:
        RequestError: 400, they are no texts, too many or too long.
    """
    if call.body[FIELD] is None:
        return None
    changed = {**(notes or {}), **_submitted(call)}
    return _valid({key: text for key, text in changed.items() if text is not None})


def _submitted(call: Call) -> dict[str, str | None]:
    if not fields.mapping(call.body[FIELD], FIELD):
        return {}
    return {key: _text(key, value) for key, value in _decoder.decode(call.raw[FIELD]).items()}


def _text(key: str, value: object) -> str | None:
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "1" if value else "0"
    if type(value) is int:
        return str(value)
    raise RequestError(400, _refusal(f"the value of key {key!r} must be text"))


def _valid(notes: dict[str, str]) -> dict[str, str] | None:
    """Return the notes, or None for none, unless they break a limit."""
    if len(notes) > _KEYS_MAX:
        raise RequestError(
            400, _refusal(f"payload must contain at most {_KEYS_MAX} keys, provided {len(notes)}")
        )
    faults = [fault for key, text in notes.items() for fault in _faults(key, text)]
    if faults:
        raise RequestError(400, *map(_refusal, faults))
    return notes or None


def _faults(key: str, text: str) -> list[str]:
    faults = []
    if not 0 < len(key.encode()) <= _KEY_BYTES_MAX:
        faults.append(f"the length of key {key!r} must be 1 to {_KEY_BYTES_MAX} bytes")
    if not 0 < len(text.encode()) <= _VALUE_BYTES_MAX:
        faults.append(
            f"the length of the value of key {key!r} must be 1 to {_VALUE_BYTES_MAX} bytes"
        )
    if not key.isprintable():
        faults.append(f"key {key!r} contains unprintable characters")
    if not text.isprintable():
        faults.append(f"the value of key {key!r} contains unprintable characters")
    return faults


def _refusal(reason: str) -> str:
    return f"{FIELD} validation failed: {reason}"
