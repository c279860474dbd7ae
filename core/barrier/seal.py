"""The seal: how operators open a node, and how a joining node proves that it was opened.

Owns the chain unseal key -> root key -> keyrings, the progress of an unseal, and the proof of a
joiner. Must not know where the sealed keys are stored, nor how shares and proofs arrive.
"""

from hmac import compare_digest
from typing import Final

import msgspec

from core.barrier.envelope import KEY_SIZE, WrongKey, unwrap, wrap
from core.barrier.keyring import Keyrings
from core.barrier.record import RecordDamaged
from core.barrier.shamir import SHARE_OVERHEAD, SHARES_MAX, combine, split
from core.entropy import Entropy, uuid

_CHALLENGE_SIZE: Final = 32
_VERSION: Final = b"\x01"
_ROOT_KEY: Final = "root key"
_KEYRINGS: Final = "keyrings"
_CHALLENGE: Final = "join challenge"
_ANSWER: Final = "join answer"


class InvalidSealConfig(ValueError):
    """The numbers of shares do not fit together; the text is Vault's."""


class InvalidShare(ValueError):
    """This cannot be a share of the unseal key; the text is Vault's."""


class SealConfig(msgspec.Struct, frozen=True, array_like=True):
    """How the unseal key is shared; not secret.

    Attributes:
        shares: how many shares there are, 1 to 255.
        threshold: how many are needed; one only if there is one share.

    Raises:
        InvalidSealConfig: the numbers do not fit together.
    """

    shares: int
    threshold: int

    def __post_init__(self) -> None:
        """Refuse numbers that do not fit together, so that each config is a usable one."""
        refusals = (
            (self.shares < 1, "shares must be at least one"),
            (self.threshold < 1, "threshold must be at least one"),
            (
                self.shares > 1 and self.threshold == 1,
                "threshold must be greater than one for multiple shares",
            ),
            (self.shares > SHARES_MAX, f"shares must be less than {SHARES_MAX + 1}"),
            (self.threshold > SHARES_MAX, f"threshold must be less than {SHARES_MAX + 1}"),
            (self.threshold > self.shares, "threshold cannot be larger than shares"),
        )
        for refused, text in refusals:
            if refused:
                raise InvalidSealConfig(text)

    @property
    def share_size(self) -> int:
        """Bytes in a share; a single one is the unseal key itself."""
        return KEY_SIZE if self.shares == 1 else KEY_SIZE + SHARE_OVERHEAD

    def encode(self) -> bytes:
        """Return the stored form: a version byte and MessagePack."""
        return _VERSION + msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, encoded: bytes) -> "SealConfig":
        """Return what was encoded.

        Raises:
            RecordDamaged: this is no configuration of a seal, or one of a later version.
        """
        if not encoded.startswith(_VERSION):
            raise RecordDamaged("the seal has a version that this node does not know")
        try:
            return msgspec.msgpack.decode(encoded[len(_VERSION) :], type=cls)
        except msgspec.MsgspecError as error:
            raise RecordDamaged(f"the seal cannot be read: {error}") from None


def create_seal(config: SealConfig, entropy: Entropy) -> tuple[bytes, list[bytes]]:
    """Return a fresh unseal key of 32 bytes and its shares."""
    unseal_key = entropy.random_bytes(KEY_SIZE)
    if config.shares == 1:
        return unseal_key, [unseal_key]
    return unseal_key, split(unseal_key, config.shares, config.threshold, entropy)


def create_root_key(entropy: Entropy) -> bytes:
    """Return a fresh root key of 32 bytes; it stays when the unseal key is replaced."""
    return entropy.random_bytes(KEY_SIZE)


def seal_root_key(unseal_key: bytes, root_key: bytes, entropy: Entropy) -> bytes:
    """Return `root_key` as it is stored."""
    return wrap(unseal_key, _ROOT_KEY, root_key, entropy)


def open_root_key(unseal_key: bytes, sealed: bytes) -> bytes:
    """Return the root key.

    Raises:
        WrongKey: this is not the unseal key of this cluster.
    """
    return unwrap(unseal_key, _ROOT_KEY, sealed)


