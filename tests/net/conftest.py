"""What several tests of `net` need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.small_disk import SmallDisk, mounted

SMALL_DISK_BYTES = 24 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of 24 MiB."""
    with mounted(tmp_path / "small", SMALL_DISK_BYTES) as disk:
        yield disk
