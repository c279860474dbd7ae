"""Files that audit records go to.

Owns their descriptors. One append carries all records of a turn, and is written when write(2) has
returned (D17). Must not know what a record says.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from core.vault.audit_file import AuditFile

STDOUT: Final = "stdout"
DISCARD: Final = "discard"


class AuditFiles:
    """The open audit files of one node."""

    def __init__(self) -> None:
        self._descriptors: dict[AuditFile, int] = {}

    def append(self, lines: Mapping[AuditFile, bytes]) -> tuple[str, ...]:
        """Append to each file; return the paths of those that did not take all of it."""
        return tuple(file.path for file, text in lines.items() if not self._append_to(file, text))

    def _append_to(self, file: AuditFile, text: bytes) -> bool:
        if file.path == DISCARD:
            return True
        try:
            descriptor = self._descriptors.get(file)
            if descriptor is None:
                descriptor = self._descriptors[file] = _open(file)
            return os.write(descriptor, text) == len(text)
        except OSError:
            return False

    def reopen(self) -> None:
        """Close all files; each is opened again by name when it is next written to."""
        descriptors, self._descriptors = self._descriptors, {}
        for file, descriptor in descriptors.items():
            if file.path != STDOUT:
                os.close(descriptor)


def _open(file: AuditFile) -> int:
    if file.path == STDOUT:
        return sys.stdout.fileno()
    path = Path(file.path)
    existed = path.exists()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, file.mode or 0o600)
    if existed and file.mode:
        os.fchmod(descriptor, file.mode)
    return descriptor
