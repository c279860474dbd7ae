"""The token store: what is kept of tokens, who descends from whom, and what expires when.

Owns the records of tokens. Must not know the API's paths, nor who may create what.

A token is kept under a keyed hash of itself. Each has an index entry by accessor, one below its
parent and, if it expires, one in an index ordered by time. A token opens nothing once any of its
ancestors is gone: that is looked up on each use. So revoking a token is one small write that takes
effect at once, and its descendants may be removed in slices. The children of a token that has
expired go when the sweep comes to their parent, as in Vault.

The index of times and the list of unfinished trees are in the clear, and hold hashes and times.
They are not sealed, and revoke nothing by themselves: what they lead to is sealed and decides.
"""

import hmac
from collections.abc import Mapping
from itertools import islice
from typing import Final

import msgspec

from core.barrier.barrier import Barrier
from core.barrier.record import RecordDamaged
from core.barrier.storage import Storage
from core.check import InvariantBroken, check
from core.engines.listing import names
from core.entropy import Entropy, base62
from core.moment import NANOSECONDS_PER_SECOND
from core.settings import RequestSettings
from core.store.keys import SCOPE_CLUSTER, clear, successor
from core.store.reader import Reader, Writer
from core.vault.areas import TOKENS, area_prefix
from core.vault.token_entry import SPENT, TokenEntry

TOKEN_LENGTH_MAX: Final = 255
"""Characters of a token; a longer text is none."""
RANDOM_LENGTH: Final = 24
"""Letters and digits of an accessor, and of a token behind its prefix."""
SERVICE_PREFIX: Final = "hvs."
GENERATIONS_MAX: Final = 64
"""How deep a tree of tokens may be; to find a token costs a look at each of its ancestors."""
CACHED_MAX: Final = 16_384
"""Tokens that are remembered. A full cache is emptied: to fill it again costs each token a few
microseconds once, and to keep an order would cost each request."""

_VERSION: Final = b"\x01"
_EXPIRES: Final = clear(SCOPE_CLUSTER, b"expire")
_UNFINISHED: Final = clear(SCOPE_CLUSTER, b"revoked")
_TIME_SIZE: Final = 8

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(TokenEntry).decode


