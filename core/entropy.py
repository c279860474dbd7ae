"""The port for entropy: a driver hands it in, the simulator seeds it."""

from typing import Final, Protocol

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE62_BYTE_MAX: Final = 4 * len(_BASE62)


class Entropy(Protocol):
    """A source of unpredictable bytes (in production), or of seeded ones (in the simulator)."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` fresh bytes."""
        ...


def random_below(entropy: Entropy, bound: int) -> int:
    """Return an integer drawn from `range(bound)`; the bias is below 2**-32 for bounds to 2**32."""
    return int.from_bytes(entropy.random_bytes(8), "big") % bound


def base62(entropy: Entropy, count: int) -> str:
    """Return `count` letters and digits, each drawn without bias by rejection."""
    letters: list[str] = []
    while len(letters) < count:
        letters += [
            _BASE62[byte % len(_BASE62)]
            for byte in entropy.random_bytes(count + count // 4)
            if byte < _BASE62_BYTE_MAX
        ]
    return "".join(letters[:count])


def uuid(entropy: Entropy) -> str:
    """Return a random (version 4) UUID in its usual 36-character form, per RFC 9562."""
    raw = bytearray(entropy.random_bytes(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
