"""Where the system keeps its own records: one sealed prefix for each kind."""

from typing import Final

from core.barrier.barrier import Barrier
from core.store.keys import SCOPE_CLUSTER, SCOPE_SHARED

TOKENS: Final = "token"
AUDIT_DEVICES: Final = "audit"
AUTHORITY: Final = "authority"
POLICIES: Final = "policy"
MOUNTS: Final = "mount"
LOGICAL: Final = "logical"

_SCOPES: Final = {
    TOKENS: SCOPE_CLUSTER,
    AUDIT_DEVICES: SCOPE_CLUSTER,
    AUTHORITY: SCOPE_CLUSTER,
    POLICIES: SCOPE_SHARED,
    MOUNTS: SCOPE_SHARED,
    LOGICAL: SCOPE_SHARED,
}


def area_prefix(barrier: Barrier, area: str) -> bytes:
    """Return the sealed prefix of all keys of an area."""
    return barrier.names.path(_SCOPES[area], area)


def mount_prefix(barrier: Barrier, uuid: str) -> bytes:
    """Return the sealed prefix of all keys of one mount; it stays when the mount moves."""
    return barrier.names.path(_SCOPES[LOGICAL], f"{LOGICAL}/{uuid}")
