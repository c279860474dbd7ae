"""Keeps a journal of what this process does to a directory, system call by system call.

The calls are carried out as ever. What LMDB does is not seen: it syncs its file itself, so a file
of its counts as durable as soon as it has changed, but not its name.
"""

import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from tests.house.source import ROOT
from tests.net.forgetful import Extension, Truncation, Write
from tests.net.forgetful_tree import (
    Change,
    Entry,
    Fact,
    Fork,
    Make,
    Mark,
    Open,
    Place,
    Remove,
    Rename,
    Store,
    Sync,
    SyncNames,
    known,
)

LMDB_FILE: Final = "data.mdb"
LMDB_LOCK: Final = "lock.mdb"
_LMDB_HEAD_BYTES: Final = 8 << 10
_NET: Final = str(ROOT / "net") + "/"


class Recorder:
    """Records while it is entered by `recording`.

    Attributes:
        journal: what was done, and what was promised.
    """

    def __init__(self, root: Path, journal: Sequence[Entry]) -> None:
        self.journal = [*journal]
        self._root = str(root)
        self._lock = threading.RLock()
        self._handles: dict[int, int] = {}
        self._last_handle = 0
        self._stored: dict[str, bytes] = {}

    def promise(self, name: str, value: object) -> None:
        """Note that somebody has been promised something."""
        self._note(Fact(name, value))

    async def beside(self, one: Awaitable[None], other: Awaitable[None]) -> None:
        """Have two threads do something; it is noted that neither waits for the other.

        They do it one after the other, so that the journal is the same every time.
        """
        self._note(Fork.BEGIN)
        await one
        self._note(Fork.TURN)
        await other
        self._note(Fork.END)

    def _note(self, mark: Mark) -> None:
        with self._lock:
            self.journal.append(mark)

    def known(self) -> dict[str, Any]:
        """Return what was promised so far, by name."""
        return known(self.journal)

    def look_at_lmdb(self) -> None:
        """Note what LMDB has written; not while it is writing, in the thread of the base."""
        writers = [each for each in threading.enumerate() if each.name == "storage-base"]
        if writers and threading.current_thread() not in writers:
            return
        for file in sorted(Path(self._root).rglob(LMDB_FILE)):
            path = self._relative(file)
            with file.open("rb") as opened:
                head = opened.read(_LMDB_HEAD_BYTES)
            if self._stored.get(path) != head:
                self._stored[path] = head
                self.journal.append(Store(path, file.read_bytes()))

    def _relative(self, path: str | os.PathLike[str], dir_fd: int | None = None) -> str:
        whole = os.fspath(path)
        if dir_fd is not None:
            whole = f"{_path_of(dir_fd)}/{whole}"
        if whole == self._root:
            return ""
        return whole.removeprefix(f"{self._root}/") if whole.startswith(f"{self._root}/") else "/"

    # -- the calls --------------------------------------------------------------------------

    def open(self, call: Any, path: Any, flags: int, *rest: Any, **named: Any) -> int:  # noqa: ANN401 -- any call
        descriptor: int = call(path, flags, *rest, **named)
        relative = self._relative(path, named.get("dir_fd"))
        if relative != "/" and flags & os.O_ACCMODE and not relative.endswith(LMDB_LOCK):
            self._last_handle += 1
            self._handles[descriptor] = self._last_handle
            self.journal.append(Open(relative, self._last_handle, bool(flags & os.O_TRUNC)))
        return descriptor

    def close(self, call: Any, descriptor: int) -> None:  # noqa: ANN401 -- any call
        self._handles.pop(descriptor, None)
        call(descriptor)

    def write(self, call: Any, descriptor: int, data: Any) -> int:  # noqa: ANN401 -- any call
        if descriptor not in self._handles:
            written: int = call(descriptor, data)
            return written
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        return self._changed(descriptor, offset, bytes(data), call(descriptor, data))

    def pwrite(self, call: Any, descriptor: int, data: Any, offset: int) -> int:  # noqa: ANN401 -- any call
        return self._changed(descriptor, offset, bytes(data), call(descriptor, data, offset))

    def _changed(self, descriptor: int, offset: int, data: bytes, written: int) -> int:
        handle = self._handles[descriptor]
        self.journal.append(Change(handle, Write(offset, data[:written])))
        return written

    def posix_fallocate(self, call: Any, descriptor: int, offset: int, size: int) -> None:  # noqa: ANN401 -- any call
        call(descriptor, offset, size)
        if descriptor in self._handles:
            self.journal.append(Change(self._handles[descriptor], Extension(offset + size)))

    def ftruncate(self, call: Any, descriptor: int, size: int) -> None:  # noqa: ANN401 -- any call
        call(descriptor, size)
        assert size == 0
        self.journal.append(Change(self._handles[descriptor], Truncation()))

    def fsync(self, call: Any, descriptor: int) -> None:  # noqa: ANN401 -- any call
        self._sync(call, descriptor, whole=True)

    def fdatasync(self, call: Any, descriptor: int) -> None:  # noqa: ANN401 -- any call
        self._sync(call, descriptor, whole=False)

    def _sync(self, call: Any, descriptor: int, *, whole: bool) -> None:  # noqa: ANN401 -- any call
        call(descriptor)
        handle = self._handles.get(descriptor)
        if handle is not None:
            self.journal.append(Sync(handle, whole, _places()))
            return
        path = self._relative(_path_of(descriptor))
        if path != "/":
            self.journal.append(SyncNames(path, _places()))

    def mkdir(self, call: Any, path: Any, *rest: Any, **named: Any) -> None:  # noqa: ANN401 -- any call
        call(path, *rest, **named)
        self._name(Make, path, named.get("dir_fd"))

    def rmdir(self, call: Any, path: Any, **named: Any) -> None:  # noqa: ANN401 -- any call
        call(path, **named)
        self._name(Remove, path, named.get("dir_fd"))

    def unlink(self, call: Any, path: Any, **named: Any) -> None:  # noqa: ANN401 -- any call
        call(path, **named)
        if not os.fspath(path).endswith(LMDB_LOCK):
            self._name(Remove, path, named.get("dir_fd"))

    def rename(self, call: Any, former: Any, path: Any) -> None:  # noqa: ANN401 -- any call
        call(former, path)
        relative = self._relative(path)
        if relative != "/":
            self.journal.append(Rename(self._relative(former), relative))

    replace = rename

    def _name(self, kind: type[Make | Remove], path: Any, dir_fd: int | None) -> None:  # noqa: ANN401 -- any path
        relative = self._relative(path, dir_fd)
        if relative != "/":
            self.journal.append(kind(relative))


