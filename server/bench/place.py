"""Where a benchmark happens: a temporary directory, and what is said about the machine."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.bench.figure import number
from server.bench.machine import fdatasync_ms
from server.bench.settings import BenchError, Settings
from server.reason import reason_of


@contextmanager
def workplace(settings: Settings) -> Iterator[Path]:
    """Make a directory that goes with the context, and all that is in it.

    Raises:
        BenchError: there is no room for it where the settings want it.
    """
    try:
        made = tempfile.TemporaryDirectory(
            prefix="holdfast-bench-", dir=settings.directory or None, ignore_cleanup_errors=True
        )
    except OSError as error:
        place = settings.directory or "the system's place for them"
        reason = f"no temporary directory can be made in {place}: {reason_of(error)}"
        raise BenchError(reason) from None
    with made as name:
        yield Path(name)


def disk_condition(directory: Path) -> str:
    """Say how fast the disk under a directory syncs, as measured now."""
    return f"fdatasync of 4 KiB {number(fdatasync_ms(directory))} ms"
