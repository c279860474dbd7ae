"""Audit devices: where records of requests go, and with which key each hides what is secret.

Owns one record for each device, the meaning of its options, and its keyed hash. Must not know what
an audit record says (`core.vault.audit_record`), nor write to any file.
"""

import re
from hashlib import sha256
from typing import Any, Final

import msgspec

from core.barrier.barrier import Barrier
from core.barrier.names import PathTooLong
from core.engines.call import RequestError
from core.store.reader import Reader, Writer
from core.store.store import Store
from core.vault import fields
from core.vault.areas import AUDIT_DEVICES, area_prefix
from core.vault.audit_file import AuditFile
from core.vault.catalog import Catalog
from core.vault.token_entry import TokenEntry

DEVICES_MAX: Final = 16
"""Devices that can be enabled at once; each request is recorded in all of them."""

SALT_BYTES: Final = 32
FILE_PATH_MAX: Final = 1_024
"""Characters in the path of a file."""

_HASH_MARK: Final = "hmac-sha256:"
_BLOCK_BYTES: Final = 64
_INNER_PAD: Final = 0x36
_OUTER_PAD: Final = 0x5C
_MODE_DEFAULT: Final = "0600"
_MODE: Final = re.compile(r"[0-7]{1,4}")
_OPTIONS: Final = frozenset(
    {
        "elide_list_responses",
        "file_path",
        "format",
        "hmac_accessor",
        "log_raw",
        "mode",
        "path",
        "prefix",
    }
)
_UNUSABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


