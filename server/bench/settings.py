"""What a benchmark is told, and how it fails."""

from collections.abc import Callable
from typing import Final

import msgspec

SECONDS_MAX: Final = 600.0
ROUNDS_MAX: Final = 1_000
CONNECTIONS_MAX: Final = 512
KEYS_MAX: Final = 1_000_000
VALUE_BYTES: Final = 100

Say = Callable[[str], None]
"""Tells a person how far a benchmark is."""


class BenchError(Exception):
    """A figure can't be taken; the message says why."""


class PeerUnavailable(Exception):
    """What we compare with does not run here; the message says why."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how hard.

    Attributes:
        seconds: length of a round.
        rounds: how often each side is measured, in turn.
        warmup_s: load before each round that is not counted.
        connections: of the load generator.
        keys: how many keys are read and written.
        directory: where temporary files go; empty: where the system keeps them.
        say: is told of each round.
    """

    seconds: float = 5.0
    rounds: int = 3
    warmup_s: float = 2.0
    connections: int = 32
    keys: int = 10_000
    directory: str = ""
    say: Say
