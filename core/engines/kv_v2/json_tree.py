"""JSON objects changed and stripped as text, with each number as it was written.

Owns the merge patch of RFC 7396 and the skeleton of an object. Must not know what the objects
are. Neither recurses: how deep JSON may be is for whoever decodes the request to bound.
"""

from typing import Any, Final

import msgspec


def _as_written(literal: str) -> msgspec.Raw:
    return msgspec.Raw(literal.encode())


_decoder: Final = msgspec.json.Decoder(dict[str, Any], float_hook=_as_written)


def merge_patch(target: bytes, patch: bytes) -> bytes:
    """Return the object `target` with the object `patch` merged into it (RFC 7396).

    A member that is null in the patch goes, one that is an object is merged, any other is set.
    """
    merged = _decoder.decode(target)
    pending = [(merged, _decoder.decode(patch))]
    while pending:
        into, changes = pending.pop()
        for member, change in changes.items():
            if change is None:
                into.pop(member, None)
            elif type(change) is dict:
                inner = into.get(member)
                if type(inner) is not dict:
                    inner = into[member] = {}
                pending.append((inner, change))
            else:
                into[member] = change
    return msgspec.json.encode(merged)


def skeleton(text: bytes, depth: int) -> dict[str, Any]:
    """Return an object with null for each value in it that is no object, or an empty one.

    Args:
        text: the object.
        depth: how many levels of members are told, 0 for all; those below become null too.
    """
    root = _decoder.decode(text)
    pending = [(root, 1)]
    while pending:
        tree, level = pending.pop()
        for member, value in tree.items():
            if value and type(value) is dict and (not depth or level < depth):
                pending.append((value, level + 1))
            else:
                tree[member] = None
    return root
