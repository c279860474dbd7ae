"""Named random streams, all derived from one seed.

Owns the only place where the simulator makes a generator. Each concern (the network from one
node to another, a disk, the plan, the entropy of a node) draws from a stream of its own, so
that taking a fault away leaves what the others draw as it was. Must not know what a stream is
drawn for.
"""

import hashlib
from random import Random


class Streams:
    """All random streams of one seed."""

    __slots__ = ("_handed_out", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._handed_out: set[str] = set()

    def stream(self, name: str) -> Random:
        """Return the stream called `name`, at its start; its owner keeps it.

        Raises:
            ValueError: it was handed out before. Two copies of one stream would draw the same
                values, and two users of one would depend on each other.
        """
        if name in self._handed_out:
            raise ValueError(f"the stream {name!r} already has an owner")
        self._handed_out.add(name)
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=32).digest()
        return Random(int.from_bytes(digest, "big"))  # noqa: S311 -- repeats on purpose


class SeededEntropy:
    """The port `core.entropy.Entropy` over a stream.

    A node keeps one for all its lives: a restart that began the stream anew would draw the
    same nonces again.
    """

    __slots__ = ("_draw_bytes",)

    def __init__(self, random: Random) -> None:
        self._draw_bytes = random.randbytes

    def random_bytes(self, count: int) -> bytes:
        """Return the next `count` bytes of the stream."""
        return self._draw_bytes(count)