class DeviceRecord(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a device.

    Attributes:
        path: its name, ending in `/`.
        type: `file`.
        description: for people.
        options: as they were given.
        local: it is not shared with other clusters.
        salt: the 32-byte key of its hashes.
    """

    path: str
    type: str
    description: str
    options: dict[str, str]
    local: bool
    salt: bytes

    def __repr__(self) -> str:
        """Name the device and leave out its key, which must reach no log."""
        return f"DeviceRecord(path={self.path!r})"


class KnownToken(msgspec.Struct):
    """What the records of one token have in common.

    Attributes:
        entry: the token.
        client_token: the token itself as it is recorded.
        accessor: its accessor as it is recorded.
        auths: the `auth` object by the policies that granted a request; None if none did.
    """

    entry: TokenEntry
    client_token: str
    accessor: str
    auths: dict[tuple[str, ...] | None, msgspec.Raw] = {}


class AuditDevice:
    """A device, ready for use.

    Attributes:
        record: what is stored of it.
        file: where its records go.
        prefix: what each line starts with.
        log_raw: nothing is hashed.
        hmac_accessor: accessors of tokens are hashed as well.
        elide_list_responses: of a list, only the length is recorded.
        known_tokens: by the name of their entry; whoever fills this keeps it bounded.
    """

    __slots__ = (
        "_inner",
        "_outer",
        "elide_list_responses",
        "file",
        "hmac_accessor",
        "known_tokens",
        "log_raw",
        "prefix",
        "record",
    )

    def __init__(self, record: DeviceRecord) -> None:
        """Read the options.

        Raises:
            RequestError: 400, they make no sense.
        """
        options = record.options
        _check_options(options)
        self.record = record
        self.file = AuditFile(_file_path(options), _mode(options))
        self.prefix = options.get("prefix", "").encode()
        self.log_raw = fields.flag(options, "log_raw")
        self.hmac_accessor = fields.flag({"hmac_accessor": "true"} | options, "hmac_accessor")
        self.elide_list_responses = fields.flag(options, "elide_list_responses")
        self.known_tokens: dict[str, KnownToken] = {}
        # HMAC (RFC 2104) hashes each of these blocks first: done once, that is half of its cost.
        key = record.salt.ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(bytes(byte ^ _INNER_PAD for byte in key))
        self._outer = sha256(bytes(byte ^ _OUTER_PAD for byte in key))

    def hash(self, text: str) -> str:
        """Return what stands for `text` in records: its HMAC-SHA256 in hex, behind a mark."""
        inner = self._inner.copy()
        inner.update(text.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return _HASH_MARK + outer.hexdigest()


class AuditDevices:
    """The audit devices of this cluster."""

    __slots__ = ("_catalog", "_devices", "_version", "_watch")

    def __init__(self, barrier: Barrier, store: Store) -> None:
        prefix = area_prefix(barrier, AUDIT_DEVICES)
        self._catalog = Catalog(barrier, prefix, DeviceRecord)
        self._devices: tuple[AuditDevice, ...] = ()
        self._watch = store.watch(prefix)
        self._version = self._watch.version - 1

    def devices(self, store: Store) -> tuple[AuditDevice, ...]:
        """Return the devices, as applied, sorted by path."""
        if self._version != self._watch.version:
            self._devices = tuple(map(AuditDevice, self.records(store)))
            self._version = self._watch.version
        return self._devices

    def records(self, reader: Reader) -> list[DeviceRecord]:
        """Return what is stored of all devices, sorted by path."""
        return sorted(self._catalog.records(reader), key=lambda record: record.path)

    def get(self, reader: Reader, path: str) -> AuditDevice | None:
        """Return the device at `path`, which ends in `/`, or None."""
        record = self._catalog.get(reader, path[:-1])
        return None if record is None else AuditDevice(record)

    def enable(
        self, transaction: Writer, record: DeviceRecord, unwritable: tuple[str, ...]
    ) -> None:
        """Add a device.

        Args:
            transaction: where it is stored.
            record: the device; see `requested`.
            unwritable: paths of files that could not be written to.

        Raises:
            RequestError: 400, it cannot be enabled.
        """
        device = AuditDevice(record)
        name = record.path[:-1]
        try:
            taken = self._catalog.nearest(transaction, name)
            taken = taken or next(self._catalog.below(transaction, name), None)
        except PathTooLong as error:
            raise RequestError(400, f"the path of an audit device is too long: {error}") from None
        if taken is not None:
            raise RequestError(400, "path already in use")
        if len(self.records(transaction)) >= DEVICES_MAX:
            raise RequestError(400, f"there can be at most {DEVICES_MAX} audit devices")
        if device.file.path in unwritable:
            raise RequestError(
                400, f'sanity check failed; unable to open "{device.file.path}" for writing'
            )
        self._catalog.put(transaction, name, record)

    def disable(self, transaction: Writer, path: str) -> None:
        """Remove the device at `path`, which ends in `/`, if there is one."""
        if self._catalog.get(transaction, path[:-1]) is not None:
            self._catalog.delete(transaction, path[:-1])


def requested(argument: str, body: dict[str, Any], salt: bytes) -> DeviceRecord:
    """Return the device that a request to enable one asks for.

    Args:
        argument: the path of the device, without a slash at the end.
        body: `type`, `description`, `options`, `local`.
        salt: a fresh key for its hashes.

    Raises:
        RequestError: 400, a field is not what it should be.
    """
    kind = fields.text(body, "type")
    if kind != "file":
        raise RequestError(400, f'unknown backend type: "{kind}"')
    if "//" in argument or argument.startswith("/"):
        raise RequestError(400, "the path of an audit device cannot have an empty part")
    return DeviceRecord(
        argument + "/",
        kind,
        fields.text(body, "description"),
        fields.text_mapping(body, "options"),
        fields.flag(body, "local"),
        salt,
    )


def _check_options(options: dict[str, str]) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise RequestError(400, f"unknown option of a file audit device: {name}")
    form = options.get("format", "json")
    if form != "json":
        raise RequestError(400, f'unknown format type "{form}"')


def _file_path(options: dict[str, str]) -> str:
    path = options.get("file_path") or options.get("path", "")
    if not path:
        raise RequestError(400, "file_path is required")
    if len(path) > FILE_PATH_MAX or _UNUSABLE.search(path):
        raise RequestError(
            400, f"file_path must have at most {FILE_PATH_MAX} characters, none of them control"
        )
    return path


def _mode(options: dict[str, str]) -> int:
    mode = options.get("mode") or _MODE_DEFAULT
    if not _MODE.fullmatch(mode):
        raise RequestError(400, f'invalid mode "{mode}": expected octal permission bits')
    return int(mode, 8)
