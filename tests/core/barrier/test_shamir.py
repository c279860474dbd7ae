"""Shamir's secret sharing: the field, the layout, recovery and secrecy."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.barrier.shamir import SHARES_MAX, combine, products_by, split
from tests.core.barrier.helpers import SeededEntropy, examples

SECRET = bytes(range(32))


class OneCoefficient:
    """Entropy whose only polynomial coefficient is given; coordinates come out as 1, 2, 3."""

    def __init__(self, coefficient: int) -> None:
        self._coefficient = coefficient

    def random_bytes(self, count: int) -> bytes:
        """Return the coefficient if one byte is asked for, else zeros."""
        return bytes([self._coefficient]) if count == 1 else bytes(count)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (0x57, 0x83, 0xC1),  # FIPS 197, section 4.2
        (0x57, 0x13, 0xFE),  # FIPS 197, section 4.2.1
        (0x57, 0x02, 0xAE),  # the chain of doublings of the same section
        (0x57, 0x04, 0x47),
        (0x57, 0x08, 0x8E),
        (0x57, 0x10, 0x07),
        (0x53, 0xCA, 0x01),  # the inverse behind S-box entry 53 of section 5.1.1
    ],
)
def test_products_are_those_of_fips_197(left: int, right: int, expected: int) -> None:
    actual = (products_by(left)[right], products_by(right)[left])

    assert actual == (expected, expected)


def test_products_agree_with_long_multiplication() -> None:
    def multiply(left: int, right: int) -> int:
        product = 0
        for bit in range(8):
            if right >> bit & 1:
                product ^= left << bit
        for bit in range(14, 7, -1):
            if product >> bit & 1:
                product ^= 0x11B << bit - 8
        return product

    for factor in range(256):
        assert products_by(factor) == bytes(multiply(factor, value) for value in range(256))


def test_share_lies_on_the_polynomial_and_ends_in_its_coordinate() -> None:
    shares = split(b"\x57", 3, 2, OneCoefficient(0x83))

    # 57 + 83 x at x = 1, 2 and 3.
    assert shares == [b"\xd4\x01", b"\x4a\x02", b"\xc9\x03"]


@given(
    secret=st.binary(min_size=1, max_size=40),
    counts=st.tuples(st.integers(2, 8), st.integers(0, 4)),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
@examples(60)
def test_any_threshold_of_shares_in_any_order_gives_the_secret(
    secret: bytes, counts: tuple[int, int], seed: int, data: st.DataObject
) -> None:
    threshold, spare = counts
    shares = split(secret, threshold + spare, threshold, SeededEntropy(seed))
    chosen = data.draw(st.permutations(shares))

    assert combine(chosen[:threshold]) == secret
    assert combine(chosen) == secret


def test_one_share_fewer_gives_something_else() -> None:
    shares = split(SECRET, 5, 4, SeededEntropy())

    assert all(combine(chosen) != SECRET for chosen in combinations(shares, 3))


def test_one_share_fewer_says_nothing() -> None:
    """Whatever the secret is, each value of the share comes from exactly one coefficient."""
    for secret in (0x00, 0x01, 0x9C, 0xFF):
        values = [
            split(bytes([secret]), 3, 2, OneCoefficient(coefficient))[2][0]
            for coefficient in range(256)
        ]

        assert sorted(values) == list(range(256))


def test_most_shares_there_can_be() -> None:
    shares = split(SECRET, SHARES_MAX, SHARES_MAX, SeededEntropy())

    assert sorted(share[-1] for share in shares) == list(range(1, 256))
    assert combine(shares) == SECRET


def test_coordinates_are_drawn_at_random() -> None:
    drawn = [
        tuple(share[-1] for share in split(SECRET, 5, 3, SeededEntropy(seed))) for seed in range(50)
    ]

    assert len(set(drawn)) == 50
    assert max(max(coordinates) for coordinates in drawn) > 240


@pytest.mark.parametrize(
    ("shares", "threshold"), [(5, 1), (5, 0), (2, 3), (256, 2), (256, 256), (1, 1), (0, 0)]
)
def test_split_refuses_numbers_that_do_not_fit(shares: int, threshold: int) -> None:
    with pytest.raises(ValueError, match=f"into {shares} shares with threshold {threshold}"):
        split(SECRET, shares, threshold, SeededEntropy())


def test_split_refuses_an_empty_secret() -> None:
    with pytest.raises(ValueError, match="empty secret"):
        split(b"", 3, 2, SeededEntropy())


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ([], "fewer than two"),
        ([b"\x01\x01"], "fewer than two"),
        ([b"\x01\x01", b"\x01\x02\x02"], "differ in length"),
        ([b"\x01", b"\x02"], "empty"),
        ([b"", b""], "empty"),
        ([b"\x01\x07", b"\x02\x07"], "same x coordinate"),
        ([b"\x01\x07", b"\x02\x00"], "is zero"),
    ],
)
def test_combine_refuses_what_is_no_set_of_shares(shares: list[bytes], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        combine(shares)
