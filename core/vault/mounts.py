"""The mount table: which engine serves which paths, and where its keys are.

Owns one record for each mount, the search for the mount of a path, and the list of mounts that
are gone but not yet emptied. Must not know what engines do, nor how clients spell a mount.

A mount is found through its record alone, so a node that is unsealed or elected has nothing to
load. Mounts never lie within each other, so the first that is met on the way down is the one.
"""

from typing import Final

import msgspec

from core.barrier.barrier import Barrier
from core.barrier.names import PathTooLong
from core.barrier.storage import Storage
from core.engines.call import Engine, RequestError
from core.engines.kv_v1 import KvV1
from core.engines.kv_v2 import KvV2
from core.entropy import Entropy, uuid
from core.store.keys import SCOPE_SHARED
from core.store.reader import Reader, Writer
from core.store.store import Store
from core.vault.areas import MOUNTS, area_prefix, mount_prefix
from core.vault.catalog import Catalog

PATH_BYTES_MAX: Final = 240
"""Bytes in the path of a mount, its slash at the end included."""

OPTIONS_MAX: Final = 16
"""Options of a mount; clients are free to keep some of their own, as Terraform's users do."""

OPTION_LENGTH_MAX: Final = 256
"""Characters in the name of an option, and in its value."""

FOUND_MAX: Final = 4_096
"""Mounts that are remembered."""

UNAUTHENTICATED: Final = "unauth"
"""`listing_visibility` of a mount that anybody may know of."""

SYSTEM_PATH: Final = "sys/"
TOKENS_PATH: Final = "auth/token/"

_PROTECTED: Final = ("audit/", "auth/", "cubbyhole/", "identity/", "sys/")
_KINDS: Final = {"kv": "", "kv-v1": "1", "kv-v2": "2", "generic": "1"}
"""What clients may ask for: all are `kv`, some of a version."""

_ENGINES: Final[dict[str, Engine]] = {"1": KvV1(), "2": KvV2()}
_VERSION_DEFAULT: Final = "1"
_ACCESSOR_BYTES: Final = 4
_BUILTIN: Final = {
    SYSTEM_PATH: ("system", "system", "system endpoints used for control, policy and debugging"),
    TOKENS_PATH: ("token", "auth_token", "token based credentials"),
}
"""Type, start of the accessor and description of what the system serves itself."""

_TABLE: Final = "table"
_REMOVED: Final = "removed"


class Mount(msgspec.Struct, frozen=True, array_like=True):
    """One mount.

    Attributes:
        path: what its paths begin with, ending in `/`.
        type: the type of its engine.
        description: for people.
        accessor: names it in policies and audit records, such as `kv_1b2c3d4e`.
        uuid: names its keys; stays when the mount moves.
        options: of the engine, such as `version`.
        default_lease_ttl_s: seconds that a lease is for; 0 leaves it to the system.
        max_lease_ttl_s: seconds that no lease exceeds; 0 leaves it to the system.
        local: it is not shared with other clusters.
        seal_wrap: it was asked for; all values are sealed alike.
        listing_visibility: `hidden`, `unauth` or empty: who is told of it when asking for a list.
        created_ns: the wall clock when it was enabled.
        prefix: the sealed prefix of its keys; never stored, as it follows from the uuid.
    """

    path: str
    type: str
    description: str
    accessor: str
    uuid: str
    options: dict[str, str] = {}
    default_lease_ttl_s: int = 0
    max_lease_ttl_s: int = 0
    local: bool = False
    seal_wrap: bool = False
    listing_visibility: str = ""
    created_ns: int = 0
    prefix: bytes = b""


class _Removed(msgspec.Struct, frozen=True, array_like=True):
    """A mount whose keys are still to be deleted."""

    uuid: str


def engine_of(mount: Mount) -> Engine:
    """Return the engine that serves `mount`."""
    return _ENGINES[mount.options.get("version", _VERSION_DEFAULT)]


