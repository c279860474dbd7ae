"""What the handler of a system or token path is handed."""

from typing import Any

import msgspec

from core.request import Request
from core.store.reader import Writer
from core.vault.acl import Acl
from core.vault.services import Services
from core.vault.token_entry import TokenEntry


class Context(msgspec.Struct):
    """One request to one path of the system's own.

    Attributes:
        services: what to work with.
        request: what was asked.
        transaction: what is read and written for it.
        wall_ns: the cluster's wall clock.
        argument: what the wildcard of the route stands for; empty without one.
        body: the decoded JSON object of the request, or the query string of what has no body;
            empty if there was neither.
        token: the caller's token; None on paths that need none.
        acl: what the caller's policies grant; None on paths that need no token.
        unwritable: audit files that could not be written to when this request was recorded.
    """

    services: Services
    request: Request
    transaction: Writer
    wall_ns: int
    argument: str
    body: dict[str, Any]
    token: TokenEntry | None
    acl: Acl | None
    unwritable: tuple[str, ...] = ()
