"""The ports for time and entropy, as the operating system gives them."""

import os
import time
from typing import Final

from core.moment import Now

_BUFFER_BYTES: Final = 8 << 10
"""Drawn at once: a system call costs more than most draws need."""


def now() -> Now:
    """Return what both clocks show."""
    return Now(time.monotonic_ns(), time.time_ns())


class SystemEntropy:
    """Unpredictable bytes from the kernel; a child process starts with a fresh buffer."""

    __slots__ = ("_buffer", "_position")

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._buffer = b""
        self._position = 0

    def random_bytes(self, count: int) -> bytes:
        """Return `count` bytes that were never returned before."""
        start = self._position
        end = start + count
        if end > len(self._buffer):
            if count > _BUFFER_BYTES:
                return os.urandom(count)
            self._buffer = os.urandom(_BUFFER_BYTES)
            start, end = 0, count
        self._position = end
        return self._buffer[start:end]
