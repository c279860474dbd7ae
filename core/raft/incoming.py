"""What a member knows of a snapshot while it receives it; the rules stand in `snapshot`."""

import msgspec

from core.store.base import BaseMeta


class StagedChunk(msgspec.Struct, frozen=True):
    """A chunk of an incoming snapshot, checked and in order, to be kept aside."""

    snapshot: int
    number: int
    content: bytes


class Incoming(msgspec.Struct):
    """A snapshot that is being received.

    Attributes:
        leader: who sends it.
        term: the term in which that one leads; a later leader, be it the same node, begins anew.
        snapshot: names it.
        meta: where the base will stand.
        expected: number of the chunk that comes next.
        digest: chained over the chunks so far.
        staged: how many chunks are surely kept aside.
        staged_digest: chained over those.
        stamp: of the chunk to be answered.
        complete: all chunks have come.
    """

    leader: str
    term: int
    snapshot: int
    meta: BaseMeta
    expected: int = 0
    digest: bytes = b""
    staged: int = 0
    staged_digest: bytes = b""
    stamp: int = 0
    complete: bool = False
