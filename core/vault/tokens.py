"""The token store: what is kept of tokens, who descends from whom, and what expires when.

Owns the records of tokens. Must not know the API's paths, nor who may create what.

A token is kept under a keyed hash of itself. Each has an index entry by accessor, one below its
parent and, if it expires, one in an index ordered by time. A token opens nothing once any of its
ancestors is gone: that is looked up on each use. So revoking a token is one small write that takes
effect at once, and its descendants may be removed in slices.
"""

import hmac
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from core.barrier.barrier import Barrier
from core.barrier.storage import Storage
from core.check import check
from core.entropy import Entropy, base62
from core.moment import NANOSECONDS_PER_SECOND
from core.settings import RequestSettings
from core.store.keys import SCOPE_CLUSTER, clear, successor
from core.store.reader import Reader, Writer
from core.vault.areas import TOKENS, area_prefix
from core.vault.token_entry import SPENT, TokenEntry

TOKEN_LENGTH_MAX: Final = 255
"""Characters of a token; a longer text is none."""
ACCESSOR_LENGTH_MAX: Final = 64
RANDOM_LENGTH: Final = 24
SERVICE_PREFIX: Final = "hvs."
GENERATIONS_MAX: Final = 64
"""How deep a tree of tokens may be."""
REVOKED_AT_ONCE_MAX: Final = 256
"""Tokens that one transaction removes; a larger tree is finished by sweeps."""
CACHED_MAX: Final = 16_384

_FORMAT: Final = b"\x01"
_EXPIRES: Final = clear(SCOPE_CLUSTER, b"expire")
_UNFINISHED: Final = clear(SCOPE_CLUSTER, b"revoked")
_TIME_SIZE: Final = 8

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(TokenEntry).decode


