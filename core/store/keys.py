"""The layout of keys: `scope || part || part || ...`.

The scope is one byte in the clear, so that replication between clusters can choose by it
without any key. A sealed segment starts with its length, which is at least `SEALED_MIN`; a part
in the clear starts with `CLEAR`, so that the two never meet.
"""

from typing import Final

SCOPE_NODE: Final = b"\x00"
"""Never leaves this node."""
SCOPE_CLUSTER: Final = b"\x01"
"""Belongs to this cluster: tokens, leases, cubbyholes, local mounts."""
SCOPE_SHARED: Final = b"\x02"
"""May be shared with other clusters: mounts, policies, identity, secrets."""

CLEAR: Final = b"\x00"
"""Starts a part in the clear: a constant name, or a number below a sealed name."""

SEALED_MIN: Final = 16
"""No sealed segment has a length byte below this."""

KEY_MAX: Final = 511
"""Bytes in a key, scope included: the most that LMDB takes as it is usually built."""

VALUE_MAX: Final = 1 << 20
"""Bytes in a value."""


def clear(scope: bytes, name: bytes) -> bytes:
    """Return the key of a constant `name` in the clear."""
    return scope + CLEAR + name


def numbered(key: bytes, number: int) -> bytes:
    """Return the key of record `number` (0 to 2**32 - 1) below `key`; keys sort by number."""
    return key + CLEAR + number.to_bytes(4, "big")


def after_numbered(key: bytes) -> bytes:
    """Return a key behind all records numbered below `key` and before its descendants."""
    return key + b"\x01"


def successor(prefix: bytes) -> bytes:
    """Return the least key that is greater than all keys that start with `prefix`.

    Raises:
        ValueError: nothing is greater, as `prefix` is empty or all 0xff.
    """
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        raise ValueError("no key is greater than this prefix")
    return stripped[:-1] + bytes((stripped[-1] + 1,))