def seal_keyrings(root_key: bytes, keyrings: Keyrings, entropy: Entropy) -> bytes:
    """Return `keyrings` as they are stored."""
    return wrap(root_key, _KEYRINGS, keyrings.encode(), entropy)


def open_keyrings(root_key: bytes, sealed: bytes) -> Keyrings:
    """Return the keyrings.

    Raises:
        WrongKey: they were sealed under another root key, or are damaged if it is the right one.
        RecordDamaged: they open and still cannot be read.
    """
    return Keyrings.decode(unwrap(root_key, _KEYRINGS, sealed))


class UnsealProgress:
    """The shares that one node has been given so far; never stored, lost at a restart.

    Attributes:
        config: how many shares it takes.
        nonce: the id of this attempt, or empty before its first share.
    """

    __slots__ = ("_entropy", "_shares", "config", "nonce")

    def __init__(self, config: SealConfig, entropy: Entropy) -> None:
        self._entropy = entropy
        self._shares: list[bytes] = []
        self.config = config
        self.nonce = ""

    @property
    def progress(self) -> int:
        """How many distinct shares there are."""
        return len(self._shares)

    def submit(self, share: bytes) -> bytes | None:
        """Take one share; with the last one needed, return the unseal key and start anew.

        Nobody can tell yet whether it is the right key: `open_root_key` does. A share that was
        given before changes nothing.

        Raises:
            InvalidShare: it has the wrong length.
            WrongKey: the shares do not belong together; progress starts anew.
        """
        size = self.config.share_size
        if len(share) < size:
            raise InvalidShare(f"key is shorter than minimum {size} bytes")
        if len(share) > size:
            raise InvalidShare(f"key is longer than maximum {size} bytes")
        if any(compare_digest(share, known) for known in self._shares):
            return None
        if not self._shares:
            self.nonce = uuid(self._entropy)
        self._shares.append(share)
        if len(self._shares) < self.config.threshold:
            return None
        shares = self._shares
        self.reset()
        return _combine(shares)

    def reset(self) -> None:
        """Forget all shares."""
        self._shares = []
        self.nonce = ""


def seal_challenge(unseal_key: bytes, context: bytes, entropy: Entropy) -> tuple[bytes, bytes]:
    """Return a fresh challenge, and how the leader sends it to a joiner.

    `context` is what the joiner has asked for, its public key above all. Only a joiner that
    asked for the same opens it; else one in the middle could hand the challenge of its own
    request to an honest joiner and return what that one answers.
    """
    challenge = entropy.random_bytes(_CHALLENGE_SIZE)
    return challenge, wrap(unseal_key, _CHALLENGE, challenge, entropy, context=context)


def open_challenge(unseal_key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return the challenge in the clear, as the joiner proves itself with it.

    Raises:
        WrongKey: the leader belongs to another seal, or answers another request.
    """
    return unwrap(unseal_key, _CHALLENGE, sealed, context=context)


def verify_proof(challenge: bytes, proof: bytes) -> None:
    """Accept `proof` if it is the challenge that was sent out sealed.

    Raises:
        WrongKey: it is not; the joiner does not hold the unseal key.
    """
    if not compare_digest(challenge, proof):
        raise WrongKey("the challenge was not opened")


def seal_answer(
    unseal_key: bytes, challenge: bytes, plaintext: bytes, context: bytes, entropy: Entropy
) -> bytes:
    """Return what a proven joiner receives, sealed to the unseal key and to its challenge."""
    return wrap(unseal_key, _ANSWER, plaintext, entropy, salt=challenge, context=context)


def open_answer(unseal_key: bytes, challenge: bytes, sealed: bytes, context: bytes) -> bytes:
    """Return what the leader sent to this joiner.

    Raises:
        WrongKey: it was sealed for another challenge, request or seal.
    """
    return unwrap(unseal_key, _ANSWER, sealed, salt=challenge, context=context)


def _combine(shares: list[bytes]) -> bytes:
    if len(shares) == 1:
        return shares[0]
    try:
        return combine(shares)
    except ValueError as error:
        raise WrongKey(str(error)) from None
