"""A token store over a real store, where each change is a transaction that is applied at once."""

from collections.abc import Callable
from typing import Any, TypeVar

from core.moment import NANOSECONDS_PER_SECOND
from core.settings import RequestSettings
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction
from core.vault.token_entry import TokenEntry
from core.vault.tokens import Tokens
from sim.base import MemoryBase
from tests.core.barrier.helpers import WALL_NS, SeededEntropy, make_barrier

_Result = TypeVar("_Result")


class TokenStore:
    """One node's tokens.

    Attributes:
        tokens: the store that is tested.
        store: what it writes to.
        wall_ns: the time.
    """

    def __init__(self, *, removed_max: int = 100) -> None:
        self.settings = RequestSettings(sweep_max=removed_max)
        self.tokens = Tokens(make_barrier(), SeededEntropy(1), self.settings)
        self.store = Store(MemoryBase())
        self.wall_ns = WALL_NS

    def apply(self, change: Callable[[Transaction], _Result]) -> _Result:
        """Apply what `change` writes."""
        transaction = Transaction(self.store)
        result = change(transaction)
        self.store.apply(self.store.applied_index + 1, list(transaction.writes.items()))
        return result

    def create(
        self,
        parent: TokenEntry | None = None,
        *,
        ttl_s: int = 0,
        num_uses: int = 0,
        token_id: str = "",
        **more: Any,  # noqa: ANN401 -- any field of a token
    ) -> tuple[str, TokenEntry]:
        """Create a token."""
        fields: dict[str, Any] = {
            "policies": ("default",),
            "path": "auth/token/create",
            "display_name": "token",
            "metadata": None,
            "explicit_max_ttl_s": 0,
            "period_s": 0,
            "renewable": True,
            **more,
        }
        return self.apply(
            lambda transaction: self.tokens.create(
                transaction,
                self.wall_ns,
                parent=parent,
                ttl_s=ttl_s,
                num_uses=num_uses,
                token_id=token_id,
                **fields,
            )
        )

    def line(self, length: int) -> list[tuple[str, TokenEntry]]:
        """Create a token, its child, its grandchild and so on."""
        made: list[tuple[str, TokenEntry]] = []
        for _ in range(length):
            made.append(self.create(made[-1][1] if made else None))
        return made

    def find(self, token: str) -> TokenEntry | None:
        """Find a token as a read does."""
        return self.tokens.find(Snapshot(self.store), token)

    def opens(self, token: str) -> bool:
        """Tell whether a request with this token would go on."""
        entry = self.find(token)
        return entry is not None and self.tokens.is_live(entry, self.wall_ns)

    def use(self, token: str) -> TokenEntry:
        """Use a token that opens."""

        def change(transaction: Transaction) -> TokenEntry:
            entry = self.tokens.find(transaction, token)
            assert entry is not None
            return self.tokens.use(transaction, entry)

        return self.apply(change)

    def revoke(self, entry: TokenEntry) -> None:
        """Revoke a token with what is below it."""
        self.apply(lambda transaction: self.tokens.revoke(transaction, entry))

    def extend(self, entry: TokenEntry, ttl_s: int) -> TokenEntry:
        """Let a token expire that much later."""
        return self.apply(
            lambda transaction: self.tokens.extend(transaction, entry, ttl_s, self.wall_ns)
        )

    def orphan_children(self, entry: TokenEntry, limit: int = 100) -> bool:
        """Make the children of a token orphans."""
        return self.apply(
            lambda transaction: self.tokens.orphan_children(transaction, entry, limit)
        )

    def sweep(self, limit: int = 100) -> int:
        """Sweep once."""
        return self.apply(lambda transaction: self.tokens.sweep(transaction, self.wall_ns, limit))

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.wall_ns += int(seconds * NANOSECONDS_PER_SECOND)

    def records(self) -> list[tuple[bytes, bytes]]:
        """Return all that is stored."""
        return list(self.store.iterate(b"", b"\xff"))
