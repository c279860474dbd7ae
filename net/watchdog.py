"""Ends a process whose event loop hangs, so that the other members take over (D17).

Audit files are written in the loop's own thread: a disk that hangs stops everything else, and a
node that can't send is not missed before its leadership ends, nor can it be asked to stop.

A thread counts how often in a row it found that the loop had not turned since it looked last. It
goes by that count and not by a clock: after a pause of the whole process (a suspended machine, a
debugger) a clock would blame the loop for what nobody could do.
"""

import os
import threading
from collections.abc import Callable
from typing import Final, Self

STALL_S_MAX: Final = 30.0
"""How long the loop may hang."""
CHECKS: Final = 10
"""How often the thread looks in that time."""
EXIT_STALLED: Final = 71
"""The exit code of a process that was ended: EX_OSERR of sysexits.h."""

_MESSAGE: Final = b"holdfast: the event loop hangs (does an audit file?); the process ends\n"


def end_process() -> None:
    """End this process without waiting for anything."""
    os.write(2, _MESSAGE)
    os._exit(EXIT_STALLED)


class Watchdog:
    """Watches one loop while it is entered.

    Attributes:
        pause_s: the loop has to call `turned` at least this often.
    """

    def __init__(
        self, stall_s_max: float = STALL_S_MAX, end: Callable[[], None] = end_process
    ) -> None:
        self.pause_s = stall_s_max / CHECKS
        self._end = end
        self._turned = True
        self._missed = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def turned(self) -> None:
        """Say, in the loop's thread, that it lives."""
        self._turned = True

    def check(self) -> None:
        """Look whether the loop has turned; end the process after too many times."""
        self._missed = 0 if self._turned else self._missed + 1
        self._turned = False
        if self._missed >= CHECKS:
            self._end()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self.pause_s):
            self.check()
