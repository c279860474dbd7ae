"""A file system with little room."""

import os
from pathlib import Path


class SmallDisk:
    """A file system that a test has for itself.

    Attributes:
        path: a directory on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filling = path / "filling"

    def fill(self, but_bytes: int = 0) -> None:
        """Leave no more room than this."""
        statistics = os.statvfs(self.path)
        size = statistics.f_bavail * statistics.f_frsize - but_bytes
        with self._filling.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def empty(self) -> None:
        """Have room again."""
        self._filling.unlink()
