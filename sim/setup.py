"""The operators of the simulated cluster: they found it, and open every node that starts.

Owns the unseal shares and the root token. Works through the API alone, as people would.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND
from core.request import Operation, Request, Response
from sim.invariants.barrier import MARKER
from sim.world import World

OPERATOR: Final = "operator"
SHARES: Final = 3
THRESHOLD: Final = 2
PATIENCE_NS: Final = 1_000 * NANOSECONDS_PER_MILLISECOND
RETRY_NS: Final = 250 * NANOSECONDS_PER_MILLISECOND
_OK: Final = (200, 204)

POLICY_NAME: Final = f"{MARKER}-clients"
POLICY: Final = """
path "secret/data/*" { capabilities = ["create", "read", "update", "delete"] }
path "secret/metadata/*" { capabilities = ["read", "list"] }
"""


def encode(body: dict[str, Any]) -> bytes:
    """Return a request's body."""
    return msgspec.json.encode(body)


def data_of(response: Response) -> dict[str, Any]:
    """Return the decoded body of an answer."""
    decoded: dict[str, Any] = msgspec.json.decode(response.body)
    return decoded


class Operators:
    """Found the cluster, one step after another, then keep its nodes open.

    Attributes:
        ready: the cluster has all its members, a mount and a token for the clients.
        root_token: the first token.
        client_token: what the clients use.
        audited: an audit device is enabled.
    """

    __slots__ = (
        "_joining",
        "_on_ready",
        "_shares",
        "_world",
        "audited",
        "client_token",
        "ready",
        "root_token",
    )

    def __init__(self, world: World, on_ready: Callable[[], None], *, audited: bool) -> None:
        self._world = world
        self._on_ready = on_ready
        self._shares: list[str] = []
        self._joining: list[str] = []
        self.audited = audited
        self.ready = False
        self.root_token = ""
        self.client_token = ""

    def begin(self) -> None:
        """Start every node and initialise the first."""
        for host in self._world.hosts.values():
            host.start()
        first, *others = self._world.hosts
        self._joining = others
        body = {"secret_shares": SHARES, "secret_threshold": THRESHOLD}
        self._call(first, "update", "sys/init", body, self._initialised)

    def _initialised(self, response: Response) -> None:
        body = data_of(response)
        self._shares = body["keys"][:THRESHOLD]
        self.root_token = body["root_token"]
        first = next(iter(self._world.hosts))
        self.keep_open(first, self._world.hosts[first].lives)
        self._join_next()

    def _join_next(self) -> None:
        """Let the next node join once the one before votes."""
        world = self._world
        first = next(iter(world.hosts))
        node = world.hosts[first].node
        configuration = node.raft.configuration if node is not None else None
        joined = configuration is not None and not configuration.learners
        opened = node is not None and not node.sealed and node.leads
        if opened and joined and configuration is not None:
            waiting = [name for name in self._joining if name not in configuration.incoming]
            if not waiting:
                self._enable()
                return
            name = waiting[0]
            host = world.hosts[name]
            body = {"leader_api_addr": f"sim://{first}"}
            self._call(name, "update", "sys/storage/raft/join", body, lambda _response: None)
            self.keep_open(name, host.lives)
        world.at(world.time_ns + RETRY_NS // 5, self._again, None, None)

    def _again(self, _first: None, _second: None) -> None:
        self._join_next()

    def _enable(self) -> None:
        steps: list[tuple[str, dict[str, Any]]] = [
            ("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}),
            (f"sys/policies/acl/{POLICY_NAME}", {"policy": POLICY}),
        ]
        if self.audited:
            options = {"file_path": "/audit"}
            steps.append(("sys/audit/file", {"type": "file", "options": options}))
        steps.append(("auth/token/create", {"policies": [POLICY_NAME]}))
        self._step(steps, None)

    def _step(self, steps: list[tuple[str, dict[str, Any]]], response: Response | None) -> None:
        if response is not None and response.status not in _OK:
            raise RuntimeError(f"the cluster cannot be set up: {response}")
        if not steps:
            assert response is not None
            self.client_token = data_of(response)["auth"]["client_token"]
            self.ready = True
            self._on_ready()
            return
        (path, body), *rest = steps
        leader = self._world.leader
        self._call(leader, "update", path, body, lambda answer: self._step(rest, answer))

    def keep_open(self, name: str, life: int) -> None:
        """Give a node its shares until it is open, as long as it lives that life."""
        host = self._world.hosts[name]
        if not self._shares or life != host.lives or host.node is None or not host.node.sealed:
            return
        for share in self._shares:
            self._call(name, "update", "sys/unseal", {"key": share}, lambda _response: None)
        self._world.at(self._world.time_ns + RETRY_NS, self.keep_open, name, life)

    def _call(
        self,
        node: str,
        operation: Operation,
        path: str,
        body: dict[str, Any],
        done: Callable[[Response], None],
    ) -> None:
        request = Request(operation, path, self.root_token, encode(body))
        self._world.ask(OPERATOR, node, request, PATIENCE_NS, done)