class Tokens:
    """The token store of an unsealed node; it holds nothing but caches.

    A cached entry is used as long as the stored record is the same bytes, so no cache is ever out
    of date. One transaction removes at most `sweep_max` tokens.
    """

    __slots__ = ("_barrier", "_cache", "_entropy", "_names", "_prefix", "_removed_max")

    def __init__(self, barrier: Barrier, entropy: Entropy, settings: RequestSettings) -> None:
        self._barrier = barrier
        self._entropy = entropy
        self._removed_max = settings.sweep_max
        self._prefix = area_prefix(barrier, TOKENS)
        self._names: dict[str, str] = {}
        self._cache: dict[str, tuple[bytes, bytes, TokenEntry]] = {}

    # -- looking up -------------------------------------------------------------------------

    def find(self, reader: Reader, token: str) -> TokenEntry | None:
        """Return the entry of a token that exists and whose ancestors all exist."""
        name = self._names.get(token)
        if name is not None:
            return self.find_named(reader, name)
        if not 0 < len(token) <= TOKEN_LENGTH_MAX:
            return None
        name = self._hash(token)
        entry = self.find_named(reader, name)
        if entry is not None:
            # What is no token leaves no trace here, or anybody could empty this cache.
            if len(self._names) >= CACHED_MAX:
                self._names.clear()
            self._names[token] = name
        return entry

    def find_named(self, reader: Reader, name: str) -> TokenEntry | None:
        """Return the entry with this name, unless an ancestor is gone.

        Each request comes by here, so what is cached is compared on the spot.
        """
        cache = self._cache
        found = None
        for _ in range(GENERATIONS_MAX):
            cached = cache.get(name)
            if cached is not None and cached[1] == reader.get(cached[0]):
                entry = cached[2]
            else:
                loaded = self._load(reader, name)
                if loaded is None:
                    return None
                entry = loaded
            if found is None:
                found = entry
            name = entry.parent
            if not name:
                return found
        raise InvariantBroken(f"a token has {GENERATIONS_MAX} ancestors or more")

    def find_accessor(self, reader: Writer, accessor: str) -> TokenEntry | None:
        """Return the entry with this accessor, unless an ancestor is gone."""
        if len(accessor) != RANDOM_LENGTH or not (accessor.isascii() and accessor.isalnum()):
            return None
        name = self._storage(reader).get(f"accessor/{accessor}")
        return None if name is None else self.find_named(reader, name.hex())

    def accessors(self, reader: Writer, parameters: Mapping[str, str]) -> list[str]:
        """Return the accessors of all tokens, or a page of them; see `core.engines.listing`."""
        return names(self._storage(reader), "accessor/", parameters)

    def exists(self, reader: Reader, token: str) -> bool:
        """Tell whether a token of this id is stored, or what descends from a former one.

        These would be its children again.
        """
        name = self._hash(token)
        return any(reader.get(key) is not None for key in (self._key(name), self._family(name)))

    def is_live(self, entry: TokenEntry, wall_ns: int) -> bool:
        """Tell whether an entry that was found may still be used at this time."""
        return entry.uses_left != SPENT and (not entry.expires_ns or wall_ns < entry.expires_ns)

    def generations(self, reader: Reader, entry: TokenEntry) -> int:
        """Return how many ancestors a token has, at most `GENERATIONS_MAX`."""
        for count in range(GENERATIONS_MAX):
            ancestor = self._load(reader, entry.parent) if entry.parent else None
            if ancestor is None:
                return count
            entry = ancestor
        return GENERATIONS_MAX

    def _load(self, reader: Reader, name: str) -> TokenEntry | None:
        key = self._key(name)
        sealed = reader.get(key)
        if sealed is None:
            return None
        entry = self._open(key, sealed)
        if len(self._cache) >= CACHED_MAX:
            self._cache.clear()
        self._cache[name] = (key, sealed, entry)
        return entry

    def _read(self, reader: Reader, name: str) -> TokenEntry | None:
        """Return an entry that is about to go, and so is not worth a place in the cache."""
        key = self._key(name)
        sealed = reader.get(key)
        return None if sealed is None else self._open(key, sealed)

    def _open(self, key: bytes, sealed: bytes) -> TokenEntry:
        opened = self._barrier.open(key, sealed)
        if not opened.startswith(_VERSION):
            raise RecordDamaged("a token has a version that is not known here")
        try:
            return _decode(opened[len(_VERSION) :])
        except msgspec.MsgspecError as error:
            raise RecordDamaged(f"a token cannot be read: {error}") from None

    def _hash(self, token: str) -> str:
        text = token.encode(errors="surrogatepass")
        return hmac.digest(self._barrier.token_key, text, "sha256").hex()

    def _key(self, name: str) -> bytes:
        return self._barrier.names.path(self._prefix, f"id/{name}")

    def _family(self, name: str) -> bytes:
        """Return the key of the record that says that a token has children."""
        return self._barrier.names.path(self._prefix, f"child/{name}")

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
        self._save(transaction, entry)
        self._index_expiry(transaction, entry)
        storage = self._storage(transaction)
        storage.put(f"accessor/{entry.accessor}", bytes.fromhex(entry.name))
        if entry.parent:
            storage.put(f"child/{entry.parent}/{entry.name}", b"")
            # Most tokens have no children. This says so by a single look, where to iterate over
            # none would have the memtable sorted.
            if transaction.get(self._family(entry.parent)) is None:
                storage.put(f"child/{entry.parent}", b"")
        return token, entry

    def use(self, transaction: Writer, entry: TokenEntry) -> TokenEntry:
        """Take one use of a use-limited token; the last one removes it and all below it.

        The entry that is returned serves the request under way.
        """
        check(entry.uses_left > 0, "only a use-limited token with uses left is used up")
        if entry.uses_left == 1:
            self.revoke(transaction, entry)
            return msgspec.structs.replace(entry, uses_left=SPENT)
        used = msgspec.structs.replace(entry, uses_left=entry.uses_left - 1)
        self._save(transaction, used)
        return used

    def extend(
        self, transaction: Writer, entry: TokenEntry, ttl_s: int, wall_ns: int
    ) -> TokenEntry:
        """Let a token that is stored and expires do so `ttl_s` seconds from now."""
        check(entry.expires_ns and entry.uses_left != SPENT, "there is something to extend")
        renewed = msgspec.structs.replace(
            entry, renewed_ns=wall_ns, expires_ns=wall_ns + ttl_s * NANOSECONDS_PER_SECOND
        )
        transaction.delete(_expiry_key(entry))
        self._save(transaction, renewed)
        self._index_expiry(transaction, renewed)
        return renewed

    def _save(self, transaction: Writer, entry: TokenEntry) -> None:
        key = self._key(entry.name)
        transaction.put(key, self._barrier.seal(key, _VERSION + _encode(entry)))

    def _index_expiry(self, transaction: Writer, entry: TokenEntry) -> None:
        if entry.expires_ns:
            transaction.put(_expiry_key(entry), b"")

    # -- revoking ---------------------------------------------------------------------------

    def revoke(self, transaction: Writer, entry: TokenEntry) -> None:
        """Remove a token and what descends from it; what is left of a large tree opens nothing."""
        self._remove_tree(transaction, entry.name, self._removed_max)

    def orphan_children(self, transaction: Writer, entry: TokenEntry, limit: int) -> bool:
        """Make the children of a token orphans; False if there are more than `limit`."""
        if transaction.get(self._family(entry.name)) is None:
            return True
        children = self._children(transaction, entry.name, limit + 1)
        if len(children) > limit:
            return False
        storage = self._storage(transaction)
        for name in children:
            child = self._read(transaction, name)
            check(child is not None, "a token that has a parent is stored")
            assert child is not None
            self._save(transaction, msgspec.structs.replace(child, parent=""))
            storage.delete(f"child/{entry.name}/{name}")
        return True

    def sweep(self, transaction: Writer, wall_ns: int, limit: int) -> int:
        """Remove at most `limit` tokens: of unfinished trees, and expired ones with what is below.

        Returns how many were removed.
        """
        removed = 0
        for key in _keys(transaction, _UNFINISHED, successor(_UNFINISHED), limit):
            if removed < limit:
                transaction.delete(key)
                name = key[len(_UNFINISHED) :].hex()
                removed += self._remove_tree(transaction, name, limit - removed)
        due = _EXPIRES + (wall_ns + 1).to_bytes(_TIME_SIZE, "big")
        for key in _keys(transaction, _EXPIRES, due, limit - removed):
            if removed < limit:
                transaction.delete(key)
                entry = self._read(transaction, key[len(_EXPIRES) + _TIME_SIZE :].hex())
                # It may be gone by now, together with an ancestor.
                if entry is not None and 0 < entry.expires_ns <= wall_ns:
                    removed += self._remove_tree(transaction, entry.name, limit - removed)
        return removed

    def _remove_tree(self, transaction: Writer, root: str, limit: int) -> int:
        """Remove a token, if it is still there, and what is below it; `limit` is one at least.

        A token whose children are not all removed is noted for the sweep. Returns how many tokens
        were removed. As a transaction takes effect as a whole, their order does not matter.
        """
        pending = [root]
        removed = 0
        while pending:
            name = pending.pop()
            entry = self._read(transaction, name)
            if entry is not None:
                self._remove(transaction, entry)
                removed += 1
            family = self._family(name)
            if transaction.get(family) is None:
                continue
            room = limit - removed - len(pending)
            children = self._children(transaction, name, room + 1)
            if len(children) > room:
                children.pop()
                transaction.put(_UNFINISHED + bytes.fromhex(name), b"")
            else:
                transaction.delete(family)
            pending += children
        return removed

    def _remove(self, transaction: Writer, entry: TokenEntry) -> None:
        storage = self._storage(transaction)
        storage.delete(f"id/{entry.name}")
        storage.delete(f"accessor/{entry.accessor}")
        if entry.parent:
            storage.delete(f"child/{entry.parent}/{entry.name}")
        if entry.expires_ns:
            transaction.delete(_expiry_key(entry))

    def _children(self, transaction: Writer, name: str, limit: int) -> list[str]:
        return self._storage(transaction).list_page(f"child/{name}/", None, limit)


def _expiry_key(entry: TokenEntry) -> bytes:
    """Return the entry of the index by time: ordered by it, and with nothing readable in it."""
    time = entry.expires_ns.to_bytes(_TIME_SIZE, "big")
    return _EXPIRES + time + bytes.fromhex(entry.name)


def _keys(reader: Reader, start: bytes, stop: bytes, limit: int) -> list[bytes]:
    return [key for key, _ in islice(reader.iterate(start, stop), limit)]
