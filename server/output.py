"""What commands print: tables, in the shapes that Vault's users and scripts know.

Owns the rendering, as functions from values to text. Knows nothing of streams, flags or the
wire.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from server import json_text
from server.json_text import Number

COLUMN_GAP: Final = "    "
DEPTH_MAX: Final = 32
"""Nesting that is rendered as Go prints maps and lists; what lies deeper is shown as JSON."""

NO_VALUE: Final = "<nil>"
NOT_AVAILABLE: Final = "n/a"

_DURATION_NAMES: Final = frozenset({"ttl", "period", "duration", "lease_max"})
_DURATION_SUFFIXES: Final = ("_ttl", "_period", "_duration")


def render_seconds(seconds: int) -> str:
    """Return `seconds` as Vault shows a TTL: hours, minutes, seconds, without zeros at the end."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{hour}h" if hour else ""
    if minute or (hour and second):
        text += f"{minute}m"
    if second or not text:
        text += f"{second}s"
    return sign + text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return columns under a header that is underlined with dashes."""
    lines = [tuple(header), tuple("-" * len(name) for name in header), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        COLUMN_GAP.join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def pairs_table(pairs: Iterable[tuple[str, object]]) -> str:
    """Return a table of keys and values; the values are rendered."""
    return table(("Key", "Value"), ((key, render_value(value)) for key, value in pairs))


def plain_pairs(pairs: Sequence[tuple[str, object]]) -> str:
    """Return keys and values in two columns without a header."""
    width = max(len(key) for key, _ in pairs)
    return "\n".join(f"{key:{width}}{COLUMN_GAP}{render_value(value)}" for key, value in pairs)


def keys_table(keys: Iterable[str]) -> str:
    """Return a list of keys under the header that a LIST has."""
    return table(("Keys",), ((key,) for key in keys))


def heading(title: str, width: int) -> str:
    """Return `title` between equals signs, so that the line is about `width` wide."""
    signs = "=" * max(2, (width - len(title) - 2) // 2)
    return f"{signs} {title} {signs}"


def section(title: str, data: Mapping[str, object]) -> str:
    """Return a heading as wide as the table below it, and the table of `data`, sorted."""
    key_width = max(map(len, ("Key ", *data)))
    width = key_width + len(COLUMN_GAP) + len("Value")
    return f"{heading(title, width)}\n{pairs_table(data_pairs(data))}"


def data_pairs(data: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return the items of `data` sorted by key, durations made readable."""
    return [(key, _readable(key, data[key])) for key in sorted(data)]


def _readable(key: str, value: object) -> object:
    is_duration = key in _DURATION_NAMES or key.endswith(_DURATION_SUFFIXES)
    if is_duration and isinstance(value, int) and not isinstance(value, bool):
        return render_seconds(value)
    return value


def render_value(value: object, depth: int = 0) -> str:
    """Return `value` on one line, the way that Vault's tables show it."""
    match value:
        case None:
            return NO_VALUE
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case Number():
            return value.text
        case list() | dict() if depth >= DEPTH_MAX:
            return json_text.encode(value, ensure_ascii=False)
        case list():
            return f"[{' '.join(render_value(item, depth + 1) for item in value)}]"
        case dict():
            items = (f"{key}:{render_value(value[key], depth + 1)}" for key in sorted(value))
            return f"map[{' '.join(items)}]"
        case _:
            return json.dumps(value)


def envelope_pairs(body: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what a table shows of an answer: its lease, its token, its data."""
    pairs: list[tuple[str, object]] = []
    lease_s = body.get("lease_duration") or 0
    if lease_s and body.get("lease_id"):
        pairs.append(("lease_id", body["lease_id"]))
        pairs.append(("lease_duration", render_seconds(lease_s)))
        pairs.append(("lease_renewable", body.get("renewable")))
    elif lease_s:
        pairs.append(("refresh_interval", render_seconds(lease_s)))
    if body.get("auth"):
        pairs += _auth_pairs(body["auth"])
    return pairs + data_pairs(body.get("data") or {})


def _auth_pairs(auth: Mapping[str, Any]) -> list[tuple[str, object]]:
    duration_s = auth.get("lease_duration") or 0
    pairs: list[tuple[str, object]] = [
        ("token", auth.get("client_token")),
        ("token_accessor", auth.get("accessor")),
        ("token_duration", render_seconds(duration_s) if duration_s else "∞"),
        ("token_renewable", auth.get("renewable")),
        ("token_policies", _quoted(auth.get("token_policies"))),
        ("identity_policies", _quoted(auth.get("identity_policies"))),
        ("policies", _quoted(auth.get("policies"))),
    ]
    metadata = auth.get("metadata") or {}
    return pairs + [(f"token_meta_{key}", metadata[key]) for key in sorted(metadata)]


def _quoted(names: Sequence[str] | None) -> str:
    return f"[{' '.join(json.dumps(name, ensure_ascii=False) for name in names or ())}]"


def envelope_fields(body: Mapping[str, Any]) -> dict[str, object]:
    """Return what `-field` may name in an answer, raw: its data, and its lease and token."""
    fields: dict[str, object] = dict(body.get("data") or {})
    if body.get("lease_id"):
        fields["lease_id"] = body["lease_id"]
        fields["lease_renewable"] = body.get("renewable")
        fields["lease_duration"] = body.get("lease_duration")
    elif body.get("lease_duration"):
        fields["refresh_interval"] = body["lease_duration"]
    if body.get("auth"):
        auth = body["auth"]
        fields |= {
            "token": auth.get("client_token"),
            "token_accessor": auth.get("accessor"),
            "token_duration": auth.get("lease_duration"),
            "token_renewable": auth.get("renewable"),
            "token_policies": auth.get("token_policies"),
            "identity_policies": auth.get("identity_policies"),
            "policies": auth.get("policies"),
        }
    return fields
