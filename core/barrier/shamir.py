"""Shamir's secret sharing over GF(2^8), one polynomial for each byte of the secret.

Owns the arithmetic of the field and the layout of a share. Must not know what the secret opens,
nor that a secret with one single share is handed out as it is.

Sources: A. Shamir, "How to share a secret", CACM 22(11), 1979; the field is that of AES
(FIPS 197, section 4.2), with the polynomial x^8 + x^4 + x^3 + x + 1.

Products are looked up by secret bytes, which a cache can betray to another process of the same
core. That is accepted: it happens only while an operator initialises, unseals or rekeys.
"""

from collections.abc import Sequence
from typing import Final

from core.entropy import Entropy, random_below

SHARES_MAX: Final = 255
"""The x coordinates of a share are the non-zero elements of the field."""

THRESHOLD_MIN: Final = 2
"""One point does not make a line."""

SHARE_OVERHEAD: Final = 1
"""Bytes by which a share is longer than the secret."""

_ORDER: Final = 255
_POLYNOMIAL: Final = 0x11B


def _powers_of_three() -> bytes:
    """Return 3^0 to 3^254; 3 generates the multiplicative group."""
    powers = bytearray()
    value = 1
    for _ in range(_ORDER):
        powers.append(value)
        doubled = value << 1
        value ^= doubled ^ _POLYNOMIAL if doubled > _ORDER else doubled
    return bytes(powers)


_POWERS: Final = _powers_of_three() * 2
"""Twice over, so that the sum of two logarithms needs no remainder."""
_LOGARITHMS: Final = bytes([0, *(_POWERS.index(value) for value in range(1, 256))])


def products_by(factor: int) -> bytes:
    """Return the products of `factor` and 0 to 255, as a table for `bytes.translate`."""
    if factor == 0:
        return bytes(256)
    logarithm = _LOGARITHMS[factor]
    return bytes([0, *(_POWERS[logarithm + _LOGARITHMS[value]] for value in range(1, 256))])


def split(secret: bytes, shares: int, threshold: int, entropy: Entropy) -> list[bytes]:
    """Return `shares` shares of which any `threshold` give `secret` back, and fewer nothing.

    A share is as long as the secret plus one byte: the values of the polynomials, then the x
    coordinate at which they were taken. The coordinates are distinct, not zero and in random
    order, so that a share does not tell how many there are.

    Raises:
        ValueError: not 2 <= `threshold` <= `shares` <= 255, or the secret is empty.
    """
    if not THRESHOLD_MIN <= threshold <= shares <= SHARES_MAX:
        raise ValueError(f"cannot split into {shares} shares with threshold {threshold}")
    if not secret:
        raise ValueError("cannot split an empty secret")
    coefficients = [secret]
    coefficients += [entropy.random_bytes(len(secret)) for _ in range(threshold - 1)]
    return [_evaluate(coefficients, x) + bytes((x,)) for x in _coordinates(shares, entropy)]


def combine(shares: Sequence[bytes]) -> bytes:
    """Return the secret whose polynomials go through `shares`.

    Too few shares, or shares of different secrets, give bytes that mean nothing; the caller
    learns it when they do not open what they should.

    Raises:
        ValueError: fewer than two shares, lengths differ, or an x coordinate is zero or twice
            there.
    """
    if len(shares) < THRESHOLD_MIN:
        raise ValueError("cannot combine fewer than two shares")
    size = len(shares[0]) - SHARE_OVERHEAD
    if size < 1 or any(len(share) != size + SHARE_OVERHEAD for share in shares):
        raise ValueError("cannot combine shares that are empty or differ in length")
    coordinates = [share[-1] for share in shares]
    if len(frozenset(coordinates)) != len(coordinates):
        raise ValueError("cannot combine two shares with the same x coordinate")
    if 0 in coordinates:
        raise ValueError("cannot combine a share whose x coordinate is zero")
    secret = 0
    for share, x in zip(shares, coordinates, strict=True):
        weighted = share[:-1].translate(products_by(_weight_at_zero(x, coordinates)))
        secret ^= int.from_bytes(weighted, "big")
    return secret.to_bytes(size, "big")


def _evaluate(coefficients: list[bytes], x: int) -> bytes:
    """Return the values at `x` by Horner's rule; the constant terms come first."""
    table = products_by(x)
    values = 0
    size = len(coefficients[0])
    for row in reversed(coefficients):
        raised = values.to_bytes(size, "big").translate(table)
        values = int.from_bytes(raised, "big") ^ int.from_bytes(row, "big")
    return values.to_bytes(size, "big")


def _coordinates(count: int, entropy: Entropy) -> list[int]:
    """Draw `count` distinct non-zero coordinates (Fisher and Yates, stopped early)."""
    pool = list(range(1, SHARES_MAX + 1))
    for place in range(count):
        other = place + random_below(entropy, len(pool) - place)
        pool[place], pool[other] = pool[other], pool[place]
    return pool[:count]


def _weight_at_zero(x: int, coordinates: list[int]) -> int:
    """Return Lagrange's basis polynomial of `x` at zero: the product of other / (other - x)."""
    logarithm = sum(
        _LOGARITHMS[other] - _LOGARITHMS[other ^ x] for other in coordinates if other != x
    )
    return _POWERS[logarithm % _ORDER]
