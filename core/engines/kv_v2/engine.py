"""The face of KV version 2: from a path and an operation to what does it.

Owns the table of paths and what is told to those who use the paths of version 1. Must not know
how secrets are kept.
"""

from collections.abc import Callable
from typing import Final

from core.barrier.names import PathTooLong
from core.barrier.storage import ValueTooLarge
from core.engines.call import UNSUPPORTED_OPERATION, Call, RequestError, Result
from core.engines.kv_v2 import configuration, data, metadata, versions
from core.engines.kv_v2.record import CONFIGURATION, SECRETS
from core.request import Operation

_WRITING: Final = frozenset({"update", "patch", "delete"})

_CONFIGURATION: Final[dict[str, Callable[[Call], Result]]] = {
    "read": configuration.read,
    "update": configuration.write,
}

_SECRET: Final[dict[str, dict[str, Callable[[Call, str], Result]]]] = {
    "data": {
        "read": data.read,
        "update": data.write,
        "patch": data.patch,
        "delete": data.delete_latest,
    },
    "subkeys": {"read": data.read_subkeys},
    "metadata": {
        "read": metadata.read,
        "list": metadata.list_names,
        "update": metadata.write,
        "patch": metadata.patch,
        "delete": metadata.delete,
    },
    "delete": {"update": versions.delete},
    "undelete": {"update": versions.undelete},
    "destroy": {"update": versions.destroy},
}
"""What is done to one secret; each is handed the secret's name in the storage."""

_CREATING: Final = frozenset({"data", "metadata"})
"""Below these an update can be a creation."""

_VERSION_1_HEADS: Final = {
    "read": "data",
    "list": "metadata",
    "update": "data",
    "patch": "data",
    "delete": "data",
}
"""Where version 2 does what version 1 does at the path itself."""

_ELSEWHERE: Final = "Invalid path for a versioned K/V secrets engine; for this operation use"
_ROOT: Final = "Non-listing operations on the root of a K/V v2 mount are not supported."


class KvV2:
    """The engine of mounts of type `kv` with `version=2` among their options."""

    def may_write(self, operation: Operation, path: str) -> bool:
        """Tell whether this may change the storage, so that only the leader can run it."""
        if operation not in _WRITING:
            return False
        if path == CONFIGURATION:
            return operation in _CONFIGURATION
        head, slash, _ = path.partition("/")
        return slash == "/" and operation in _SECRET.get(head, {})

    def exists(self, call: Call) -> bool:
        """Tell whether the secret has metadata; Vault takes any other path to be there."""
        head, slash, path = call.path.partition("/")
        if not slash or head not in _CREATING:
            return True
        try:
            return call.storage.get(SECRETS + path) is not None
        except PathTooLong:
            return False

    def handle(self, call: Call) -> Result:
        """Do it.

        Raises:
            RequestError: the caller is at fault; nothing is written then.
        """
        head, slash, path = call.path.partition("/")
        operations = _SECRET.get(head) if slash else None
        if operations is None:
            return _without_secret(call)
        operation = operations.get(call.operation)
        if operation is None:
            raise RequestError(405, UNSUPPORTED_OPERATION)
        if call.operation in _WRITING and (not path or path[-1] == "/"):
            raise RequestError(400, "missing path")
        try:
            return operation(call, SECRETS + path)
        except PathTooLong as refusal:
            raise RequestError(400, str(refusal)) from None
        except ValueTooLarge as refusal:
            raise RequestError(413, str(refusal)) from None


def _without_secret(call: Call) -> Result:
    """Do what concerns the whole mount, or tell where secrets are found."""
    if call.path == CONFIGURATION:
        operation = _CONFIGURATION.get(call.operation)
        if operation is None:
            raise RequestError(405, UNSUPPORTED_OPERATION)
        return operation(call)
    if call.path in _SECRET:
        return Result(status=404, warnings=(_ROOT,))
    head = _VERSION_1_HEADS.get(call.operation)
    if head is None:
        raise RequestError(405, UNSUPPORTED_OPERATION)
    return Result(status=404, warnings=(f"{_ELSEWHERE} {call.mount}{head}/{call.path}",))
