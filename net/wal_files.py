"""The segments of the log as files of one directory.

Owns the order of system calls that makes bytes durable. Must not know what the bytes mean: the
frames, and the line between a torn tail and damage, belong to `core.wal`.

A failed sync is never tried again: the kernel may have marked the lost pages as clean, so that a
second one succeeds and the data is gone all the same (Rebello et al., ATC'20). After the first
failure nothing here does anything any more, and the driver stops the node.
"""

import contextlib
import errno
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from core.wal.writer import SegmentWrite
from net.durably import NO_ROOM, PRIVATE_DIRECTORY, PRIVATE_FILE, sync_directory

_CANNOT_FILL: Final = NO_ROOM | {errno.EOPNOTSUPP}
_SEGMENT_NAME: Final = re.compile(r"[0-9]{16}\.seg", re.ASCII)


class StorageFailed(Exception):
    """The log can't be trusted to be durable any more: this node must stop at once."""


class NoRoom(Exception):
    """There is no room for a segment, which is an empty file then, or to begin a log."""


class Directory(Protocol):
    """One directory of files, and what may be done with them; each method is one system call.

    All of them raise `OSError`. Nothing is durable before the sync that belongs to it.
    """

    def make(self) -> None:
        """Create the directory itself, unless it is there."""
        ...

    def sync_parent(self) -> None:
        """Make the existence of the directory durable."""
        ...

    def names(self) -> list[str]:
        """Return the names of all files, in any order."""
        ...

    def sync_names(self) -> None:
        """Make durable which files there are."""
        ...

    def create(self, name: str) -> int:
        """Open a file that is empty from now on, whatever it was; return its handle."""
        ...

    def open(self, name: str) -> int:
        """Open a file that is there; return its handle."""
        ...

    def close(self, file: int) -> None:
        """Give up a handle."""
        ...

    def remove(self, name: str) -> None:
        """Delete a file."""
        ...

    def allocate(self, file: int, size: int) -> None:
        """Make an empty file `size` zero bytes long, with blocks to write into."""
        ...

    def fill(self, file: int, offset: int, size: int) -> None:
        """Write so many zero bytes over what was never written, durably."""
        ...

    def truncate(self, file: int) -> None:
        """Make a file empty."""
        ...

    def read(self, file: int) -> bytes:
        """Return all that is in a file that was just opened, as the disk has it."""
        ...

    def write(self, file: int, offset: int, data: bytes) -> None:
        """Write all of `data`."""
        ...

    def sync(self, file: int) -> None:
        """Make content and length of a file durable."""
        ...

    def sync_data(self, file: int) -> None:
        """Make what was written into a file durable, but its length only so far."""
        ...


