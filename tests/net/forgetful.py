"""A directory that forgets: what was not synced is lost, kept or torn when the power fails.

It takes every liberty that POSIX leaves to a file system. Syncing a file says nothing about its
name; syncing its data says nothing about a length beyond them; changes that were not synced reach
the disk in any order, in part, or never.
"""

import errno
import os
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from net.wal_files import Directory


class Killed(BaseException):
    """The process was killed in the middle of a call."""


class Extension(NamedTuple):
    """A file became longer, by zeroes."""

    length: int


class Truncation(NamedTuple):
    """A file became empty."""


class Write(NamedTuple):
    """Bytes were written into a file."""

    offset: int
    data: bytes


Change = Extension | Truncation | Write


class Content:
    """What a file is to those who read it now, and what of it would outlive the power."""

    def __init__(self) -> None:
        self.cached = bytearray()
        self.durable = bytearray()
        self.pending: list[Change] = []

    def change(self, change: Change) -> None:
        """Change what readers see."""
        apply(self.cached, change)
        self.pending.append(change)

    def sync(self) -> None:
        """Make all of it durable."""
        self.durable = bytearray(self.cached)
        self.pending.clear()

    def sync_data(self) -> None:
        """Make all of it durable but for zeroes behind what was written."""
        for change in self.pending:
            if not isinstance(change, Extension):
                apply(self.durable, change)
        self.pending = [change for change in self.pending if isinstance(change, Extension)]

    def lose(self, random: Random) -> None:
        """Decide what becomes of each change that is not durable."""
        for change in self.pending:
            match change:
                case Extension(length):
                    apply(self.durable, Extension(random.choice((0, length // 2, length))))
                case Write(offset, data):
                    start, stop = sorted(random.choices(range(len(data) + 1), k=2))
                    for begin, end in ((0, start), (start, stop), (stop, len(data))):
                        if random.getrandbits(1):
                            apply(self.durable, Write(offset + begin, data[begin:end]))
                case Truncation() if random.getrandbits(1):
                    apply(self.durable, change)
                case _:
                    pass
        self.pending.clear()
        self.cached = bytearray(self.durable)


def apply(content: bytearray, change: Change) -> None:
    """Carry out a change."""
    match change:
        case Extension(length):
            content.extend(bytes(max(0, length - len(content))))
        case Truncation():
            content.clear()
        case Write(offset, data):
            apply(content, Extension(offset + len(data)))
            content[offset : offset + len(data)] = data


class ForgetfulDirectory(Directory):
    """A directory in memory, with faults.

    Attributes:
        doing: what its user is about to do; goes into `synced`.
        deaf: a sync of that name, in that doing, is ignored.
        synced: all the syncs so far, each with what its user was doing.
        calls_left: the process is killed at the call after so many, or never if None.
        room: bytes that may still be allocated.
        failing: the method that fails, with error number `failure`.
        calls: the methods that were called, in order.
    """

    def __init__(self, deaf: tuple[str, str] | None = None) -> None:
        self.doing = ""
        self.deaf = deaf
        self.synced: set[tuple[str, str]] = set()
        self.calls_left: int | None = None
        self.room = 1 << 40
        self.failing = ""
        self.failure = errno.EIO
        self.calls: list[str] = []
        self._is_made = False
        self._is_made_durably = False
        self._names: dict[str, Content] = {}
        self._durable_names: dict[str, Content] = {}
        self._pending_names: list[tuple[str, Content | None]] = []
        self._handles: dict[int, Content] = {}
        self._handle = 0

    def kill(self) -> None:
        """The process ends; what it wrote stays in the cache."""
        self._handles.clear()
        self.calls_left = None

    def lose_power(self, random: Random) -> None:
        """The machine stops: what was not synced is lost, kept or torn."""
        self.kill()
        for name, content in self._pending_names:
            if random.getrandbits(1):
                set_name(self._durable_names, name, content)
        self._pending_names.clear()
        if not self._is_made_durably and random.getrandbits(1):
            self._is_made = False
            self._durable_names.clear()
        self._names = dict(self._durable_names)
        for content in self._names.values():
            content.lose(random)

    def open_handles(self) -> int:
        """Return how many handles were not given up."""
        return len(self._handles)

    def make(self) -> None:
        self._call("make")
        self._is_made = True

    def sync_parent(self) -> None:
        self._sync("sync_parent", self._made_durably)

    def names(self) -> list[str]:
        self._call("names")
        return list(reversed(self._names))

    def sync_names(self) -> None:
        self._sync("sync_names", self._named_durably)

    def create(self, name: str) -> int:
        self._call("create")
        content = self._names.get(name)
        if content is None:
            content = Content()
            self._set_name(name, content)
        content.change(Truncation())
        return self._opened(content)

    def open(self, name: str) -> int:
        self._call("open")
        return self._opened(self._names[name])

    def close(self, file: int) -> None:
        self.calls.append("close")
        # The kernel closes what a killed process leaves open, so this never fails.
        self._handles.pop(file, None)

    def remove(self, name: str) -> None:
        self._call("remove")
        self._set_name(name, None)

    def allocate(self, file: int, size: int) -> None:
        self._call("allocate")
        self._handles[file].change(Extension(min(size, self.room)))
        if size > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= size

    def fill(self, file: int, offset: int, size: int) -> None:
        self._call("fill")
        self._handles[file].change(Write(offset, bytes(size)))

    def truncate(self, file: int) -> None:
        self._call("truncate")
        self._handles[file].change(Truncation())

    def read(self, file: int) -> bytes:
        self._call("read")
        return bytes(self._handles[file].cached)

    def write(self, file: int, offset: int, data: bytes) -> None:
        self._call("write")
        self._handles[file].change(Write(offset, data))

    def sync(self, file: int) -> None:
        self._sync("sync", self._handles[file].sync)

    def sync_data(self, file: int) -> None:
        self._sync("sync_data", self._handles[file].sync_data)

    def _call(self, method: str) -> None:
        self.calls.append(method)
        if self.calls_left is not None:
            if self.calls_left == 0:
                raise Killed
            self.calls_left -= 1
        if method == self.failing:
            raise OSError(self.failure, os.strerror(self.failure))

    def _sync(self, method: str, carry_out: Callable[[], None]) -> None:
        self._call(method)
        self.synced.add((self.doing, method))
        if (self.doing, method) != self.deaf:
            carry_out()

    def _opened(self, content: Content) -> int:
        self._handle += 1
        self._handles[self._handle] = content
        return self._handle

    def _set_name(self, name: str, content: Content | None) -> None:
        set_name(self._names, name, content)
        self._pending_names.append((name, content))

    def _made_durably(self) -> None:
        self._is_made_durably = self._is_made

    def _named_durably(self) -> None:
        self._durable_names = dict(self._names)
        self._pending_names.clear()


def set_name(names: dict[str, Content], name: str, content: Content | None) -> None:
    """Add a name, or remove it if it is there."""
    if content is None:
        names.pop(name, None)
    else:
        names[name] = content
