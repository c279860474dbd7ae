"""Why something failed, in words."""

import errno
import os

import pytest

from server.reason import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EISDIR, os.strerror(errno.EISDIR), "/a"), "Is a directory"),
        (OSError("only words"), "only words"),
        (ValueError("not this"), "not this"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_reasons_have_no_numbers(error: Exception, reason: str) -> None:
    assert reason == reason_of(error)
