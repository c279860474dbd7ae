"""The policies that are stored, and what they grant together.

Owns one record for each policy and a cache of compiled policies. Must not know the grammar of a
policy (`core.vault.policy`), nor how a rule is chosen (`core.vault.acl`).
"""

from typing import Final

import msgspec

from core.barrier.barrier import Barrier
from core.barrier.names import PathTooLong
from core.engines.call import RequestError
from core.store.reader import Reader, Writer
from core.store.store import Store
from core.vault.acl import Acl
from core.vault.areas import POLICIES, area_prefix
from core.vault.catalog import Catalog
from core.vault.policy import ROOT, Policy, PolicyError, parse_policy

TEXT_BYTES_MAX: Final = 128 << 10
"""Bytes in a policy: what is longer would stop the node for too long while it is compiled."""

COMPILED_MAX: Final = 4_096
"""Combinations of policies that are kept compiled; the one kept longest goes first."""

COMPILED_BYTES_MAX: Final = 32 << 20
"""Bytes of policies in all these combinations; compiled they take about ten times as much. Whoever
may create tokens could otherwise fill the memory with subsets of a few long policies."""


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    name: str
    text: str


class _Compiled(msgspec.Struct):
    """A combination of policies.

    Attributes:
        version: of the watch, when this was last known to be right.
        keys: where its policies are stored.
        sealed: what was stored there.
        acl: what they grant.
        size: bytes of what was stored.
    """

    version: int
    keys: tuple[bytes, ...]
    sealed: tuple[bytes | None, ...]
    acl: Acl
    size: int


class Policies:
    """The policy store; names are in lower case."""

    __slots__ = ("_catalog", "_compiled", "_compiled_bytes", "_store", "_watch")

    def __init__(self, barrier: Barrier, store: Store) -> None:
        self._catalog = Catalog(barrier, area_prefix(barrier, POLICIES), _Stored)
        self._compiled: dict[tuple[str, ...], _Compiled] = {}
        self._compiled_bytes = 0
        self._store = store
        self._watch = store.watch(self._catalog.prefix)

    # -- texts ------------------------------------------------------------------------------

    def get_text(self, reader: Reader, name: str) -> str | None:
        """Return the text of a policy, or None if there is none; that of `root` is empty."""
        if name == ROOT.name:
            return ""
        stored = self._catalog.get(reader, name)
        return None if stored is None else stored.text

    def exists(self, reader: Reader, name: str) -> bool:
        """Tell whether there is such a policy; there always is a `root`."""
        return self.get_text(reader, name) is not None

    def names(self, reader: Reader) -> list[str]:
        """Return the names of all policies that are stored, sorted."""
        return sorted(stored.name for stored in self._catalog.records(reader))

    def put(self, transaction: Writer, name: str, text: str) -> None:
        """Store a policy.

        Raises:
            PolicyError: the text is no policy, or is longer than `TEXT_BYTES_MAX`.
            PathTooLong: the name is too long.
        """
        if len(text.encode()) > TEXT_BYTES_MAX:
            raise PolicyError(f"the policy is longer than {TEXT_BYTES_MAX} bytes")
        parse_policy(name, text)
        self._catalog.put(transaction, name, _Stored(name, text))

    def delete(self, transaction: Writer, name: str) -> None:
        """Remove a policy, if it is there."""
        if self._catalog.get(transaction, name) is not None:
            self._catalog.delete(transaction, name)

    # -- grants -----------------------------------------------------------------------------

    def acl(self, _transaction: Reader, names: tuple[str, ...]) -> Acl:
        """Return what the policies `names` grant together; one that is missing grants nothing.

        This goes by what is applied and not by what the transaction sees: a policy that is still
        pending has not been acknowledged, so either order is right.

        Raises:
            RequestError: 500, one of them cannot be read any more.
        """
        compiled = self._compiled.get(names)
        if compiled is not None and compiled.version == self._watch.version:
            return compiled.acl
        return self._refresh(names, compiled)

    def _refresh(self, names: tuple[str, ...], known: _Compiled | None) -> Acl:
        """Compile policies, unless they are still what was compiled before.

        Some policy has changed, mostly one of others. To compile everybody's anew for that would
        cost a second of everybody's time where there are thousands.
        """
        version = self._watch.version
        keys = known.keys if known is not None else self._keys(names)
        sealed = tuple(map(self._store.get, keys))
        if known is not None and known.sealed == sealed:
            known.version = version
            return known.acl
        acl = Acl([self._open(*place) for place in zip(names, keys, sealed, strict=True)])
        size = sum(len(stored) for stored in sealed if stored is not None)
        self._keep(names, _Compiled(version, keys, sealed, acl, size))
        return acl

    def _keep(self, names: tuple[str, ...], compiled: _Compiled) -> None:
        """Remember a combination; what was kept longest makes room for it."""
        self._forget(names)
        while self._compiled and (
            len(self._compiled) >= COMPILED_MAX
            or self._compiled_bytes + compiled.size > COMPILED_BYTES_MAX
        ):
            self._forget(next(iter(self._compiled)))
        self._compiled[names] = compiled
        self._compiled_bytes += compiled.size

    def _forget(self, names: tuple[str, ...]) -> None:
        forgotten = self._compiled.pop(names, None)
        if forgotten is not None:
            self._compiled_bytes -= forgotten.size

    def _keys(self, names: tuple[str, ...]) -> tuple[bytes, ...]:
        keys: list[bytes] = []
        for name in names:
            try:
                keys.append(self._catalog.key(name))
            except PathTooLong:
                keys.append(self._catalog.prefix)  # where nothing is ever stored
        return tuple(keys)

    def _open(self, name: str, key: bytes, sealed: bytes | None) -> Policy:
        if name == ROOT.name:
            return ROOT
        if sealed is None:
            return Policy(name)
        try:
            return parse_policy(name, self._catalog.open(key, sealed).text)
        except PolicyError as error:
            # It was one when it was stored; to leave it out could lift what it denies.
            raise RequestError(500, f'policy "{name}": {error}') from None
