"""The directory in which one node keeps all that it keeps.

Owns its layout, its lock and the node's identity. Must not know what is in the log or the base.

    has-log         there once a log was begun
    identity.json   the node's id in consensus, made with the directory
    lock            held by the process that runs the node
    peer.json       its credentials for the peer transport (`net.credentials`)
    peers.json      the members that it was told last, and who was removed (`net.membership`)
    wal/            the log
    store/          the base (`net.base_directory`)
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from net.durably import NO_ROOM, PRIVATE_FILE, make_directory, write_durably
from net.wal_files import NoRoom, OsDirectory

FORMAT: Final = 1

_NODE_ID_BYTES: Final = 16
_OWN_NAMES: Final = frozenset(
    {
        "has-log",
        "identity.json",
        "identity.new",
        "lock",
        "lost+found",
        "peer.json",
        "peers.json",
        "store",
        "wal",
    }
)
"""What may be there; a file system that is mounted here brings one of them."""


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
            self._check_place()
            make_directory(path)
            self._lock = self._take_lock()
        except OSError as error:
            raise DataDirectoryError(f"{path}: {error.strerror}") from error
        try:
            self.identity = self._identify()
            make_directory(self.store)
        except OSError as error:
            self.close()
            raise DataDirectoryError(f"{path}: {error.strerror}") from error
        except DataDirectoryError:
            self.close()
            raise

    @property
    def store(self) -> Path:
        """Where the base is."""
        return self.path / "store"

    def wal(self) -> OsDirectory:
        """Return the directory of the log."""
        return OsDirectory(self.path / "wal")

    @property
    def has_log(self) -> bool:
        """Whether a log was begun here: then there must be one for as long as the node lives."""
        return (self.path / "has-log").exists()

    def mark_log(self) -> None:
        """Remember that a log was begun, durably.

        Raises:
            NoRoom: the disk or the quota is full.
            OSError: it can't be written for another reason.
        """
        try:
            write_durably(self.path / "has-log", b"")
        except OSError as error:
            if error.errno in NO_ROOM:
                raise NoRoom(str(error)) from error
            raise

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def _check_place(self) -> None:
        """Refuse a directory of somebody else, whom making it private would lock out."""
        names = os.listdir(self.path) if self.path.exists() else []  # noqa: PTH208 -- names only
        if names and _OWN_NAMES.isdisjoint(names):
            raise DataDirectoryError(f"{self.path} holds something else than the data of a node")

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
