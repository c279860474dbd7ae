"""Keys under keys: subkeys by label, and small sealed texts that belong to no storage key.

Owns the derivation of keys and the form of an envelope. Must not know what the labels stand for.

Layout: version (1 byte) || nonce (12) || ciphertext || tag (16). Each label has an AES-256-GCM
key of its own, derived by HKDF-SHA256 (RFC 5869), so an envelope of one kind never opens as
another; the version and a context that the caller may give are associated data.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.entropy import Entropy

KEY_SIZE: Final = 32

_VERSION: Final = b"\x01"
_NONCE_SIZE: Final = 12
_CIPHERTEXT_AT: Final = len(_VERSION) + _NONCE_SIZE
_LABEL_PREFIX: Final = "holdfast/1/"


class WrongKey(Exception):
    """The key does not open this, or it was changed since it was sealed."""


def derive(key: bytes, label: str, salt: bytes = b"") -> bytes:
    """Return the 32-byte subkey of `key` for `label`; `salt` tells uses of one label apart."""
    info = (_LABEL_PREFIX + label).encode()
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=salt, info=info).derive(key)


def wrap(
    key: bytes,
    label: str,
    plaintext: bytes,
    entropy: Entropy,
    *,
    salt: bytes = b"",
    context: bytes = b"",
) -> bytes:
    """Seal `plaintext` under the subkey of `key` for `label` and `salt`."""
    nonce = entropy.random_bytes(_NONCE_SIZE)
    cipher = AESGCM(derive(key, label, salt))
    return _VERSION + nonce + cipher.encrypt(nonce, plaintext, _VERSION + context)


def unwrap(
    key: bytes, label: str, sealed: bytes, *, salt: bytes = b"", context: bytes = b""
) -> bytes:
    """Return what `wrap` sealed with the same key, label, salt and context.

    Raises:
        WrongKey: one of them is another, or the bytes were changed.
    """
    cipher = AESGCM(derive(key, label, salt))
    nonce, ciphertext = sealed[len(_VERSION) : _CIPHERTEXT_AT], sealed[_CIPHERTEXT_AT:]
    try:
        return cipher.decrypt(nonce, ciphertext, sealed[: len(_VERSION)] + context)
    except (InvalidTag, ValueError):  # a nonce cut short is a ValueError
        raise WrongKey("the key does not open this") from None
