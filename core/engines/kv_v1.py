"""KV version 1: one JSON object below each path, without a history.

Owns every path below a mount. The object is kept as the JSON text that was sent, so numbers
come back as they went in.
"""

from typing import Any, Final

import msgspec

from core.barrier.names import PathTooLong
from core.barrier.storage import ValueTooLarge
from core.engines.call import UNSUPPORTED_OPERATION, Call, RequestError, Result
from core.engines.listing import names
from core.request import Operation
from core.vault.bodies import number
from core.vault.duration import parse_duration_s

_WRITING: Final = frozenset({"update", "delete"})

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_duration: Final = msgspec.json.Decoder(float_hook=number).decode


class KvV1:
    """The engine of mounts of type `kv` without a version, or with `version=1`."""

    def may_write(self, operation: Operation, path: str) -> bool:  # noqa: ARG002 -- the port's form
        """Tell whether this may change the storage, so that only the leader can run it."""
        return operation in _WRITING

    def exists(self, call: Call) -> bool:
        """Tell whether there is an object at the path."""
        try:
            return call.storage.get(call.path) is not None
        except PathTooLong:
            return False

    def handle(self, call: Call) -> Result:
        """Do it.

        Raises:
            RequestError: the caller is at fault; nothing is written then.
        """
        operation = _OPERATIONS.get(call.operation)
        if operation is None:
            raise RequestError(405, UNSUPPORTED_OPERATION)
        try:
            return operation(call)
        except PathTooLong as refusal:
            raise RequestError(400, str(refusal)) from None
        except ValueTooLarge as refusal:
            raise RequestError(413, str(refusal)) from None


def _read(call: Call) -> Result:
    stored = call.storage.get(call.path)
    if stored is None:
        raise RequestError(404)
    members: dict[str, Any] = _decode(stored)
    return Result(members, lease_duration_s=_lease_duration_s(call, members))


def _lease_duration_s(call: Call, members: dict[str, msgspec.Raw]) -> int:
    """Return how long the object says it is good for, in `ttl` or else `lease`.

    Without a positive duration there it is the mount's default; it is never beyond its maximum.
    """
    said = members.get("ttl", members.get("lease"))
    lease_s = 0 if said is None else _duration_s(_decode_duration(said))
    return min(lease_s if lease_s > 0 else call.default_lease_ttl_s, call.max_lease_ttl_s)


def _duration_s(value: object) -> int:
    """Return the seconds of a duration, or 0 for anything else: any object may have a `ttl`."""
    if isinstance(value, str | int | float):
        try:
            return parse_duration_s(value)
        except ValueError:
            pass
    return 0


def _list(call: Call) -> Result:
    found = names(call.storage, call.path, call.parameters)
    if not found:
        raise RequestError(404)
    return Result({"keys": found})


def _write(call: Call) -> Result:
    if not call.path or call.path[-1] == "/":
        raise RequestError(400, "missing path")
    if not call.raw:
        raise RequestError(400, "missing data fields")
    call.storage.put(call.path, msgspec.json.encode(call.raw))
    return Result()


def _delete(call: Call) -> Result:
    call.storage.delete(call.path)
    return Result()


_OPERATIONS: Final = {"read": _read, "list": _list, "update": _write, "delete": _delete}
