"""`sys/capabilities`, `-self` and `-accessor`: what a token may do at some paths.

They are sent by POST and change nothing, so any node answers them.
"""

from typing import Any, Final

from core.engines.call import RequestError
from core.vault import fields
from core.vault.context import Context
from core.vault.reply import Reply
from core.vault.routes import Route
from core.vault.token_entry import TokenEntry


def _of_token(context: Context) -> Reply:
    token = fields.text(context.body, "token")
    if not token:
        raise RequestError(400, "token must be supplied")
    entry = context.services.tokens.find(context.transaction, token)
    return _reply(context, entry, "invalid token")


def _of_accessor(context: Context) -> Reply:
    accessor = fields.text(context.body, "accessor")
    if not accessor:
        raise RequestError(400, "accessor must be supplied")
    entry = context.services.tokens.find_accessor(context.transaction, accessor)
    return _reply(context, entry, "invalid accessor")


def _of_caller(context: Context) -> Reply:
    return _reply(context, context.token, "invalid token")


def _reply(context: Context, entry: TokenEntry | None, refusal: str) -> Reply:
    services = context.services
    if entry is None or not services.tokens.is_live(entry, context.wall_ns):
        raise RequestError(400, refusal)
    paths = fields.texts(context.body, "paths") or fields.texts(context.body, "path")
    if not paths:
        raise RequestError(400, "paths must be supplied")
    acl = services.policies.acl(context.transaction, entry.policies)
    data: dict[str, Any] = {path: acl.capabilities(path.removeprefix("/")) for path in paths}
    if len(paths) == 1:
        data["capabilities"] = data[paths[0]]
    return Reply(data=data, repeated=True)


ROUTES: Final = (
    Route("sys/capabilities", reads={"update": _of_token}),
    Route("sys/capabilities-accessor", reads={"update": _of_accessor}),
    Route("sys/capabilities-self", reads={"update": _of_caller}),
)
