"""The paths below `sys/` that an unsealed node serves: one module for each family.

Each module owns how clients spell its requests and what they are shown. None may keep a record by
itself; that is for the services.
"""

from typing import Final

from core.vault.system import (
    audit,
    auth,
    capabilities,
    keys,
    leadership,
    mounts,
    policies,
    raft,
    ui,
)

ROUTES: Final = (
    *audit.ROUTES,
    *auth.ROUTES,
    *capabilities.ROUTES,
    *keys.ROUTES,
    *leadership.ROUTES,
    *mounts.ROUTES,
    *policies.ROUTES,
    *raft.ROUTES,
    *ui.ROUTES,
)
