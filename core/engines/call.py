"""What the router hands to an engine, and what an engine hands back."""

from typing import Any, Final, Protocol

import msgspec

from core.barrier.storage import Storage
from core.entropy import Entropy
from core.request import Operation


def collected(fault: str) -> str:
    """Return a fault as Vault words those that it collects on the way of a request: a list."""
    return f"1 error occurred:\n\t* {fault}\n\n"


UNSUPPORTED_OPERATION: Final = collected("unsupported operation")


class RequestError(Exception):
    """The caller's fault, as Vault words it.

    Attributes:
        status: the HTTP status code.
        messages: the texts for `errors`; empty for a plain 404.
        data: an optional `data` object beside the errors.
        warnings: optional warnings beside the errors.
    """

    def __init__(
        self,
        status: int,
        *messages: str,
        data: dict[str, Any] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        super().__init__(status, *messages)
        self.status = status
        self.messages = messages
        self.data = data
        self.warnings = warnings


class Call(msgspec.Struct):
    """One operation on one mount.

    Attributes:
        operation: what to do.
        path: the path below the mount, without a leading slash; a LIST ends in `/` or is empty.
        body: the decoded JSON object of the request; empty if there was none.
        raw: the same object with each value left as the JSON text that was sent.
        parameters: the query string.
        storage: the mount's own keys, within the transaction of this request.
        wall_ns: the cluster's wall clock.
        entropy: where fresh bytes come from.
        mount: the mount's path, ending in `/`.
        options: the mount's options, such as `version`.
        default_lease_ttl_s: seconds that a secret without a lease of its own is good for.
        max_lease_ttl_s: the longest lease of this mount, in seconds.
    """

    operation: Operation
    path: str
    storage: Storage
    wall_ns: int
    entropy: Entropy
    body: dict[str, Any] = {}
    raw: dict[str, msgspec.Raw] = {}
    parameters: dict[str, str] = {}
    mount: str = ""
    options: dict[str, str] = {}
    default_lease_ttl_s: int = 0
    max_lease_ttl_s: int = 0


class Result(msgspec.Struct):
    """What an operation came to; without data and warnings it is a 204.

    Attributes:
        data: the `data` object; values may be `msgspec.Raw` JSON text that goes out as it is.
        warnings: texts for `warnings`.
        status: the status code, 200 unless the engine says otherwise (404 with data, for one).
        lease_duration_s: seconds for the envelope's `lease_duration`.
    """

    data: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    status: int = 200
    lease_duration_s: int = 0


class Engine(Protocol):
    """One secrets engine; it holds no state, all is in the storage."""

    def may_write(self, operation: Operation, path: str) -> bool:
        """Tell whether this may change the storage, so that only the leader can run it."""
        ...

    def exists(self, call: Call) -> bool:
        """Tell whether the target of an `update` is there, which makes it no `create`."""
        ...

    def handle(self, call: Call) -> Result:
        """Do it.

        Raises:
            RequestError: the caller is at fault; nothing is written then.
        """
        ...
