"""What is made of the bytes of the port."""

import re
from collections import Counter

from core.entropy import base62, random_below, uuid
from tests.core.barrier.helpers import SeededEntropy


class Scripted:
    """Hands out given bytes, one call after the other."""

    def __init__(self, *handed_out: bytes) -> None:
        self.left = list(handed_out)
        self.counts: list[int] = []

    def random_bytes(self, count: int) -> bytes:
        """Return the next bytes of the script."""
        self.counts.append(count)
        return self.left.pop(0)


def test_bytes_that_would_favour_some_letters_are_rejected() -> None:
    """Only 0 to 247 are used: four times the alphabet."""
    entropy = Scripted(bytes([0, 61, 247, 248, 255]), bytes([62, 10, 36, 1, 2]))

    assert base62(entropy, 4) == "0zz0"
    assert entropy.counts == [5, 5]


def test_all_letters_and_digits_are_drawn() -> None:
    """About equally often."""
    counts = Counter(base62(SeededEntropy(), 62_000))

    assert len(counts) == 62
    assert all(letter.isascii() and letter.isalnum() for letter in counts)
    assert 800 < min(counts.values()) <= max(counts.values()) < 1_200


def test_integers_below_a_bound() -> None:
    """Big-endian, and every one of them."""
    entropy = SeededEntropy()

    assert random_below(Scripted((2**63 + 5).to_bytes(8, "big")), 7) == (2**63 + 5) % 7
    assert {random_below(entropy, 5) for _ in range(200)} == {0, 1, 2, 3, 4}


def test_uuids_are_random_ones_of_the_usual_variant() -> None:
    """Version and variant stand where RFC 9562 has them, all else is entropy."""
    entropy = SeededEntropy()
    pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

    assert uuid(Scripted(bytes(16))) == "00000000-0000-4000-8000-000000000000"
    assert uuid(Scripted(b"\xff" * 16)) == "ffffffff-ffff-4fff-bfff-ffffffffffff"
    assert all(pattern.fullmatch(uuid(entropy)) for _ in range(100))
