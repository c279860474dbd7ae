"""How many values were sealed under the active term, as a part of the log.

Owns the record of that count. Must not know what happens when there were too many.

A leader counts ahead: it adds `RESERVED` encryptions to the record and makes them afterwards, so
the record is written once in many thousand writes, and still is no less than what was sealed
when a leader dies. The next one does not know what was left of them and begins with its own.
So the count errs on the safe side, by up to `RESERVED` for each change of the leader.
"""

from typing import Final

import msgspec

from core.barrier.barrier import Barrier
from core.store.keys import SCOPE_CLUSTER, clear
from core.store.reader import Reader, Writer

RESERVED: Final = 1 << 16
"""Encryptions that a leader counts ahead."""

_KEY: Final = clear(SCOPE_CLUSTER, b"encryptions")
_VERSION: Final = b"\x01"


class _Record(msgspec.Struct, frozen=True, array_like=True):
    term: int
    count: int


_decode: Final = msgspec.msgpack.Decoder(_Record).decode


class EncryptionCount:
    """One node's part in the count: what it has reserved last, and what is left of that."""

    __slots__ = ("_left", "_own")

    def __init__(self) -> None:
        self._own = _Record(0, 0)
        self._left = 0

    def reserve(self, barrier: Barrier, transaction: Writer) -> int:
        """See to it that the record stands ahead of what was sealed; return where it stands.

        The leader does this now and then, at least once in `RESERVED / 2` encryptions.
        """
        taken = barrier.take_encryptions()
        term = barrier.keyrings.cluster.active.number
        count = encryptions(transaction, term)
        self._left -= taken
        if self._own.term != term:
            self._left = -taken
        elif self._own.count != count:
            # Another leader has reserved since. It may not have seen what this node reserved last,
            # so that what was used of it is counted once more.
            self._left -= RESERVED
        elif self._left > RESERVED // 2:
            return count
        self._own = _Record(term, count + RESERVED - self._left)
        self._left = RESERVED
        transaction.put(_KEY, _VERSION + msgspec.msgpack.encode(self._own))
        return self._own.count


def encryptions(reader: Reader, term: int) -> int:
    """Return how many values were sealed under `term`, or some more; 0 if it is not counted."""
    stored = reader.get(_KEY)
    if stored is None:
        return 0
    record = _decode(stored[len(_VERSION) :])
    return record.count if record.term == term else 0