CALLS: Final = (
    "open",
    "close",
    "write",
    "pwrite",
    "posix_fallocate",
    "ftruncate",
    "fsync",
    "fdatasync",
    "mkdir",
    "rmdir",
    "unlink",
    "rename",
    "replace",
)
"""All that changes files or makes them durable; what else did would show in the end."""


@contextmanager
def recording(root: Path, journal: Sequence[Entry] = ()) -> Iterator[Recorder]:
    """Record what is done below `root`, where so far was done what `journal` says."""
    recorder = Recorder(root, journal)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, recorded(recorder, name))
        yield recorder
        with recorder._lock:
            recorder.look_at_lmdb()


def recorded(recorder: Recorder, name: str) -> Callable[..., Any]:
    """Return a system call that is carried out, and recorded."""
    call, record = getattr(os, name), getattr(recorder, name)

    def carry_out(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 -- any call
        with recorder._lock:
            recorder.look_at_lmdb()
            return record(call, *arguments, **named)

    return carry_out


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _places() -> tuple[Place, ...]:
    """Return where in `net` the call under way was asked for, innermost first."""
    found: list[Place] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_NET):
            found.append((file.removeprefix(f"{ROOT}/"), frame.f_lineno))
        frame = frame.f_back
    return tuple(found)


def seen(root: Path) -> dict[str, bytes | None]:
    """Return what really is in a directory, but for what only LMDB's lock is."""
    return {
        path.relative_to(root).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.name != LMDB_LOCK
    }
