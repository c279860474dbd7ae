"""What a test may ask of the machine it runs on.

Owns the one way for a test not to run. Each use is named in pytest's summary, and with `CI=true`
in the environment it fails the session, so that no test is left out unseen.
"""

import shutil
from typing import Final

import pytest

NOT_RUN: Final = "not run: needs "
"""What the reason of such a skip starts with."""


def needs(what: str, *, met: bool | None = None) -> None:
    """Leave out the test that calls this, or whose fixture does, unless a need is met.

    Args:
        what: a program, looked for on the PATH; or, together with `met`, a right in plain words.
        met: whether that right is given.

    Raises:
        pytest.skip.Exception: the need is not met.
    """
    if not (shutil.which(what) if met is None else met):
        pytest.skip(NOT_RUN + what)
