"""Keeps the memory of this process out of swap space, and so secrets off that disk."""

import ctypes
import os
from typing import Final

_CURRENT: Final = 1
_FUTURE: Final = 2
_ON_FAULT: Final = 4
"""Lock pages as they are touched: the base maps far more than it uses."""


class MemoryLockError(Exception):
    """The system does not allow it; the message says why."""


def lock_memory() -> None:
    """Lock all memory that this process has and will have.

    Raises:
        MemoryLockError: the system does not allow it.
    """
    system = ctypes.CDLL(None, use_errno=True)
    if system.mlockall(_CURRENT | _FUTURE | _ON_FAULT) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise MemoryLockError(
            f"memory cannot be locked: {reason}; grant CAP_IPC_LOCK, or set disable_mlock = true"
        )
