"""`sys/internal/ui/mounts`: what a client may know of mounts before it uses them.

The command line asks here which version of KV is at a path. Nobody needs a policy for these paths,
so they look at the token themselves: they tell of mounts below which it may do anything at all.
"""

from typing import Any, Final

from core.engines.call import RequestError
from core.vault.acl import Acl
from core.vault.context import Context
from core.vault.mounts import UNAUTHENTICATED, Mount
from core.vault.reply import Reply
from core.vault.routes import Route
from core.vault.system.mounts import shown

_AUTH: Final = "auth/"


def _acl(context: Context) -> Acl | None:
    """Return what the caller's token grants; None without a token that is good."""
    services = context.services
    given = context.request.token
    token = services.tokens.find(context.transaction, given) if given else None
    if token is None or not services.tokens.is_live(token, context.wall_ns):
        return None
    return services.policies.acl(context.transaction, token.policies)


def _list(context: Context) -> Reply:
    acl = _acl(context)
    mounts = context.services.mounts
    data: dict[str, dict[str, Any]] = {"auth": {}, "secret": {}}
    for mount in (*mounts.list(context.transaction), *mounts.builtin.values()):
        kind = "auth" if mount.path.startswith(_AUTH) else "secret"
        path = mount.path.removeprefix(_AUTH)
        if acl is not None and acl.reaches(mount.path):
            data[kind][path] = shown(mount)
        elif mount.listing_visibility == UNAUTHENTICATED:
            data[kind][path] = {
                "type": mount.type,
                "description": mount.description,
                "options": mount.options or None,
            }
    return Reply(data=data)


def _read(context: Context) -> Reply:
    acl = _acl(context)
    if acl is None:
        raise RequestError(403, "permission denied")
    mount = _enclosing(context)
    if mount is None or not acl.reaches(mount.path):
        raise RequestError(
            403,
            "preflight capability check returned 403, please ensure client's policies grant "
            f'access to path "{context.argument}/"',
        )
    return Reply(data={**shown(mount), "path": mount.path})


def _enclosing(context: Context) -> Mount | None:
    mounts = context.services.mounts
    path = context.argument + "/"
    for builtin in mounts.builtin.values():
        if path.startswith(builtin.path):
            return builtin
    return mounts.enclosing(context.transaction, path)


ROUTES: Final = (
    Route("sys/internal/ui/mounts", reads={"read": _list}, unauthenticated=True),
    Route("sys/internal/ui/mounts/*", reads={"read": _read}, unauthenticated=True),
)
