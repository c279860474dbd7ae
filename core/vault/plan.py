"""How the vault understands a request, before anything is read for it."""

import msgspec

from core.vault.mounts import Mount
from core.vault.routes import Route


class Plan(msgspec.Struct, frozen=True):
    """Where a request goes.

    Attributes:
        writes: it may write, so only the leader can run it.
        request_id: drawn when the request arrived; names its audit records.
        route: the system path, if it is one.
        argument: what the wildcard of the route stands for.
        mount: the mount, if it is a path of an engine.
        path: the path below that mount.
    """

    writes: bool
    request_id: str
    route: Route | None = None
    argument: str = ""
    mount: Mount | None = None
    path: str = ""
