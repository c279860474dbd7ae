"""Values that fill the base of a real node, and a look into a base that no process has open."""

import os
from pathlib import Path

from net.data_directory import DataDirectory
from net.lmdb_base import LmdbBase
from tests.net.storage import damage

VALUE_BYTES = 500_000
VALUES = 80
"""More than one flush of the base and two segments of the log."""


def value(number: int) -> dict[str, str]:
    return {"v": f"{number:04d}" * (VALUE_BYTES // 4)}


def longest_record(data: Path) -> bytes:
    """Return the longest value in the base of a node that does not run."""
    directory = DataDirectory(data)
    base = LmdbBase(next((data / "store").glob("base-*")), directory.identity.node.encode())
    longest = max((value for _, value in base.iterate(b"", b"\xff")), key=len)
    base.close()
    directory.close()
    return longest


def damage_longest(data: Path, size: int | None = None) -> None:
    """Change one bit of the longest record; then cut the file to so many bytes, if any."""
    # A longer value spans pages, as one piece.
    damage(data, longest_record(data)[:1_000])
    if size is not None:
        os.truncate(next((data / "store").glob("base-*/data.mdb")), size)
