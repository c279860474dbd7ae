"""Small files and names that survive a power cut.

Owns the order of system calls for that. Must not know what is kept.
"""

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

PRIVATE_DIRECTORY: Final = 0o700
PRIVATE_FILE: Final = 0o600
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a full disk or quota is reported as."""


def write_durably(file: Path, text: bytes) -> None:
    """Write a small private file so that after a crash there is the old one or the new one.

    Raises:
        OSError: it can't be written; the old one is still there.
    """
    temporary = file.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        if os.write(descriptor, text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(file)
    sync_directory(file.parent)


def make_directory(path: Path) -> None:
    """Make a private directory durably, and those above it; one that is there becomes private.

    Raises:
        OSError: it can't be made.
    """
    if not path.exists():
        make_parents(path.parent)
        path.mkdir(mode=PRIVATE_DIRECTORY)
    path.chmod(PRIVATE_DIRECTORY)
    _sync_name(path)


def make_parents(path: Path) -> None:
    """Make a directory durably, with the modes that are usual here."""
    there = path
    missing: list[Path] = []
    while not there.exists():
        missing.insert(0, there)
        there = there.parent
    _sync_name(there)
    for each in missing:
        each.mkdir()
        _sync_name(each)


def _sync_name(path: Path) -> None:
    """Make durable that a directory is there: whoever made it may have been killed before that."""
    # One that others see to may lie where this process must not look.
    with contextlib.suppress(PermissionError):
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make durable which names are in a directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
