"""What several tests of `net` need."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import needs
from tests.net.small_disk import SmallDisk

SMALL_DISK_BYTES = 24 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 24 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    options = f"size={SMALL_DISK_BYTES}"
    mounting = ("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))
    mounted = subprocess.run(mounting, capture_output=True, check=False)
    needs("the right to mount a file system", met=mounted.returncode == 0)
    yield SmallDisk(path)
    subprocess.run(("umount", "--lazy", str(path)), check=True)
