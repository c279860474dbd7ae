"""An unsealed node without its cluster: a real store, real services, and the system's own paths."""

from typing import Any

import msgspec
import pytest

from core.barrier.barrier import Barrier
from core.barrier.keyring import Keyrings
from core.barrier.seal import create_root_key, open_keyrings, seal_keyrings
from core.engines.call import RequestError
from core.raft.configuration import Configuration, Member
from core.request import Operation, Request
from core.settings import RequestSettings
from core.store.store import Store
from core.store.transaction import Snapshot, Transaction
from core.vault.audit_devices import AuditDevices
from core.vault.context import Context
from core.vault.joining import KEYRING_KEY
from core.vault.mounts import Mounts
from core.vault.policies import Policies
from core.vault.reply import Reply
from core.vault.routes import Routes
from core.vault.services import Services
from core.vault.system import ROUTES
from core.vault.token_entry import TokenEntry
from core.vault.tokens import Tokens
from sim.base import MemoryBase
from tests.core.barrier.helpers import WALL_NS, SeededEntropy

MEMBERS = {
    "b2": Member("left", "10.0.0.2:8201", "https://10.0.0.2:8200"),
    "a1": Member("right", "10.0.0.1:8201", "https://10.0.0.1:8200"),
    "c3": Member("middle", "10.0.0.3:8201", "https://10.0.0.3:8200"),
}


class Members:
    """A cluster of three whose third member only learns; the first one leads."""

    configuration = Configuration(("a1", "b2"), (), ("c3",), MEMBERS)
    configuration_index = 7
    leader = "a1"


class Node:
    """A node that leads: what a request writes is applied at once."""

    def __init__(self, settings: RequestSettings | None = None) -> None:
        self.settings = settings or RequestSettings()
        self.entropy = SeededEntropy()
        self.store = Store(MemoryBase())
        self.root_key = create_root_key(self.entropy)
        keyrings = Keyrings.create(self.entropy, WALL_NS)
        self.barrier = Barrier(keyrings, self.entropy)
        self.services = Services(
            self.barrier,
            self.entropy,
            self.settings,
            Tokens(self.barrier, self.entropy, self.settings),
            Policies(self.barrier, self.store),
            Mounts(self.barrier, self.store, self.entropy),
            AuditDevices(self.barrier, self.store),
            Members(),
            self.root_key,
        )
        self.wall_ns = WALL_NS
        self._routes = Routes(ROUTES)
        begin = self.begin()
        begin.put(KEYRING_KEY, seal_keyrings(self.root_key, keyrings, self.entropy))
        self.apply(begin)
        self.root, _ = self.token("root")

    # -- the store --------------------------------------------------------------------------

    def begin(self) -> Transaction:
        """Return a transaction over all that is applied or proposed."""
        return Transaction(self.store)

    def apply(self, transaction: Transaction) -> None:
        """Commit what a transaction wrote, and take up new keyrings as a node does."""
        self.store.apply(self.store.applied_index + 1, list(transaction.writes.items()))
        if KEYRING_KEY in transaction.writes:
            sealed = self.store.get(KEYRING_KEY)
            assert sealed is not None
            self.barrier.replace_keyrings(open_keyrings(self.root_key, sealed))

    def count(self) -> int:
        """Return how many keys there are."""
        return sum(1 for _ in self.store.iterate(b"", b"\xff"))

    # -- requests ---------------------------------------------------------------------------

    def token(self, *policies: str, ttl_s: int = 0) -> tuple[str, TokenEntry]:
        """Create a token that holds `policies`."""
        transaction = self.begin()
        created = self.services.tokens.create(
            transaction,
            self.wall_ns,
            policies=policies,
            parent=None,
            path="auth/token/create",
            display_name="token",
            metadata=None,
            ttl_s=ttl_s,
            explicit_max_ttl_s=0,
            period_s=0,
            num_uses=0,
            renewable=False,
        )
        self.apply(transaction)
        return created

    def policy(self, name: str, text: str) -> None:
        """Store a policy."""
        transaction = self.begin()
        self.services.policies.put(transaction, name, text)
        self.apply(transaction)

    def ask(
        self,
        operation: Operation,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        unwritable: tuple[str, ...] = (),
        forwarded_from: str = "",
    ) -> Reply:
        """Let the handler of a path do its work: a read sees what is applied, a write is applied.

        Policies are not asked, as that is not for the handlers. What the reply holds is as a client
        would decode it.
        """
        found = self._routes.find(path)
        assert found is not None
        route, argument = found
        token = self.root if token is None else token
        request = Request(operation, path, token, forwarded_from=forwarded_from)
        transaction = self.begin()
        writes = operation in route.writes
        entry = self.services.tokens.find(transaction, token)
        known = entry is not None and not route.unauthenticated
        context = Context(
            self.services,
            request,
            transaction if writes else Snapshot(self.store),
            self.wall_ns,
            argument,
            body or {},
            entry if known else None,
            self.services.policies.acl(transaction, entry.policies) if entry and known else None,
            unwritable,
        )
        reply = (route.writes if writes else route.reads)[operation](context)
        if writes:
            self.apply(transaction)
        if reply.data is not None:
            reply.data = msgspec.json.decode(msgspec.json.encode(reply.data))
        return reply

    def read(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        operation: Operation = "read",
        token: str | None = None,
    ) -> Any:  # noqa: ANN401 -- any JSON value
        """Return the data of a request that succeeds."""
        reply = self.ask(operation, path, body, token=token)
        assert 200 == reply.status
        return reply.data

    def write(self, path: str, body: dict[str, Any] | None = None) -> None:
        """Send a write that succeeds and has nothing to say."""
        assert Reply() == self.ask("update", path, body)

    def refused(
        self,
        operation: Operation,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        unwritable: tuple[str, ...] = (),
        forwarded_from: str = "",
    ) -> tuple[Any, ...]:
        """Return status and texts of a refusal."""
        with pytest.raises(RequestError) as refusal:
            self.ask(
                operation,
                path,
                body,
                token=token,
                unwritable=unwritable,
                forwarded_from=forwarded_from,
            )
        return refusal.value.status, *refusal.value.messages
