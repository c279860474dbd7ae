"""What the tests of the barrier share: seeded entropy and a store in memory."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from hashlib import sha256
from itertools import count

from hypothesis import settings

from core.barrier.barrier import Barrier
from core.barrier.keyring import Keyrings

WALL_NS = 1_700_000_000_000_000_000


class SeededEntropy:
    """SHA-256 over a seed and a counter: the same bytes in each run."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._counter = count()

    def random_bytes(self, count: int) -> bytes:
        """Return `count` bytes of the stream."""
        blocks = -(-count // 32)
        stream = b"".join(
            sha256(f"{self._seed}/{next(self._counter)}".encode()).digest() for _ in range(blocks)
        )
        return stream[:count]


class MemoryStore:
    """A `Writer` over a dictionary that counts its iterators and the entries they gave out.

    It holds its users to the contract: an iterator that outlives a change raises.
    """

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.seeks = 0
        self.steps = 0
        self._keys: list[bytes] = []
        self._version = 0

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        return self.values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value at `key`."""
        self._version += 1
        if key not in self.values:
            insort(self._keys, key)
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        """Remove `key`, if it is there."""
        self._version += 1
        if self.values.pop(key, None) is not None:
            self._keys.remove(key)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is from `start` on and before `stop`."""
        self.seeks += 1
        version = self._version
        for place in range(bisect_left(self._keys, start), bisect_left(self._keys, stop)):
            if version != self._version:
                raise RuntimeError("the store was changed under an iterator")
            self.steps += 1
            yield self._keys[place], self.values[self._keys[place]]


def make_barrier(seed: int = 0) -> Barrier:
    """Return a barrier over fresh keyrings."""
    entropy = SeededEntropy(seed)
    return Barrier(Keyrings.create(entropy, WALL_NS), entropy)


def examples(limit: int) -> settings:
    """Return settings for a property: as many examples, the same in each run."""
    return settings(max_examples=limit, derandomize=True, deadline=None)
