"""Answers that do not depend on what was asked: the node can't serve, or lost track."""

from typing import Final
from urllib.parse import quote

from core.request import Request, Response
from core.vault.envelope import failure

_RETRY_SOON: Final = {"Retry-After": "1"}

SEALED: Final = failure(503, "Vault is sealed")
OVERLOADED: Final = failure(
    503, "too many requests are waiting on this node; nothing was done", headers=_RETRY_SOON
)
NO_LEADER: Final = failure(
    503,
    "local node not active but active cluster node not found; nothing was done",
    headers=_RETRY_SOON,
)
NO_ROOM: Final = failure(
    503,
    "this node's log has no room for further writes (is the disk full?); nothing was done",
    headers=_RETRY_SOON,
)
UNKNOWN_OUTCOME: Final = failure(
    500, "the node that executed this lost its leadership; the outcome is unknown"
)
AUDIT_FAILED: Final = failure(
    500, "1 error occurred:\n\t* no audit backend succeeded in logging the request\n\n"
)
TOO_LARGE_TO_FORWARD: Final = failure(413, "request body too large to be passed on to the leader")
ANSWER_TOO_LARGE: Final = failure(
    500, "the answer is too large to be passed on; ask the leader itself"
)
REMOVED: Final = failure(
    503,
    "this node was removed from its cluster; nothing was done. To let its machine in again, delete"
    " its data directory first",
)
STOPPING: Final = failure(503, "this node is stopping; nothing was done", headers=_RETRY_SOON)


def redirect(address: str, request: Request) -> Response:
    """Return what sends a client to the leader, which is at the URL `address`."""
    if not address:
        return NO_LEADER
    # Path and parameters are decoded: unquoted they could end the header and begin another.
    query = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in request.parameters.items()
    )
    location = f"{address}/v1/{quote(request.path)}" + (f"?{query}" if query else "")
    return Response(307, b"", {"Location": location})
