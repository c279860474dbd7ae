"""Paths that need `sudo` besides the capability of the operation.

Owns the table. Must not know who asks: `core.vault.acl` tells whether a token has `sudo` there.
Creating a token with `id`, `period` or `no_parent` needs it as well; that depends on the body,
so the token store asks for itself.
"""

from typing import Final

ROOT_PROTECTED: Final = (
    "auth/token/accessors*",
    "auth/token/revoke-orphan",
    "auth/token/revoke-orphan/*",
    "sys/audit",
    "sys/audit/*",
    "sys/auth/*",
    "sys/config/auditing/*",
    "sys/config/cors",
    "sys/config/ui/headers/*",
    "sys/internal/inspect/*",
    "sys/leases",
    "sys/leases/lookup/*",
    "sys/leases/revoke-force/*",
    "sys/leases/revoke-prefix/*",
    "sys/plugins/catalog/*",
    "sys/raw*",
    "sys/remount",
    "sys/replication/dr/primary/secondary-token",
    "sys/replication/performance/primary/secondary-token",
    "sys/replication/reindex",
    "sys/revoke-force/*",
    "sys/revoke-prefix/*",
    "sys/rotate",
    "sys/rotate/keyring",
    "sys/rotate/root",
    "sys/seal",
    "sys/step-down",
    "sys/storage/raft/snapshot-auto/*",
)
"""Vault's table, of paths that Holdfast does not serve, too: what comes later is born protected.

A `*` at the end stands for any rest.
"""

_ROOMS: Final = ("sys/", "auth/token/")
"""Where they all are; secrets are elsewhere, and their requests the most frequent."""

_EXACT: Final = frozenset(path for path in ROOT_PROTECTED if not path.endswith("*"))
_PREFIXES: Final = tuple(path[:-1] for path in ROOT_PROTECTED if path.endswith("*"))


def needs_sudo(path: str) -> bool:
    """Tell whether a request to `path`, without a leading slash, needs `sudo`."""
    return path.startswith(_ROOMS) and (path in _EXACT or path.startswith(_PREFIXES))
