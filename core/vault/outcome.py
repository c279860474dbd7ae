"""What became of one request, before its answer leaves."""

from typing import Any

import msgspec

from core.engines.call import Result
from core.request import Request, Response
from core.vault.reply import Action
from core.vault.token_entry import TokenEntry


class Exchange(msgspec.Struct):
    """A request and what became of it, as audit records tell.

    Attributes:
        request: what was asked.
        request_id: names both records.
        body: what it says, as decoded from its body or query string, or None.
        token: the token that was found, or None.
        granting_policies: the policies that granted it.
        allowed: it was granted.
        mount_path: the mount that it went to, such as `secret/`.
        mount_type: the type of that mount.
        mount_accessor: its accessor.
        result: what came of it, or None before or without one.
        error: what was wrong with it, or empty.
    """

    request: Request
    request_id: str
    body: dict[str, Any] | None = None
    token: TokenEntry | None = None
    granting_policies: tuple[str, ...] = ()
    allowed: bool = False
    mount_path: str = ""
    mount_type: str = ""
    mount_accessor: str = ""
    result: Result | None = None
    error: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """The answer to one request.

    Attributes:
        response: what the client is told.
        exchange: what audit records are made of.
        action: what the node is to do besides.
    """

    response: Response
    exchange: Exchange
    action: Action | None = None

    def replaced(self, response: Response, error: str) -> "Outcome":
        """Return this outcome with another answer, as its own cannot be given."""
        self.exchange.result = None
        self.exchange.error = error
        return Outcome(response, self.exchange)
