"""A process whose loop hangs is ended, and no other."""

import subprocess
import sys

import pytest

from net.watchdog import CHECKS, EXIT_STALLED, STALL_S_MAX, Watchdog

_HANGING = """
import time
from net.watchdog import Watchdog

with Watchdog(stall_s_max=0.05):
    time.sleep(60)
"""


def test_a_loop_that_turns_now_and_then_lives() -> None:
    ended: list[bool] = []
    watchdog = Watchdog(end=lambda: ended.append(True))

    for _ in range(3):
        watchdog.turned()
        for _ in range(CHECKS):
            watchdog.check()

    assert [] == ended
    assert STALL_S_MAX == CHECKS * watchdog.pause_s


def test_a_loop_that_hangs_is_ended() -> None:
    ended: list[bool] = []
    watchdog = Watchdog(end=lambda: ended.append(True))

    for _ in range(CHECKS + 1):
        watchdog.check()

    assert [True] == ended


def test_a_watchdog_is_gone_with_what_it_watched() -> None:
    with Watchdog() as watchdog:
        thread = watchdog._thread
        assert thread.is_alive()

    assert not thread.is_alive()


@pytest.mark.slow
def test_a_process_is_ended_in_the_middle_of_a_call() -> None:
    ended = subprocess.run(
        (sys.executable, "-c", _HANGING), capture_output=True, text=True, timeout=20, check=False
    )

    assert EXIT_STALLED == ended.returncode
    assert "the event loop hangs" in ended.stderr
