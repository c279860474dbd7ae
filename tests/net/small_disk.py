"""File systems for tests: one with little room, one that is quick."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.needs import needs


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


@contextmanager
def quick_disk() -> Iterator[Path]:
    """Have a directory in memory, where there is such a place: nothing waits for a sync there."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory)


@contextmanager
def mounted(path: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Have a file system of that size at `path`, which is not there yet."""
    path.mkdir()
    mounting = ("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path))
    done = subprocess.run(mounting, capture_output=True, check=False)
    needs("the right to mount a file system", met=done.returncode == 0)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(("umount", "--lazy", str(path)), check=True)
