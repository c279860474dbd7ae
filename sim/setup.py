"""The operators of the simulated cluster: they found it, let members join, and open each node.

Owns the unseal shares and the root token. Works through the API alone, as people would.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND
from core.request import Operation, Request, Response
from sim.faults import AUDIT_FILES
from sim.host import Host
from sim.invariants.barrier import MARKER
from sim.world import World

OPERATOR: Final = "operator"
SHARES: Final = 3
THRESHOLD: Final = 2
PATIENCE_NS: Final = 1_000 * NANOSECONDS_PER_MILLISECOND
RETRY_NS: Final = 250 * NANOSECONDS_PER_MILLISECOND
JOIN_RETRY_NS: Final = 1_500 * NANOSECONDS_PER_MILLISECOND
"""So long operators wait for a node that they asked to join before they ask it again."""
_JOIN_LOOK_NS: Final = 50 * NANOSECONDS_PER_MILLISECOND
_OK: Final = (200, 204)

POLICY_NAME: Final = f"{MARKER}-clients"
POLICY: Final = """
path "secret/data/*" { capabilities = ["create", "read", "update", "delete"] }
path "secret/metadata/*" { capabilities = ["read", "list"] }
path "auth/token/create" { capabilities = ["create", "update"] }
path "auth/token/create-orphan" { capabilities = ["create", "update", "sudo"] }
"""

TOKEN: Final[dict[str, Any]] = {"policies": [POLICY_NAME], "no_default_policy": True}
"""What every token of a client is asked for with; what `default` grants is of no use here, and each
life of each member would compile it anew."""


def encode(body: dict[str, Any]) -> bytes:
    """Return a request's body."""
    return msgspec.json.encode(body)


def data_of(response: Response) -> dict[str, Any]:
    """Return the decoded body of an answer."""
    decoded: dict[str, Any] = msgspec.json.decode(response.body)
    return decoded


class _Joining:
    """A machine whose member is to join.

    Attributes:
        machine: which.
        through: says whose API it is told to ask.
        joined: called when it is open and has its place in the cluster.
        votes: that place is a voter's, and not a learner's for good.
        ask_due_ns: when it is asked again, in virtual time.
    """

    __slots__ = ("ask_due_ns", "joined", "machine", "through", "votes")

    def __init__(
        self,
        machine: str,
        through: Callable[[], str],
        joined: Callable[[], None],
        *,
        votes: bool,
    ) -> None:
        self.machine = machine
        self.through = through
        self.joined = joined
        self.votes = votes
        self.ask_due_ns = 0

    def is_over(self, host: Host) -> bool:
        """Tell whether the member is open and has the place in the cluster that it is to have."""
        node = host.node
        if node is None or node.sealed:
            return False
        configuration = node.raft.configuration
        return configuration.votes(host.name) or (
            not self.votes and host.name in configuration.learners
        )


class Operators:
    """Found the cluster, one step after another, then keep its nodes open.

    Attributes:
        ready: the cluster has all its members, a mount and a token for the clients.
        root_token: the first token.
        client_token: what the clients use.
    """

    __slots__ = (
        "_on_ready",
        "_opening",
        "_shares",
        "_world",
        "client_token",
        "ready",
        "root_token",
    )

    def __init__(self, world: World, on_ready: Callable[[], None]) -> None:
        self._world = world
        self._on_ready = on_ready
        self._shares: list[str] = []
        self._opening: dict[str, int] = {}
        self.ready = False
        self.root_token = ""
        self.client_token = ""

    def begin(self) -> None:
        """Start every node and initialise the first."""
        for host in self._world.hosts.values():
            host.start()
        first = next(iter(self._world.hosts))
        body = {"secret_shares": SHARES, "secret_threshold": THRESHOLD}
        self._call(first, "update", "sys/init", body, self._initialised)

    def _initialised(self, response: Response) -> None:
        body = data_of(response)
        self._shares = body["keys"][:THRESHOLD]
        self.root_token = body["root_token"]
        first, *others = self._world.hosts
        self.keep_open(first, self._world.hosts[first].lives)
        self._join_next(first, others)

    def _join_next(self, first: str, others: list[str]) -> None:
        """Let the next node join once the first can take it in, then the one after it."""
        node = self._world.hosts[first].node
        if node is None or node.sealed or not node.leads:
            world = self._world
            world.at(world.time_ns + _JOIN_LOOK_NS, self._join_next, first, others)
        elif not others:
            self._enable()
        else:
            machine, *rest = others
            self.join(machine, lambda: first, lambda: self._join_next(first, rest))

    def join(
        self,
        machine: str,
        through: Callable[[], str],
        joined: Callable[[], None],
        *,
        votes: bool = True,
    ) -> None:
        """Ask the node of a machine to join, again and again until it is open and has its place.

        Args:
            machine: which.
            through: says which machine's API it is to ask, each time.
            joined: called in the end.
            votes: whether it is to be a voter, or a learner for good.
        """
        self._pursue(_Joining(machine, through, joined, votes=votes), None)

    def _pursue(self, joining: _Joining, _nothing: None) -> None:
        world = self._world
        host = world.hosts[joining.machine]
        if joining.is_over(host):
            joining.joined()
            return
        if host.node is not None and not host.certificate and world.time_ns >= joining.ask_due_ns:
            joining.ask_due_ns = world.time_ns + JOIN_RETRY_NS
            address = f"sim://{joining.through()}"
            body = {"leader_api_addr": address, "non_voter": not joining.votes}
            path = "sys/storage/raft/join"
            self._call(joining.machine, "update", path, body, lambda _response: None)
            self.keep_open(joining.machine, host.lives)
        world.at(world.time_ns + _JOIN_LOOK_NS, self._pursue, joining, None)

    def _enable(self) -> None:
        steps: list[tuple[str, dict[str, Any]]] = [
            ("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}),
            (f"sys/policies/acl/{POLICY_NAME}", {"policy": POLICY}),
        ]
        for path in AUDIT_FILES[: self._world.plan.audit_devices]:
            options = {"file_path": path}
            steps.append((f"sys{path}", {"type": "file", "options": options}))
        steps.append(("auth/token/create", TOKEN))
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
        if self._shares and self._opening.get(name) != life:
            self._opening[name] = life
            self._open(name, life)

    def _open(self, name: str, life: int) -> None:
        host = self._world.hosts[name]
        if life != host.lives or host.node is None or not host.node.sealed:
            if self._opening.get(name) == life:
                del self._opening[name]
            return
        for share in self._shares:
            self._call(name, "update", "sys/unseal", {"key": share}, lambda _response: None)
        self._world.at(self._world.time_ns + RETRY_NS, self._open, name, life)

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
