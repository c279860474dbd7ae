"""Files that audit records go to.

Owns their descriptors. One append carries all records of a turn, and is written when write(2) has
returned (D17). Must not know what a record says.
"""

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from core.vault.audit_file import AuditFile

STDOUT: Final = "stdout"
DISCARD: Final = "discard"
OPEN_MAX: Final = 64
"""Files that are open at a time; those of devices that are gone are let go of some time."""

_MODE: Final = 0o600
# A pipe that nobody reads is unwritable; waiting for a reader would stop the whole node.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class _Open(msgspec.Struct):
    """An open file.

    Attributes:
        descriptor: it.
        torn: its last line is not whole.
    """

    descriptor: int
    torn: bool = False


class AuditFiles:
    """The open audit files of one node."""

    def __init__(self) -> None:
        self._open: dict[AuditFile, _Open] = {}

    def append(self, lines: Mapping[AuditFile, bytes]) -> tuple[str, ...]:
        """Append to each file; return the paths of those that did not take all of it."""
        return tuple(file.path for file, text in lines.items() if not self._append_to(file, text))

    def _append_to(self, file: AuditFile, text: bytes) -> bool:
        if file.path == DISCARD:
            return True
        try:
            opened = self._open.get(file)
            if opened is None:
                if len(self._open) >= OPEN_MAX:
                    self.reopen()
                opened = self._open[file] = _Open(_open(file))
            if opened.torn and text:
                # What the disk had no room for must not spoil the next record as well.
                text = b"\n" + text
            written = os.write(opened.descriptor, text)
        except OSError:
            return False
        if written:
            opened.torn = written < len(text)
        return written == len(text)

    def reopen(self) -> None:
        """Close all files; each is opened again by name when it is next written to."""
        closing, self._open = self._open, {}
        for file, opened in closing.items():
            if file.path != STDOUT:
                with contextlib.suppress(OSError):
                    os.close(opened.descriptor)


def _open(file: AuditFile) -> int:
    if file.path == STDOUT:
        return sys.stdout.fileno()
    path = Path(file.path)
    existed = path.exists()
    descriptor = os.open(path, _FLAGS, file.mode or _MODE)
    if existed and file.mode:
        try:
            os.fchmod(descriptor, file.mode)
        except OSError:
            os.close(descriptor)
            raise
    return descriptor
