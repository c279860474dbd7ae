"""One entry of the replicated log."""

from typing import Final

import msgspec

NODE_BYTES_MAX: Final = 64
"""Bytes in a node id: a vote names one, in a frame of bounded size."""

KIND_EMPTY: Final = 0
"""Nothing: a leader's first entry of its term (Raft thesis, section 6.4)."""
KIND_WRITES: Final = 1
"""A write set for the store."""
KIND_CONFIGURATION: Final = 2
"""A membership, in force as soon as it is appended."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of the log.

    Attributes:
        index: its place in the log, counted from 1.
        term: the term of the leader that appended it.
        kind: one of the `KIND_` constants.
        wall_ns: the wall clock of the leader when it appended it; never less than that of
            the entry before it.
        data: what it says; opaque to consensus but for configurations.
    """

    index: int
    term: int
    kind: int
    wall_ns: int
    data: bytes = b""


class HardState(msgspec.Struct, frozen=True, array_like=True):
    """What a node must not forget before it speaks (Raft paper, figure 2).

    Attributes:
        term: the latest term this node has seen.
        vote: the node it voted for in that term, or empty.
    """

    term: int = 0
    vote: str = ""
