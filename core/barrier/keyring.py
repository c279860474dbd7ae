"""The keys of the barrier: one keyring for each scope that is sealed.

Owns which keys there are, how they rotate and their encoding. Must not know how they are sealed
themselves (`core.barrier.seal`), nor how often they were used.

A keyring has three kinds of keys. One for names and one to derive subkeys from never change, as
stored keys and hashed tokens depend on them. Keys for values come in terms: the last term seals,
all of them open.
"""

from itertools import pairwise
from typing import Annotated, Final

import msgspec

from core.barrier.envelope import KEY_SIZE, derive
from core.barrier.record import RecordDamaged
from core.entropy import Entropy
from core.store.keys import SCOPE_CLUSTER, SCOPE_SHARED

ROTATE_AFTER_ENCRYPTIONS_MAX: Final = 3_865_470_566
"""Encryptions under one term before it must rotate: 90% of 2**32, the bound for random nonces
(NIST SP 800-38D, section 8.3)."""

TERMS_MAX: Final = 4_096
"""Terms in a keyring; its encoding then still fits well into one stored value."""

NAME_KEY_SIZE: Final = 64
"""AES-SIV takes two 256-bit keys in one."""

_VERSION: Final = b"\x01"
_INT64_MAX: Final = 2**63 - 1


class TermsExhausted(ValueError):
    """The keyring has rotated `TERMS_MAX` times."""


class Term(msgspec.Struct, frozen=True, array_like=True):
    """A key for values.

    Attributes:
        number: counted from 1.
        key: its 32 bytes.
        installed_ns: the cluster's wall clock when it became active.
    """

    number: Annotated[int, msgspec.Meta(ge=1, lt=2**32)]
    key: Annotated[bytes, msgspec.Meta(min_length=KEY_SIZE, max_length=KEY_SIZE)]
    installed_ns: Annotated[int, msgspec.Meta(ge=0, le=_INT64_MAX)]

    def __repr__(self) -> str:
        """Name the term and leave out its key, which must reach no log."""
        return f"Term(number={self.number}, installed_ns={self.installed_ns})"


class Keyring(msgspec.Struct, frozen=True, array_like=True):
    """The keys of one scope.

    Attributes:
        name_key: 64 bytes for names; never rotates.
        derivation_key: 32 bytes that subkeys are derived from; never rotates.
        terms: keys for values in the order of their numbers; the last one is active.
    """

    name_key: Annotated[bytes, msgspec.Meta(min_length=NAME_KEY_SIZE, max_length=NAME_KEY_SIZE)]
    derivation_key: Annotated[bytes, msgspec.Meta(min_length=KEY_SIZE, max_length=KEY_SIZE)]
    terms: Annotated[tuple[Term, ...], msgspec.Meta(min_length=1, max_length=TERMS_MAX)]

    @classmethod
    def create(cls, entropy: Entropy, wall_ns: int) -> "Keyring":
        """Return fresh keys with a first term, installed at `wall_ns`."""
        return cls(
            name_key=entropy.random_bytes(NAME_KEY_SIZE),
            derivation_key=entropy.random_bytes(KEY_SIZE),
            terms=(Term(1, entropy.random_bytes(KEY_SIZE), wall_ns),),
        )

    @property
    def active(self) -> Term:
        """The term that seals."""
        return self.terms[-1]

    def rotated(self, entropy: Entropy, wall_ns: int) -> "Keyring":
        """Return the same keys and one more term, which seals from now on.

        Raises:
            TermsExhausted: there are `TERMS_MAX` terms.
        """
        if len(self.terms) >= TERMS_MAX:
            raise TermsExhausted(f"the keyring has {TERMS_MAX} terms and can take no more")
        term = Term(self.active.number + 1, entropy.random_bytes(KEY_SIZE), wall_ns)
        return Keyring(self.name_key, self.derivation_key, (*self.terms, term))

    def __repr__(self) -> str:
        """Name the active term and leave out all keys, which must reach no log."""
        return f"Keyring(active={self.active!r})"


class Keyrings(msgspec.Struct, frozen=True, array_like=True):
    """The keyrings of a node: a secondary for performance gets the shared one alone."""

    cluster: Keyring
    shared: Keyring

    @classmethod
    def create(cls, entropy: Entropy, wall_ns: int) -> "Keyrings":
        """Return two fresh keyrings, installed at `wall_ns`."""
        return cls(Keyring.create(entropy, wall_ns), Keyring.create(entropy, wall_ns))

    def rotated(self, entropy: Entropy, wall_ns: int) -> "Keyrings":
        """Return both keyrings with one more term.

        Raises:
            TermsExhausted: one of them can take no more.
        """
        return Keyrings(
            self.cluster.rotated(entropy, wall_ns), self.shared.rotated(entropy, wall_ns)
        )

    def by_scope(self) -> dict[bytes, Keyring]:
        """Return each keyring under its scope, as keys begin with it."""
        return {SCOPE_CLUSTER: self.cluster, SCOPE_SHARED: self.shared}

    def subkey(self, scope: bytes, label: str) -> bytes:
        """Derive the 32-byte key of `scope` for `label`: the same on each node, and for ever.

        It takes about 10 us; a caller keeps it.

        Raises:
            KeyError: nothing is sealed in that scope.
        """
        return derive(self.by_scope()[scope].derivation_key, "subkey/" + label)

    @property
    def token_key(self) -> bytes:
        """The 32-byte key that tokens are hashed with; derived anew at each access."""
        return self.subkey(SCOPE_CLUSTER, "tokens")

    def encode(self) -> bytes:
        """Return the one encoding: a version byte and MessagePack."""
        return _VERSION + msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, encoded: bytes) -> "Keyrings":
        """Return what was encoded.

        Raises:
            RecordDamaged: this is no keyring, or one of a later version of Holdfast.
        """
        if not encoded.startswith(_VERSION):
            raise RecordDamaged("the keyring has a version that this node does not know")
        try:
            keyrings = msgspec.msgpack.decode(encoded[len(_VERSION) :], type=cls)
        except msgspec.MsgspecError as error:
            raise RecordDamaged(f"the keyring cannot be read: {error}") from None
        # Only the canonical form passes, so no field can hide behind those that are known.
        if keyrings.encode() != encoded:
            raise RecordDamaged("the keyring is not in its canonical form")
        for keyring in (keyrings.cluster, keyrings.shared):
            numbers = [term.number for term in keyring.terms]
            if any(later <= earlier for earlier, later in pairwise(numbers)):
                raise RecordDamaged("the terms of the keyring are out of order")
        return keyrings
