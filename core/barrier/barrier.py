"""The barrier of an unsealed node: everything that seals and opens what is stored.

Owns the ciphers of the current keyrings and the count of encryptions. Must not know where keys
and values go, nor how the keyrings came to be open.
"""

from core.barrier.keyring import Keyrings
from core.barrier.names import Names
from core.barrier.record import HEADER_SIZE, NONCE_SIZE, RecordCipher, RecordDamaged
from core.check import InvariantBroken
from core.entropy import Entropy


class Barrier:
    """Seals values under their keys, and paths into keys.

    A value belongs to the scope that its key begins with. Opening looks its term up in the
    record, so it goes on across a rotation.

    Attributes:
        keyrings: the keys in use.
        names: paths as keys.
        token_key: the 32 bytes that tokens are hashed with.
    """

    __slots__ = (
        "_active",
        "_ciphers",
        "_encryptions",
        "_random_bytes",
        "keyrings",
        "names",
        "token_key",
    )

    def __init__(self, keyrings: Keyrings, entropy: Entropy) -> None:
        self._random_bytes = entropy.random_bytes
        self._encryptions = 0
        self.names = Names(keyrings)
        self._install(keyrings)

    def seal(self, key: bytes, plaintext: bytes) -> bytes:
        """Return the record of `plaintext` at `key`, under the active term of its scope.

        Raises:
            InvariantBroken: nothing is sealed in that scope.
        """
        cipher = self._active.get(key[0])
        if cipher is None:
            raise InvariantBroken(f"no values are sealed in scope {key[0]}")
        self._encryptions += 1
        return cipher.seal(key, plaintext, self._random_bytes(NONCE_SIZE))

    def open(self, key: bytes, sealed: bytes) -> bytes:
        """Return what was sealed at `key`.

        Raises:
            RecordDamaged: it was not sealed there, or its version or term is unknown here.
        """
        cipher = self._ciphers.get(key[:1] + sealed[:HEADER_SIZE])
        if cipher is None:
            raise RecordDamaged("a record has a version or term that this node does not know")
        return cipher.open(key, sealed)

    def take_encryptions(self) -> int:
        """Return how many values were sealed since this was last asked, in all scopes.

        The caller adds it to the count of the active term, which is kept in the log. The scopes
        rotate together, so one count over both errs on the safe side.
        """
        taken = self._encryptions
        self._encryptions = 0
        return taken

    def replace_keyrings(self, keyrings: Keyrings) -> None:
        """Use other keyrings from now on, as after a rotation.

        Cached names stay as long as the keys for names do.
        """
        names_stay = all(
            keyring.name_key == self.keyrings.by_scope()[scope].name_key
            for scope, keyring in keyrings.by_scope().items()
        )
        if not names_stay:
            self.names = Names(keyrings)
        self._install(keyrings)

    def _install(self, keyrings: Keyrings) -> None:
        self.keyrings = keyrings
        self.token_key = keyrings.token_key
        self._active: dict[int, RecordCipher] = {}
        self._ciphers: dict[bytes, RecordCipher] = {}
        for scope, keyring in keyrings.by_scope().items():
            for term in keyring.terms:
                cipher = RecordCipher(term.number, term.key)
                self._ciphers[scope + cipher.header] = cipher
                self._active[scope[0]] = cipher