class Tokens:
    """The token store of an unsealed node; it holds nothing but caches.

    A cached entry is used as long as the stored record is the same bytes, so no cache is ever out
    of date.
    """

    __slots__ = ("_barrier", "_cache", "_entropy", "_names", "_prefix", "_settings")

    def __init__(self, barrier: Barrier, entropy: Entropy, settings: RequestSettings) -> None:
        self._barrier = barrier
        self._entropy = entropy
        self._settings = settings
        self._prefix = area_prefix(barrier, TOKENS)
        self._names: dict[str, str] = {}
        self._cache: dict[str, tuple[bytes, bytes, TokenEntry]] = {}

    # -- looking up -------------------------------------------------------------------------

    def find(self, reader: Reader, token: str) -> TokenEntry | None:
        """Return the entry of a token that exists and whose ancestors all exist."""
        name = self._names.get(token)
        if name is None:
            if not 0 < len(token) <= TOKEN_LENGTH_MAX:
                return None
            name = self._hash(token)
        entry = self.find_named(reader, name)
        if entry is not None and token not in self._names:
            if len(self._names) >= CACHED_MAX:
                self._names.clear()
            self._names[token] = name
        return entry

    def find_named(self, reader: Reader, name: str) -> TokenEntry | None:
        """Return the entry with this name, unless an ancestor is gone."""
        entry = self._load(reader, name)
        parent = entry.parent if entry is not None else ""
        for _ in range(GENERATIONS_MAX):
            if not parent:
                return entry
            ancestor = self._load(reader, parent)
            if ancestor is None:
                return None
            parent = ancestor.parent
        return None

    def find_accessor(self, reader: Writer, accessor: str) -> TokenEntry | None:
        """Return the entry with this accessor, unless an ancestor is gone."""
        if not 0 < len(accessor) <= ACCESSOR_LENGTH_MAX or "/" in accessor:
            return None
        name = self._storage(reader).get(f"accessor/{accessor}")
        return None if name is None else self.find_named(reader, name.decode())

    def accessors(self, reader: Writer) -> list[str]:
        """Return the accessors of all tokens, sorted."""
        return self._storage(reader).list("accessor/")

    def is_live(self, entry: TokenEntry, wall_ns: int) -> bool:
        """Tell whether an entry that was found may still be used at this time."""
        return entry.uses_left != SPENT and (not entry.expires_ns or wall_ns < entry.expires_ns)

    def generations(self, reader: Reader, entry: TokenEntry) -> int:
        """Return how many ancestors a token has."""
        count = 0
        parent = entry.parent
        while parent and count < GENERATIONS_MAX:
            ancestor = self._load(reader, parent)
            parent = ancestor.parent if ancestor is not None else ""
            count += 1
        return count

    def _load(self, reader: Reader, name: str) -> TokenEntry | None:
        cached = self._cache.get(name)
        key = cached[0] if cached is not None else self._key(name)
        sealed = reader.get(key)
        if sealed is None:
            return None
        if cached is not None and cached[1] == sealed:
            return cached[2]
        opened = self._barrier.open(key, sealed)
        check(opened[:1] == _FORMAT, "a token of an unknown format")
        entry = _decode(opened[1:])
        if len(self._cache) >= CACHED_MAX:
            self._cache.clear()
        self._cache[name] = (key, sealed, entry)
        return entry

    def _hash(self, token: str) -> str:
        text = token.encode(errors="surrogatepass")
        return hmac.digest(self._barrier.token_key, text, "sha256").hex()

    def _key(self, name: str) -> bytes:
        return self._barrier.names.path(self._prefix, f"id/{name}")

    def _storage(self, transaction: Writer) -> Storage:
        return Storage(transaction, self._barrier, self._prefix)

    # -- creating and changing --------------------------------------------------------------

    def create(
        self,
        transaction: Writer,
        wall_ns: int,
        *,
        policies: tuple[str, ...],
        parent: TokenEntry | None,
        path: str,
        display_name: str,
        metadata: dict[str, str] | None,
        ttl_s: int,
        explicit_max_ttl_s: int,
        period_s: int,
        num_uses: int,
        renewable: bool,
        token_id: str = "",
    ) -> tuple[str, TokenEntry]:
        """Store a new token, drawn unless `token_id` names it; return it and its entry.

        A `ttl_s` of 0 is for ever. Whether the caller may have such a token is not asked here.
        """
        token = token_id or SERVICE_PREFIX + base62(self._entropy, RANDOM_LENGTH)
        entry = TokenEntry(
            name=self._hash(token),
            accessor=base62(self._entropy, RANDOM_LENGTH),
            policies=policies,
            path=path,
            display_name=display_name,
            metadata=metadata,
            created_ns=wall_ns,
            renewed_ns=0,
            expires_ns=wall_ns + ttl_s * NANOSECONDS_PER_SECOND if ttl_s else 0,
            ttl_s=ttl_s,
            explicit_max_ttl_s=explicit_max_ttl_s,
            period_s=period_s,
            uses_left=num_uses,
            renewable=renewable,
            parent=parent.name if parent is not None else "",
        )
        storage = self._storage(transaction)
        self._save(transaction, entry)
        storage.put(f"accessor/{entry.accessor}", entry.name.encode())
        if entry.parent:
            storage.put(f"child/{entry.parent}/{entry.name}", b"")
        return token, entry

    def exists(self, reader: Reader, token: str) -> bool:
        """Tell whether a token of this id is stored, live or not."""
        return self._load(reader, self._hash(token)) is not None

    def use(self, transaction: Writer, entry: TokenEntry) -> TokenEntry:
        """Take one use of a use-limited token; the last one removes it and all below it.

        The entry that is returned serves the request under way.
        """
        if entry.uses_left == 1:
            self.revoke(transaction, entry)
            return msgspec.structs.replace(entry, uses_left=SPENT)
        used = msgspec.structs.replace(entry, uses_left=entry.uses_left - 1)
        self._save(transaction, used)
        return used

    def extend(
        self, transaction: Writer, entry: TokenEntry, ttl_s: int, wall_ns: int
    ) -> TokenEntry:
        """Let a token expire `ttl_s` seconds from now."""
        renewed = msgspec.structs.replace(
            entry,
            renewed_ns=wall_ns,
            expires_ns=wall_ns + ttl_s * NANOSECONDS_PER_SECOND,
            ttl_s=ttl_s,
        )
        if entry.expires_ns:
            transaction.delete(_expiry_key(entry))
        self._save(transaction, renewed)
        return renewed

    def _save(self, transaction: Writer, entry: TokenEntry) -> None:
        key = self._key(entry.name)
        transaction.put(key, self._barrier.seal(key, _FORMAT + _encode(entry)))
        if entry.expires_ns:
            transaction.put(_expiry_key(entry), b"")

    # -- revoking ---------------------------------------------------------------------------

    def revoke(self, transaction: Writer, entry: TokenEntry) -> None:
        """Remove a token and what descends from it; what is left of a large tree opens nothing."""
        storage = self._storage(transaction)
        if entry.parent:
            storage.delete(f"child/{entry.parent}/{entry.name}")
        self._remove(transaction, entry)
        self._remove_children(transaction, entry.name, REVOKED_AT_ONCE_MAX)

    def orphan_children(self, transaction: Writer, entry: TokenEntry, limit: int) -> bool:
        """Make the children of a token orphans; False if there are more than `limit`."""
        storage = self._storage(transaction)
        directory = f"child/{entry.name}/"
        names = storage.list_page(directory, None, limit + 1)
        if len(names) > limit:
            return False
        for name in names:
            child = self._load(transaction, name)
            if child is not None:
                self._save(transaction, msgspec.structs.replace(child, parent=""))
            storage.delete(directory + name)
        return True

    def _remove(self, transaction: Writer, entry: TokenEntry) -> None:
        transaction.delete(self._key(entry.name))
        self._storage(transaction).delete(f"accessor/{entry.accessor}")
        if entry.expires_ns:
            transaction.delete(_expiry_key(entry))

    def _remove_children(self, transaction: Writer, root: str, budget: int) -> int:
        """Remove descendants, at most `budget`; note what is unfinished. Return what is left."""
        storage = self._storage(transaction)
        unfinished = [root]
        while unfinished:
            parent = unfinished.pop()
            directory = f"child/{parent}/"
            names = storage.list_page(directory, None, budget + 1)
            for name in names[:budget]:
                child = self._load(transaction, name)
                if child is not None:
                    self._remove(transaction, child)
                    unfinished.append(name)
                storage.delete(directory + name)
            if len(names) > budget:
                unfinished.append(parent)
                for name in unfinished:
                    transaction.put(_UNFINISHED + bytes.fromhex(name), b"")
                return 0
            budget -= len(names)
            note = _UNFINISHED + bytes.fromhex(parent)
            if transaction.get(note) is not None:
                transaction.delete(note)
        return budget

    def sweep(self, transaction: Writer, wall_ns: int, limit: int) -> int:
        """Remove expired tokens and unfinished trees, at most `limit` of each; count them."""
        swept = 0
        for key in _keys(transaction, _UNFINISHED, successor(_UNFINISHED), limit):
            self._remove_children(transaction, key[len(_UNFINISHED) :].hex(), limit)
            swept += 1
        due = _EXPIRES + (wall_ns + 1).to_bytes(_TIME_SIZE, "big")
        for key in _keys(transaction, _EXPIRES, due, limit):
            entry = self._load(transaction, key[len(_EXPIRES) + _TIME_SIZE :].hex())
            if entry is None or _expiry_key(entry) != key:
                transaction.delete(key)
            else:
                self.revoke(transaction, entry)
            swept += 1
        return swept


def _expiry_key(entry: TokenEntry) -> bytes:
    """Return the entry of the index by time: ordered by it, and with nothing readable in it."""
    time = entry.expires_ns.to_bytes(_TIME_SIZE, "big")
    return _EXPIRES + time + bytes.fromhex(entry.name)


def _keys(reader: Reader, start: bytes, stop: bytes, limit: int) -> list[bytes]:
    found: Iterator[tuple[bytes, bytes]] = islice(reader.iterate(start, stop), limit)
    return [key for key, _ in found]