def engine_options(kind: str, options: dict[str, str]) -> dict[str, str]:
    """Return the options of a new mount of type `kind`.

    Raises:
        RequestError: there is no such type, or it takes no such options.
    """
    version = _KINDS.get(kind)
    if version is None:
        raise RequestError(400, f"plugin not found in the catalog: {kind}")
    check_options(options)
    if version and options.get("version", version) != version:
        raise RequestError(400, f"type {kind} cannot have version {options['version']}")
    return options | {"version": version} if version else options


def check_options(options: dict[str, str]) -> None:
    """Refuse a version that no engine has, and more than is to be kept.

    All options but `version` are the client's own: they are shown as they were given.

    Raises:
        RequestError: 400, there are such.
    """
    if options.get("version", _VERSION_DEFAULT) not in _ENGINES:
        raise RequestError(400, f"invalid version of a kv mount: {options['version']}")
    lengths = [len(text) for option in options.items() for text in option]
    if len(options) > OPTIONS_MAX or max(lengths, default=0) > OPTION_LENGTH_MAX:
        raise RequestError(
            400,
            f"a mount has at most {OPTIONS_MAX} options, with names and values of at most"
            f" {OPTION_LENGTH_MAX} characters",
        )


def tuned_options(before: dict[str, str], changes: dict[str, str]) -> dict[str, str]:
    """Return the options of a mount after a change: one that is set to nothing goes.

    Raises:
        RequestError: 400, it cannot have these.
    """
    after = {name: value for name, value in (before | changes).items() if value}
    check_options(after)
    return after


