"""The directory in which one node keeps all that it keeps.

Owns its layout, its lock and the node's identity. Must not know what is in the log or the base.

    identity.json   the node's id in consensus, made with the directory
    lock            held by the process that runs the node
    wal/            the log
    store/          the base
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from net.wal_files import OsDirectory

FORMAT: Final = 1
PRIVATE_DIRECTORY: Final = 0o700
PRIVATE_FILE: Final = 0o600

_NODE_ID_BYTES: Final = 16


class DataDirectoryError(Exception):
    """The directory can't be used; the message says why."""


class Identity(msgspec.Struct, frozen=True):
    """Who lives here.

    Attributes:
        format: the version of the layout.
        node: the node's id in consensus; never used again once it was removed.
    """

    format: int
    node: str


class DataDirectory:
    """An existing or new data directory, locked.

    Attributes:
        path: where it is.
        identity: who lives there.
    """

    def __init__(self, path: Path) -> None:
        """Make the directory if it is not there, lock it, read or make the identity.

        Raises:
            DataDirectoryError: another process holds it, or it is of a later version or foreign.
        """
        self.path = path
        try:
            path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            path.chmod(PRIVATE_DIRECTORY)
            self._lock = self._take_lock()
            self.identity = self._identify()
            self.store.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        except OSError as error:
            raise DataDirectoryError(f"{path}: {error.strerror}") from error

    @property
    def store(self) -> Path:
        """Where the base is."""
        return self.path / "store"

    def wal(self) -> OsDirectory:
        """Return the directory of the log."""
        return OsDirectory(self.path / "wal")

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def _take_lock(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        lock = os.open(self.path / "lock", flags, PRIVATE_FILE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            message = f"{self.path} is in use by another process"
            raise DataDirectoryError(message) from None
        return lock

    def _identify(self) -> Identity:
        file = self.path / "identity.json"
        if not file.exists():
            if any(self.path.glob("wal/*")) or any(self.path.glob("store/*")):
                raise DataDirectoryError(f"{self.path} holds data but does not say whose")
            identity = Identity(FORMAT, secrets.token_hex(_NODE_ID_BYTES))
            write_durably(file, msgspec.json.encode(identity))
            return identity
        try:
            identity = msgspec.json.decode(file.read_bytes(), type=Identity)
        except msgspec.MsgspecError as error:
            raise DataDirectoryError(f"{file} cannot be read: {error}") from None
        if identity.format != FORMAT:
            raise DataDirectoryError(f"{file} has format {identity.format}, which is unknown here")
        return identity


def write_durably(file: Path, text: bytes) -> None:
    """Write a small private file so that after a crash there is the old one or the new one."""
    temporary = file.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        os.write(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
