"""The records of KV version 2, and what can happen to a secret.

Owns the form of stored records and the rules that hold whoever asks: numbering, the window of
kept versions, deletion times. Must not know requests or answers.
"""

import struct
from typing import Final

import msgspec

from core.barrier.storage import Storage
from core.check import InvariantBroken, check
from core.moment import NANOSECONDS_PER_SECOND

SECRETS: Final = "data/"
"""All secrets are kept below this name, so that none can be taken for the configuration."""

CONFIGURATION: Final = "config"

VERSIONS_DEFAULT: Final = 10
"""Versions that a secret keeps if neither it nor its mount says otherwise."""

VERSIONS_MAX: Final = 2_048
"""Versions that a secret can keep; to remove them all takes a write set of at most 1 MiB."""

VERSION_NUMBER_MAX: Final = 2**32 - 1
"""The store numbers records with 32 bits."""

NEVER: Final = 2**64 - 1
"""The deletion time of what nobody has deleted."""

_FORM: Final = b"\x01"
"""The first byte of each record of this form."""

_ROW: Final = struct.Struct(">QQ?")
_ROW_BYTES: Final = _ROW.size


class Configuration(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The settings of a mount, for all its secrets.

    Attributes:
        max_versions: versions that each secret keeps; 0 leaves it to the secret.
        cas_required: whether each write must name the version that it replaces.
        delete_version_after_s: seconds after which versions count as deleted; 0 for never,
            negative if secrets must not ask for it either.
    """

    max_versions: int = 0
    cas_required: bool = False
    delete_version_after_s: int = 0


class VersionMetadata(msgspec.Struct, frozen=True, gc=False):
    """One version of a secret, apart from its content.

    Attributes:
        created_ns: when it was written.
        deletion_ns: from when on it counts as deleted, or `NEVER`.
        destroyed: whether its content is gone for good.
    """

    created_ns: int
    deletion_ns: int
    destroyed: bool

    def is_live(self, wall_ns: int) -> bool:
        """Tell whether its content can be read at that time."""
        return not self.destroyed and wall_ns < self.deletion_ns


class KeyMetadata(msgspec.Struct, array_like=True, gc=False):
    """All that is known of a secret but for the content of its versions.

    It is not frozen: each request decodes its own, and a write changes that and stores it.

    Attributes:
        created_ns: when the secret came to be.
        updated_ns: when its latest version was written.
        current: the number of the latest version; 0 before the first.
        oldest: the number of the oldest version that is kept; 0 until the window is full.
        max_versions: versions to keep; 0 leaves it to the mount.
        cas_required: whether each write must name the version that it replaces.
        delete_version_after_s: seconds after which versions count as deleted; 0 for never.
        custom: what users noted, or None.
        rows: 17 bytes for each kept version, in order. Bytes rather than records, as decoding
            then costs the same however many there are, and a read wants one of them.
    """

    created_ns: int
    updated_ns: int
    current: int = 0
    oldest: int = 0
    max_versions: int = 0
    cas_required: bool = False
    delete_version_after_s: int = 0
    custom: dict[str, str] | None = None
    rows: bytearray = bytearray()

    @property
    def first(self) -> int:
        """The number of the first version that is kept, or would be."""
        return self.oldest or 1

    def version(self, number: int) -> VersionMetadata | None:
        """Return the version of that number, or None if it is not kept."""
        if not self.first <= number <= self.current:
            return None
        return VersionMetadata(*_ROW.unpack_from(self.rows, self._offset(number)))

    def versions(self) -> dict[int, VersionMetadata]:
        """Return all versions that are kept, destroyed ones included, by number."""
        rows = _ROW.iter_unpack(self.rows)
        return {number: VersionMetadata(*row) for number, row in enumerate(rows, self.first)}

    def add_version(self, wall_ns: int, deletion_ns: int, kept_max: int) -> range:
        """Count one more version; return the numbers of those that are no longer kept.

        At most `kept_max` versions remain. The window never moves back: versions that were
        dropped stay so after the limit has been raised.
        """
        check(self.current < VERSION_NUMBER_MAX, "a secret has run out of version numbers")
        first = self.first
        self.current += 1
        self.updated_ns = wall_ns
        self.rows += _ROW.pack(wall_ns, deletion_ns, False)  # noqa: FBT003 -- pack takes no names
        if self.current - self.oldest < kept_max:
            return range(0)
        self.oldest = self.current - kept_max + 1
        dropped = range(first, self.oldest)
        del self.rows[: len(dropped) * _ROW_BYTES]
        return dropped

    def delete(self, number: int, wall_ns: int) -> bool:
        """Let a live version count as deleted from now on; tell whether it was one."""
        version = self.version(number)
        if version is None or not version.is_live(wall_ns):
            return False
        self._set(number, version.created_ns, wall_ns, destroyed=False)
        return True

    def undelete(self, number: int, deletion_ns: int) -> bool:
        """Let a version that is not destroyed be deleted at that time only; tell if it can be."""
        version = self.version(number)
        if version is None or version.destroyed:
            return False
        self._set(number, version.created_ns, deletion_ns, destroyed=False)
        return True

    def destroy(self, number: int) -> bool:
        """Note that the content of a version is gone for good; tell whether it was there."""
        version = self.version(number)
        if version is None or version.destroyed:
            return False
        self._set(number, version.created_ns, version.deletion_ns, destroyed=True)
        return True

    def _set(self, number: int, created_ns: int, deletion_ns: int, *, destroyed: bool) -> None:
        _ROW.pack_into(self.rows, self._offset(number), created_ns, deletion_ns, destroyed)

    def _offset(self, number: int) -> int:
        return (number - self.first) * _ROW_BYTES


def kept_max(configuration: Configuration, key: KeyMetadata) -> int:
    """Return how many versions of a secret are kept: the larger wish, else the default."""
    return max(configuration.max_versions, key.max_versions) or VERSIONS_DEFAULT


def deletion_ns(configuration: Configuration, key: KeyMetadata, wall_ns: int) -> int:
    """Return when a version written now counts as deleted: after the shorter of both times."""
    mount_s, key_s = configuration.delete_version_after_s, key.delete_version_after_s
    after_s = min(mount_s, key_s) if mount_s and key_s else mount_s or key_s
    # A negative time of the mount forbids it, and is the shorter one whatever the key says.
    return wall_ns + after_s * NANOSECONDS_PER_SECOND if after_s > 0 else NEVER


_UNCONFIGURED: Final = Configuration()
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_key: Final = msgspec.msgpack.Decoder(KeyMetadata).decode
_decode_configuration: Final = msgspec.msgpack.Decoder(Configuration).decode


def load_configuration(storage: Storage) -> Configuration:
    """Return the settings of the mount."""
    stored = storage.get(CONFIGURATION)
    if stored is None:
        return _UNCONFIGURED
    check(stored[:1] == _FORM, "a mount's configuration has a form that is not known")
    return _decode_configuration(stored[1:])


def save_configuration(storage: Storage, configuration: Configuration) -> None:
    """Keep the settings of the mount."""
    storage.put(CONFIGURATION, _FORM + _encode(configuration))


def load_key(storage: Storage, name: str) -> KeyMetadata | None:
    """Return the metadata of the secret of that storage name, or None if there is none."""
    stored = storage.get(name)
    if stored is None:
        return None
    check(stored[:1] == _FORM, "a secret's metadata has a form that is not known")
    key = _decode_key(stored[1:])
    check(
        len(key.rows) == (key.current + 1 - key.first) * _ROW_BYTES,
        "a secret's versions do not add up",
    )
    return key


def save_key(storage: Storage, name: str, key: KeyMetadata) -> None:
    """Keep the metadata of the secret of that storage name."""
    storage.put(name, _FORM + _encode(key))


def load_content(storage: Storage, name: str, number: int) -> bytes:
    """Return the JSON text of a live version.

    A later form of content can be told from this one by its first byte, as that of a JSON
    object is always a brace.
    """
    content = storage.get(name, number)
    if content is None:
        raise InvariantBroken("a live version of a secret has no content")
    return content
