"""One node's simulated disk: its log, byte for byte, and its base.

Owns what survives a crash. Must not know frames, entries or keys. The log is kept as the bytes
that `core.wal` wrote, so that recovery reads what a torn write left behind. Whatever takes time
has two calls, one when it starts and one when it is durable; a crash between the two decides
what became of it. The caller lets the time from `sync_ns` and `flush_ns` pass in between.
"""

from collections.abc import Iterable
from random import Random
from typing import Final

import msgspec

from core.check import InvariantBroken
from core.moment import NANOSECONDS_PER_MICROSECOND, NANOSECONDS_PER_SECOND
from core.store.base import BaseMeta
from core.store.memory_base import Changes
from sim.base import MemoryBase
from sim.faults import DiskFull, SlowDisk, Unsynced
from sim.latency import QUANTILE_BITS, QUANTILE_SHIFT, QUANTILES

FLOOR_NS_MIN: Final = 80 * NANOSECONDS_PER_MICROSECOND
FLOOR_NS_MAX: Final = 1_000 * NANOSECONDS_PER_MICROSECOND
"""Bounds of the least time that a sync takes, drawn per disk: a fast and a slow SSD."""

SYNC_NS_MAX: Final = 4 * NANOSECONDS_PER_SECOND
"""No sync takes longer, however slow the disk is made: a node can do nothing without its disk, and
what was begun just before all is healed must be over when all must answer."""

FLUSH_NS_PER_CHANGE: Final = 2 * NANOSECONDS_PER_MICROSECOND


class _Merge(msgspec.Struct, frozen=True):
    """A flush of the base that is under way."""

    meta: BaseMeta
    changes: Changes


class _Replacement(msgspec.Struct, frozen=True):
    """An installation of a snapshot that is under way."""

    meta: BaseMeta
    items: Iterable[tuple[bytes, bytes]]


