"""Lets the syncs of a server process fail from a moment on that the test chooses.

Python runs `sitecustomize` before any program. This one carries syncs out as ever until there is a
file named after the configuration of the process.
"""

from pathlib import Path

import pytest

_CUSTOMIZE = """\
import errno, os, pathlib, sys

carry_out = os.fdatasync

def fdatasync(file):
    names = [pathlib.Path(text).stem for text in sys.argv if text.startswith("-config=")]
    if any(os.path.exists(os.path.join({directory!r}, name)) for name in names):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    carry_out(file)

os.fdatasync = fdatasync
"""


class FailingSyncs:
    """Switches syncs of processes that are started from now on."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._directory = directory
        directory.mkdir()
        text = _CUSTOMIZE.format(directory=str(directory))
        (directory / "sitecustomize.py").write_text(text)
        patch.setenv("PYTHONPATH", str(directory))

    def fail(self, name: str) -> None:
        """From now on they fail in the process whose configuration is `name`.json."""
        (self._directory / name).touch()

    def heal(self, name: str) -> None:
        """They succeed again."""
        (self._directory / name).unlink()