class OsDirectory:
    """A directory of the file system; implements `Directory`. Others than its user see nothing."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> None:
        """Create the directory itself, unless it is there."""
        self._path.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)

    def sync_parent(self) -> None:
        """Make the existence of the directory durable."""
        sync_directory(self._path.parent)

    def names(self) -> list[str]:
        """Return the names of all files, in any order."""
        return os.listdir(self._path)  # noqa: PTH208 -- names, not paths

    def sync_names(self) -> None:
        """Make durable which files there are."""
        sync_directory(self._path)

    def create(self, name: str) -> int:
        """Open a file that is empty from now on, whatever it was; return its handle."""
        return os.open(self._path / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)

    def open(self, name: str) -> int:
        """Open a file that is there; return its handle."""
        return os.open(self._path / name, os.O_RDWR)

    def close(self, file: int) -> None:
        """Give up a handle."""
        os.close(file)

    def remove(self, name: str) -> None:
        """Delete a file."""
        (self._path / name).unlink()

    def allocate(self, file: int, size: int) -> None:
        """Make an empty file `size` zero bytes long, with blocks to write into."""
        os.posix_fallocate(file, 0, size)

    def fill(self, file: int, offset: int, size: int) -> None:
        """Write so many zero bytes over what was never written, durably."""
        os.pwritev(file, [bytes(size)], offset, os.RWF_DSYNC)

    def truncate(self, file: int) -> None:
        """Make a file empty."""
        os.ftruncate(file, 0)

    def read(self, file: int) -> bytes:
        """Return all that is in a file that was just opened, as the disk has it."""
        # If a sync failed in an earlier life of this process, the cache may hold what the disk
        # does not.
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        with io.FileIO(file, closefd=False) as content:
            return content.readall()

    def write(self, file: int, offset: int, data: bytes) -> None:
        """Write all of `data`."""
        if os.pwrite(file, data, offset) != len(data):
            raise OSError(errno.EIO, "not all was written into a preallocated file")

    def sync(self, file: int) -> None:
        """Make content and length of a file durable."""
        os.fsync(file)

    def sync_data(self, file: int) -> None:
        """Make what was written into a file durable, but its length only so far."""
        os.fdatasync(file)


class WalFiles:
    """The segments of one log; for one thread at a time.

    Every method raises `StorageFailed` if anything fails, and for ever after.
    """

    __slots__ = ("_directory", "_files", "_guard", "_unsynced")

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._guard = _Guard()
        self._files: dict[int, int] = {}
        self._unsynced: list[int] = []
        with self._guard:
            directory.make()
            directory.sync_parent()

    def read_all(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number and content of each segment, in order, all of it durable."""
        # A process that was killed leaves in the cache what it had not synced yet. What is read
        # is acted upon, so it must not be lost with the power later.
        with self._guard:
            self._directory.sync_names()
            numbers = self._numbers()
        for number in numbers:
            with self._guard, self._opened(self._directory.open(_name(number))) as file:
                self._directory.sync(file)
                content = self._directory.read(file)
            yield number, content

    def prepare(self, number: int, size: int) -> None:
        """Make segment `number` a file of `size` zero bytes, durably.

        Raises:
            NoRoom: the disk or the quota is full.
        """
        with self._guard:
            self._close(number)
            file = self._files[number] = self._create(number)
            try:
                self._allocate(file, size)
            except NoRoom:
                self._close(number)
                raise
            self._directory.sync(file)
            self._directory.sync_names()

    def fill(self, number: int, offset: int, size: int) -> bool:
        """Write zeros where segment `number` was never written; tell whether that went on.

        It is for speed alone: the file system makes a note of each block that is written for the
        first time, and every sync of a batch would wait for that note too.
        """
        with self._guard:
            file = self._files.get(number)
            if file is None:
                return False
            try:
                self._directory.fill(file, offset, size)
            except OSError as error:
                if error.errno in _CANNOT_FILL:
                    return False
                raise
            return True

    def write(self, writes: Sequence[SegmentWrite]) -> None:
        """Write; nothing is durable before `sync`."""
        with self._guard:
            for write in writes:
                file = self._files.get(write.number)
                if file is None:
                    file = self._files[write.number] = self._directory.open(_name(write.number))
                self._directory.write(file, write.offset, write.data)
                if write.number not in self._unsynced:
                    self._unsynced.append(write.number)

    def sync(self) -> None:
        """Make all that was written durable."""
        with self._guard:
            for number in self._unsynced:
                self._directory.sync_data(self._files[number])
            # The log only grows: what comes next goes there too, or into a further segment.
            last = self._unsynced[-1] if self._unsynced else 0
            for number in [number for number in self._files if number < last]:
                self._close(number)
            self._unsynced.clear()

    def drop(self, below: int) -> None:
        """Delete all segments with numbers less than `below`, durably."""
        with self._guard:
            for number in self._numbers():
                if number >= below:
                    break
                self._close(number)
                self._directory.remove(_name(number))
                # One by one: a crash must not leave a gap in the row.
                self._directory.sync_names()

    def close(self) -> None:
        """Give up all files; what was not synced may be lost."""
        with self._guard:
            for number in list(self._files):
                self._close(number)

    def _close(self, number: int) -> None:
        file = self._files.pop(number, None)
        if file is not None:
            self._directory.close(file)

    def _numbers(self) -> list[int]:
        names = self._directory.names()
        return sorted(int(name[:16]) for name in names if _SEGMENT_NAME.fullmatch(name))

    @contextlib.contextmanager
    def _opened(self, file: int) -> Iterator[int]:
        try:
            yield file
        finally:
            self._directory.close(file)

    def _create(self, number: int) -> int:
        try:
            return self._directory.create(_name(number))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise NoRoom(str(error)) from error
            raise

    def _allocate(self, file: int, size: int) -> None:
        try:
            self._directory.allocate(file, size)
        except OSError as error:
            if error.errno in NO_ROOM:
                # What was allocated of it goes back to those who can use it.
                self._directory.truncate(file)
                raise NoRoom(str(error)) from error
            raise


class _Guard:
    """Turns the first `OSError` into `StorageFailed`, and lets nothing pass afterwards."""

    __slots__ = ("_failed",)

    def __init__(self) -> None:
        self._failed = False

    def __enter__(self) -> None:
        if self._failed:
            raise StorageFailed("the log has failed before")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            self._failed = True
            raise StorageFailed(f"the log has failed: {error}") from error


def _name(number: int) -> str:
    return f"{number:016d}.seg"