class Disk:
    """What one node keeps.

    Attributes:
        base: the durable state, as of the last change that became durable.
    """

    __slots__ = (
        "_base_change",
        "_draw",
        "_dropped",
        "_floor_ns",
        "_full",
        "_healthy_floor_ns",
        "_preparing",
        "_segments",
        "_slow",
        "_staged",
        "_staging",
        "_unsynced",
        "base",
    )

    def __init__(self, random: Random) -> None:
        self._draw = random.getrandbits
        self._healthy_floor_ns = self._floor_ns = random.randint(FLOOR_NS_MIN, FLOOR_NS_MAX)
        self._segments: dict[int, bytearray] = {}
        self._preparing: dict[int, int] = {}
        self._unsynced: list[tuple[int, int, bytes]] = []
        self._dropped: dict[int, bytearray] = {}
        self._staging = 0
        self._staged: list[list[tuple[bytes, bytes]]] = []
        self._base_change: _Merge | _Replacement | None = None
        self._full: list[DiskFull] = []
        self._slow: list[SlowDisk] = []
        self.base = MemoryBase()

    def sync_ns(self) -> int:
        """Draw how long the next sync, or any other small durable change, takes."""
        sync_ns = self._floor_ns * QUANTILES[self._draw(QUANTILE_BITS)] >> QUANTILE_SHIFT
        return sync_ns if sync_ns < SYNC_NS_MAX else SYNC_NS_MAX

    def flush_ns(self, changes: int) -> int:
        """Draw how long a change of the base takes that touches that many records."""
        return self.sync_ns() + changes * FLUSH_NS_PER_CHANGE

    # The log

    def start_prepare(self, number: int, size: int) -> bool:
        """Start to create segment `number` of `size` zero bytes; False: there is no room."""
        if self._full:
            return False
        self._preparing[number] = size
        return True

    def finish_prepare(self, number: int) -> None:
        """Segment `number` is there, durably."""
        self._segments[number] = bytearray(self._preparing.pop(number))

    def write(self, number: int, offset: int, data: bytes) -> None:
        """Write `data` into segment `number`; it is durable after the next `sync`.

        Raises:
            InvariantBroken: there is no such segment, or it is not that long.
        """
        segment = self._segments.get(number)
        if segment is None or not 0 <= offset <= len(segment) - len(data):
            raise InvariantBroken(f"a write at {offset} is outside of segment {number}")
        self._unsynced.append((number, offset, data))

    def sync(self) -> None:
        """Make all that was written and dropped durable."""
        for number, offset, data in self._unsynced:
            self._segments[number][offset : offset + len(data)] = data
        self._unsynced.clear()
        self._dropped.clear()

    def drop(self, below: int) -> None:
        """Delete all segments with numbers less than `below`; a crash may bring some back."""
        for number in sorted(self._segments):
            if number >= below:
                break
            self._dropped[number] = self._segments.pop(number)

    def segments(self) -> list[tuple[int, bytes]]:
        """Return the durable bytes of all segments, in the order of their numbers."""
        return [(number, bytes(self._segments[number])) for number in sorted(self._segments)]

    # The base

    def start_flush(self, meta: BaseMeta, changes: Changes) -> bool:
        """Start to merge `changes` into the base; False: there is no room."""
        if self._full:
            return False
        self._start_base_change(_Merge(meta, changes))
        return True

    def stage(self, snapshot: int, number: int, items: list[tuple[bytes, bytes]]) -> bool:
        """Keep chunk `number` of `snapshot` aside; False: there is no room.

        Number 0 begins anew, whether there is room for it or not.

        Raises:
            InvariantBroken: chunks of another snapshot are staged, or those before are missing.
        """
        if number == 0:
            self._staging = snapshot
            self._staged = []
        elif snapshot != self._staging or number != len(self._staged):
            raise InvariantBroken(f"chunk {number} of snapshot {snapshot} is not the next one")
        if self._full:
            return False
        self._staged.append(items)
        return True

    def start_replace(self, snapshot: int, meta: BaseMeta) -> bool:
        """Start to make what was staged of `snapshot` the base; False: there is no room.

        Raises:
            InvariantBroken: nothing is staged of it.
        """
        if snapshot != self._staging or not self._staged:
            raise InvariantBroken(f"nothing is staged of snapshot {snapshot}")
        if self._full:
            return False
        items = [item for chunk in self._staged for item in chunk]
        self._start_base_change(_Replacement(meta, items))
        return True

    def finish_base_change(self) -> None:
        """The change of the base that was started is durable, all of it."""
        change, self._base_change = self._base_change, None
        if change is None:
            raise InvariantBroken("no change of the base is under way")
        if isinstance(change, _Merge):
            self.base.flush(change.meta, change.changes)
        else:
            self.base.replace(change.meta, change.items)
            self._staged = []

    def wipe(self) -> None:
        """Lose everything, as a disk that is formatted anew."""
        self._segments.clear()
        self._preparing.clear()
        self._unsynced.clear()
        self._dropped.clear()
        self._staged = []
        self._base_change = None
        self.base = MemoryBase()

    # Faults

    def crash(self, random: Random, unsynced: Unsynced) -> None:
        """Decide what becomes of all that is not durable yet.

        Under `tear`, each piece of each write survives or not, whatever was written before or
        after it: cuts fall on any byte, and nothing keeps the order of writes.
        """
        for number, size in self._preparing.items():
            length = _surviving_length(random, size, unsynced)
            if length is not None:
                self._segments[number] = bytearray(length)
        self._preparing.clear()
        for number, offset, data in self._unsynced:
            for begin, end in _surviving_spans(random, len(data), unsynced):
                self._segments[number][offset + begin : offset + end] = data[begin:end]
        self._unsynced.clear()
        self._bring_back_dropped(random, unsynced)
        if self._base_change is not None and (
            unsynced == "keep" or (unsynced == "tear" and random.getrandbits(1))
        ):
            self.finish_base_change()
        self._base_change = None
        self._staged = []

    def begin(self, fault: DiskFull | SlowDisk) -> None:
        """Put `fault` in force, until it is ended."""
        if isinstance(fault, DiskFull):
            self._full.append(fault)
        else:
            self._slow.append(fault)
            self._settle()

    def end(self, fault: DiskFull | SlowDisk) -> None:
        """Take back a `fault` that was begun; it may have been healed meanwhile."""
        if isinstance(fault, DiskFull):
            self._full = [other for other in self._full if other != fault]
        else:
            self._slow = [other for other in self._slow if other != fault]
            self._settle()

    def heal(self) -> None:
        """Take back all faults; what rotted stays rotten."""
        self._full.clear()
        self._slow.clear()
        self._settle()

    def _settle(self) -> None:
        factor = max((fault.factor for fault in self._slow), default=1)
        self._floor_ns = self._healthy_floor_ns * factor

    def _start_base_change(self, change: _Merge | _Replacement) -> None:
        if self._base_change is not None:
            raise InvariantBroken("a change of the base is under way already")
        self._base_change = change

    def _bring_back_dropped(self, random: Random, unsynced: Unsynced) -> None:
        """Undo the deletion of some segments: it went in ascending order, so the last ones."""
        numbers = sorted(self._dropped)
        first = {"drop": 0, "keep": len(numbers), "tear": random.randint(0, len(numbers))}
        for number in numbers[first[unsynced] :]:
            self._segments[number] = self._dropped[number]
        self._dropped.clear()


def _surviving_length(random: Random, size: int, unsynced: Unsynced) -> int | None:
    """Return how much of a new segment is there after a crash, or None: no file at all."""
    if unsynced == "keep":
        return size
    if unsynced == "drop" or random.getrandbits(1):
        return None
    return random.choice((0, random.randint(0, size), size))


def _surviving_spans(random: Random, length: int, unsynced: Unsynced) -> list[tuple[int, int]]:
    """Return which bytes of an unsynced write are there after a crash."""
    if unsynced == "keep":
        return [(0, length)]
    if unsynced == "drop":
        return []
    first, second = sorted((random.randint(0, length), random.randint(0, length)))
    pieces = ((0, first), (first, second), (second, length))
    return [piece for piece in pieces if random.getrandbits(1)]
