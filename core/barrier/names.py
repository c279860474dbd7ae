"""Sealed names: paths as keys of the store that nobody reads without the keyring.

Owns the form of a sealed segment and a cache of paths. Must not know what a path stands for.

Each segment of a path is sealed by AES-SIV (RFC 5297) with the whole key of its parent as
associated data: the same name below the same parent always has the same key, and names below
different parents have nothing in common. A sealed segment is one byte of length and that many
of synthetic IV and ciphertext. As names are deterministic, the cache is never out of date.
"""

from itertools import accumulate
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from core.barrier.keyring import Keyrings
from core.barrier.record import RecordDamaged
from core.check import InvariantBroken
from core.store.keys import KEY_MAX, SEALED_MIN, numbered

PATH_KEY_MAX: Final = KEY_MAX - len(numbered(b"", 0))
"""Bytes in the key of a path, so that there is room for a number behind it."""

SEGMENT_MAX: Final = 255 - SEALED_MIN
"""Bytes in a segment, as its sealed length has one byte."""

CACHE_ENTRIES_MAX: Final = 65_536
"""Paths whose keys are remembered, some 25 MB in all."""

_GENERATION_MAX: Final = CACHE_ENTRIES_MAX // 2

_EMPTY_SEGMENT: Final = b"\xff"
"""Stands for "", which not every release of AES-SIV takes; it is no UTF-8, so no other name is
sealed alike."""


class PathTooLong(ValueError):
    """The key of this path would not fit into the store, or a segment not into its length."""


class Names:
    """Turns paths into keys, and keys back into names.

    The cache has two generations. What is asked for goes to the newer one; when that is full it
    becomes the older one, and what nobody has asked for meanwhile is gone. A hit in the newer
    one, the usual case, thus costs one look and changes nothing.
    """

    __slots__ = ("_ciphers", "_newer", "_older")

    def __init__(self, keyrings: Keyrings) -> None:
        self._ciphers = {
            scope[0]: AESSIV(keyring.name_key) for scope, keyring in keyrings.by_scope().items()
        }
        self._newer: dict[tuple[bytes, str], bytes] = {}
        self._older: dict[tuple[bytes, str], bytes] = {}

    def path(self, prefix: bytes, path: str) -> bytes:
        """Return the key of `path` below the key `prefix`.

        The path is split at each "/" and nowhere else: "a//b" has an empty segment between, and
        "a/" an empty one at its end. Going down by two calls gives the same key as by one.

        Raises:
            PathTooLong: the key would exceed `PATH_KEY_MAX`, or a segment `SEGMENT_MAX`.
            UnicodeEncodeError: the path holds a lone surrogate.
        """
        key = self._newer.get((prefix, path))
        return self._seal_path(prefix, path) if key is None else key

    def seal_segment(self, parent: bytes, segment: str) -> bytes:
        """Return the sealed form of one `segment` below the key `parent`.

        Raises:
            PathTooLong: the segment exceeds `SEGMENT_MAX`.
            UnicodeEncodeError: the segment holds a lone surrogate.
        """
        plaintext = segment.encode() or _EMPTY_SEGMENT
        if len(plaintext) > SEGMENT_MAX:
            raise PathTooLong(f"a path segment is longer than {SEGMENT_MAX} bytes")
        sealed = self._cipher(parent).encrypt(plaintext, [parent])
        return bytes((len(sealed),)) + sealed

    def open_segment(self, parent: bytes, sealed: bytes) -> str:
        """Return the name of the `sealed` segment, length byte included, below `parent`.

        Raises:
            RecordDamaged: it was not sealed there.
        """
        try:
            plaintext = self._cipher(parent).decrypt(sealed[1:], [parent])
            return "" if plaintext == _EMPTY_SEGMENT else plaintext.decode()
        except (InvalidTag, ValueError):
            raise RecordDamaged("a name does not open") from None

    def _seal_path(self, prefix: bytes, path: str) -> bytes:
        """Seal what is not remembered of `path`, from the top, and remember each step."""
        # A key is longer than its path, so this also bounds the work below.
        if len(path) > PATH_KEY_MAX:
            raise PathTooLong(f"the path is longer than {PATH_KEY_MAX} bytes")
        key = prefix
        segments = path.split("/")
        for segment, name in zip(segments, accumulate(segments, "{}/{}".format), strict=True):
            known = self._recall((prefix, name))
            if known is None:
                known = key + self.seal_segment(key, segment)
                if len(known) > PATH_KEY_MAX:
                    raise PathTooLong(f"the key of the path is longer than {PATH_KEY_MAX} bytes")
                self._remember((prefix, name), known)
            key = known
        return key

    def _recall(self, entry: tuple[bytes, str]) -> bytes | None:
        key = self._newer.get(entry)
        if key is None:
            key = self._older.get(entry)
            if key is not None:
                self._remember(entry, key)
        return key

    def _remember(self, entry: tuple[bytes, str], key: bytes) -> None:
        if len(self._newer) >= _GENERATION_MAX:
            self._older = self._newer
            self._newer = {}
        self._newer[entry] = key

    def _cipher(self, parent: bytes) -> AESSIV:
        cipher = self._ciphers.get(parent[0])
        if cipher is None:
            raise InvariantBroken(f"no names are sealed in scope {parent[0]}")
        return cipher
