"""The ports for time and entropy."""

import os
import time

from core.entropy import Entropy
from net import system
from net.system import SystemEntropy


def test_both_clocks_are_read() -> None:
    before = (time.monotonic_ns(), time.time_ns())
    now = system.now()
    after = (time.monotonic_ns(), time.time_ns())

    assert before[0] <= now.monotonic_ns <= after[0]
    assert before[1] <= now.wall_ns <= after[1]


def test_no_bytes_come_twice() -> None:
    """Small draws from one buffer, draws across its end, and one that is longer than it."""
    entropy: Entropy = SystemEntropy()
    drawn = [entropy.random_bytes(count) for count in (*[16] * 1_000, 5_000, 10_000, 16)]

    assert [16] * 1_000 + [5_000, 10_000, 16] == [len(each) for each in drawn]
    assert len(drawn) == len(set(drawn))


def test_a_child_process_does_not_draw_what_its_parent_draws() -> None:
    entropy = SystemEntropy()
    entropy.random_bytes(1)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sending, entropy.random_bytes(16))
        os._exit(0)
    os.waitpid(child, 0)
    other = os.read(receiving, 16)
    os.close(receiving)
    os.close(sending)

    assert 16 == len(other)
    assert other != entropy.random_bytes(16)
