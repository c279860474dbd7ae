"""The sealed form of a stored value.

Owns the bytes of one record and the error for one that does not open. Must not know which term
is active, nor where records are kept.

Layout: version (1 byte) || key term (4, big-endian) || nonce (12) || ciphertext || tag (16).
The cipher is AES-256-GCM (NIST SP 800-38D) with version, term and the whole storage key as
associated data, so that no record passes for another, nor for an older form of itself.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.check import InvariantBroken

VERSION: Final = b"\x01"
NONCE_SIZE: Final = 12
HEADER_SIZE: Final = 5
OVERHEAD: Final = HEADER_SIZE + NONCE_SIZE + 16
"""Bytes by which a record is longer than its plaintext."""

_CIPHERTEXT_AT: Final = HEADER_SIZE + NONCE_SIZE


class RecordDamaged(InvariantBroken):
    """Something stored is not what was sealed there: damage, or a key this node lacks."""


class RecordCipher:
    """Seals and opens the records of one term.

    Attributes:
        header: the first `HEADER_SIZE` bytes of each of these records.
    """

    __slots__ = ("_decrypt", "_encrypt", "header")

    def __init__(self, term: int, key: bytes) -> None:
        cipher = AESGCM(key)
        self._encrypt = cipher.encrypt
        self._decrypt = cipher.decrypt
        self.header = VERSION + term.to_bytes(4, "big")

    def seal(self, key: bytes, plaintext: bytes, nonce: bytes) -> bytes:
        """Return the record of `plaintext` at `key`; no `nonce` may serve a term twice."""
        header = self.header
        return header + nonce + self._encrypt(nonce, plaintext, header + key)

    def open(self, key: bytes, sealed: bytes) -> bytes:
        """Return what was sealed at `key`.

        Raises:
            RecordDamaged: it was not sealed so, not there or not with this key.
        """
        try:
            return self._decrypt(
                sealed[HEADER_SIZE:_CIPHERTEXT_AT],
                sealed[_CIPHERTEXT_AT:],
                sealed[:HEADER_SIZE] + key,
            )
        except (InvalidTag, ValueError):  # a nonce cut short is a ValueError
            raise RecordDamaged("a record does not open") from None