class Mounts:
    """The mount table.

    Attributes:
        builtin: what clients are told of the mounts that the system serves itself, by path.
    """

    __slots__ = (
        "_barrier",
        "_entropy",
        "_found",
        "_removed",
        "_table",
        "_version",
        "_watch",
        "builtin",
    )

    def __init__(self, barrier: Barrier, store: Store, entropy: Entropy) -> None:
        self._barrier = barrier
        self._entropy = entropy
        area = area_prefix(barrier, MOUNTS)
        self._table = Catalog(barrier, barrier.names.path(area, _TABLE), Mount)
        self._removed = Catalog(barrier, barrier.names.path(area, _REMOVED), _Removed)
        self._found: dict[str, Mount] = {}
        self._watch = store.watch(self._table.prefix)
        self._version = self._watch.version
        self.builtin = {path: _builtin(barrier, path) for path in _BUILTIN}

    # -- finding ----------------------------------------------------------------------------

    def find(self, store: Store, path: str) -> tuple[Mount, str] | None:
        """Return the mount of `path`, as applied, and the path below it; None without a mount.

        A path without any slash behind it means the mount itself, as in Vault.
        """
        if self._version != self._watch.version:
            self._found.clear()
            self._version = self._watch.version
        found = self._found
        end = path.find("/") + 1
        while 0 < end <= PATH_BYTES_MAX:
            mount = found.get(path[:end])
            if mount is not None:
                return mount, path[end:]
            end = path.find("/", end) + 1
        mount = self.enclosing(store, path)
        if mount is None:
            return None
        if len(found) >= FOUND_MAX:
            found.clear()
        found[mount.path] = mount
        return mount, path[len(mount.path) :]

    def enclosing(self, reader: Reader, path: str) -> Mount | None:
        """Return the mount of `path` as `reader` shows it."""
        mount = self._table.nearest(reader, path)
        return None if mount is None else self._placed(mount)

    def get(self, reader: Reader, path: str) -> Mount | None:
        """Return the mount at `path`, which ends in `/`, or None."""
        mount = self._table.get(reader, path[:-1])
        return None if mount is None else self._placed(mount)

    def list(self, reader: Reader) -> list[Mount]:
        """Return all mounts, sorted by path."""
        mounts = map(self._placed, self._table.records(reader))
        return sorted(mounts, key=lambda mount: mount.path)

    def storage(self, mount: Mount, transaction: Writer) -> Storage:
        """Return the keys of `mount` within `transaction`."""
        return Storage(transaction, self._barrier, mount.prefix)

    def _placed(self, mount: Mount) -> Mount:
        prefix = mount_prefix(self._barrier, mount.uuid)
        return msgspec.structs.replace(mount, prefix=prefix)

    # -- changing ---------------------------------------------------------------------------

    def enable(
        self,
        transaction: Writer,
        wall_ns: int,
        *,
        path: str,
        options: dict[str, str],
        description: str = "",
        default_lease_ttl_s: int = 0,
        max_lease_ttl_s: int = 0,
        local: bool = False,
        seal_wrap: bool = False,
        listing_visibility: str = "",
    ) -> Mount:
        """Add a mount of type `kv` at `path`, which ends in `/`, and return it.

        Raises:
            RequestError: there may be no mount at this path.
        """
        self._refuse_taken(transaction, path)
        mount = Mount(
            path,
            "kv",
            description,
            f"kv_{self._entropy.random_bytes(_ACCESSOR_BYTES).hex()}",
            uuid(self._entropy),
            options,
            default_lease_ttl_s,
            max_lease_ttl_s,
            local,
            seal_wrap,
            listing_visibility,
            wall_ns,
        )
        self._table.put(transaction, path[:-1], mount)
        return self._placed(mount)

    def _refuse_taken(self, transaction: Writer, path: str) -> None:
        if path.startswith(_PROTECTED):
            raise RequestError(400, f'cannot mount "{path}"')
        if len(path.encode()) > PATH_BYTES_MAX:
            raise RequestError(400, f"the path of a mount is longer than {PATH_BYTES_MAX} bytes")
        if "//" in f"/{path}":
            raise RequestError(400, f'the path of a mount cannot have an empty part: "{path}"')
        try:
            taken = self._table.nearest(transaction, path[:-1])
            taken = taken or next(self._table.below(transaction, path[:-1]), None)
        except PathTooLong as error:
            raise RequestError(400, f"the path of a mount is too long: {error}") from None
        if taken is not None:
            raise RequestError(400, f"path is already in use at {taken.path}")

    def disable(self, transaction: Writer, path: str) -> None:
        """Remove the mount at `path`, if there is one; a sweep deletes what it holds.

        Raises:
            RequestError: the system itself serves this path.
        """
        if path.startswith(_PROTECTED):
            raise RequestError(400, f'cannot unmount "{path}"')
        mount = self._table.get(transaction, path[:-1])
        if mount is not None:
            self._table.delete(transaction, path[:-1])
            self._removed.put(transaction, mount.uuid, _Removed(mount.uuid))

    def replace(self, transaction: Writer, mount: Mount) -> None:
        """Store `mount` in place of the one at its path, which has the same engine."""
        self._table.put(transaction, mount.path[:-1], msgspec.structs.replace(mount, prefix=b""))

    # -- upkeep -----------------------------------------------------------------------------

    def sweep(self, transaction: Writer, limit: int) -> bool:
        """Delete at most `limit` keys of mounts that are gone; tell whether there was anything."""
        removed = next(self._removed.records(transaction), None)
        if removed is None:
            return False
        prefix = mount_prefix(self._barrier, removed.uuid)
        if not Storage(transaction, self._barrier, prefix).delete_some(limit):
            self._removed.delete(transaction, removed.uuid)
        return True


def _builtin(barrier: Barrier, path: str) -> Mount:
    """Return a mount that is stored nowhere: uuid and accessor follow from the cluster's keys."""
    kind, name, description = _BUILTIN[path]
    digits = barrier.keyrings.subkey(SCOPE_SHARED, f"mount/{path}").hex()
    # Version and variant of a UUID whose other digits have a meaning of their own (RFC 9562).
    derived = f"{digits[:8]}-{digits[8:12]}-8{digits[12:15]}-8{digits[15:18]}-{digits[18:30]}"
    return Mount(path, kind, description, f"{name}_{digits[32:40]}", derived)
