"""What a client asks and what it is told, free of any transport.

The HTTP lanes and the forwarding between nodes carry these two records unchanged, so that
an answer is the same whichever way it was asked for.
"""

from typing import Literal

import msgspec

Operation = Literal["read", "list", "update", "patch", "delete", "help"]
"""Vault's operations by verb: GET/HEAD, LIST, POST/PUT, PATCH, DELETE and `?help=1`.

`update` becomes the capability `create` when the engine says that the target does not exist.
"""


class Request(msgspec.Struct, frozen=True, array_like=True):
    """One API request.

    Attributes:
        operation: what to do.
        path: the path behind `/v1/`, decoded, without a leading slash; a LIST ends in `/`.
        token: the client's token, or empty.
        body: the raw JSON object that was sent, or empty.
        parameters: the query string, decoded; the last value of a repeated name counts.
        headers: the headers that `core` knows, names in lower case.
        client_address: the address of the client as text, for audit and CIDR checks.
        client_port: its port.
        forwarded_from: the id of the node that forwarded this, or empty.
    """

    operation: Operation
    path: str
    token: str = ""
    body: bytes = b""
    parameters: dict[str, str] = {}
    headers: dict[str, str] = {}
    client_address: str = ""
    client_port: int = 0
    forwarded_from: str = ""

    def __repr__(self) -> str:
        """Leave out what may be secret: the token and the body."""
        return f"Request(operation={self.operation!r}, path={self.path!r})"

    def forwarded(self, node: str) -> "Request":
        """Return this request as `node` passes it on."""
        return Request(
            self.operation,
            self.path,
            self.token,
            self.body,
            self.parameters,
            self.headers,
            self.client_address,
            self.client_port,
            node,
        )


class Response(msgspec.Struct, frozen=True, array_like=True):
    """One API answer, complete but for the transport's own headers.

    Attributes:
        status: the HTTP status code.
        body: the JSON text, or empty for 204.
        headers: further headers, such as `Retry-After` and `Location`.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}

    def __repr__(self) -> str:
        """Leave out what may be secret: the body."""
        return f"Response(status={self.status})"
