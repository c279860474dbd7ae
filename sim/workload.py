"""What the simulated clients do: KV with check-and-set, use-limited tokens, reads at every node.

Owns the history that the checkers judge. Clients act in pulses, all of them within a few
milliseconds, so that most of their operations overlap others on the same key.
"""

from typing import Any, Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from core.request import Request, Response
from sim.checker.history import Operation, OperationKind
from sim.setup import encode
from sim.world import World

CLIENTS: Final = tuple(f"c{number}" for number in range(1, 7))
KEYS: Final = tuple(f"k{number}" for number in range(1, 6))
MARKER: Final = "zebra-in-the-clear"
"""Stands in every secret; it must be found nowhere below the barrier."""

PULSE_NS: Final = 900 * NANOSECONDS_PER_MILLISECOND
SPREAD_NS: Final = 6 * NANOSECONDS_PER_MILLISECOND
PATIENCE_NS: Final = 4 * NANOSECONDS_PER_SECOND
LIMITED_USES: Final = 2
_LIMITED_ATTEMPTS: Final = 4
_LIMITED_SHARE: Final = 0.06
_READ_SHARE: Final = 0.4
_CAS_SHARE: Final = 0.2
_OK: Final = 200
_BAD_REQUEST: Final = 400
_NOT_FOUND: Final = 404
_STATUS_UNAVAILABLE: Final = 503
_STATUS_UNKNOWN: Final = 500


class UnexpectedAnswer(Exception):
    """An answer that no right cluster gives."""


class _Pending:
    """An operation without an answer so far."""

    __slots__ = ("client", "expected", "invoked_ns", "key", "kind", "node", "over", "value")

    def __init__(
        self,
        client: str,
        key: str,
        kind: OperationKind,
        invoked_ns: int,
        value: str | None,
        expected: int,
        node: str,
    ) -> None:
        self.client = client
        self.key = key
        self.kind = kind
        self.invoked_ns = invoked_ns
        self.value = value
        self.expected = expected
        self.node = node
        self.over = False


class LimitedToken(msgspec.Struct):
    """A token that may be used `LIMITED_USES` times.

    Attributes:
        token: its id.
        successes: requests that it opened something for.
        unknown: requests whose outcome nobody knows.
    """

    token: str
    successes: int = 0
    unknown: int = 0


class Workload:
    """The clients.

    Attributes:
        history: operations that were or may have been executed.
        acknowledged: how many were answered.
        asked: how many were asked.
        limited: use-limited tokens and what they were used for.
        unanswered: nodes that have not answered in the healed phase.
    """

    __slots__ = (
        "_busy",
        "_random",
        "_root_token",
        "_token",
        "_values",
        "_versions",
        "_world",
        "acknowledged",
        "asked",
        "history",
        "limited",
        "unanswered",
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.streams.stream("workload")
        self._token = ""
        self._root_token = ""
        self._busy: dict[str, _Pending] = {}
        self._values = 0
        self._versions: dict[tuple[str, str], int] = {}
        self.history: list[Operation] = []
        self.limited: list[LimitedToken] = []
        self.acknowledged = 0
        self.asked = 0
        self.unanswered: dict[str, str] = {}

    def begin(self, token: str, root_token: str, until_ns: int) -> None:
        """Let the clients act until that time, with a token that may do what they do."""
        self._token = token
        self._root_token = root_token
        self._world.at(self._world.time_ns, self._pulse, until_ns, None)

    def _pulse(self, until_ns: int, _nothing: None) -> None:
        world = self._world
        if world.time_ns >= until_ns:
            return
        for client in CLIENTS:
            begin_ns = world.time_ns + self._random.randrange(SPREAD_NS)
            world.at(begin_ns, self._act, client, None)
        pause_ns = PULSE_NS // 2 + self._random.randrange(PULSE_NS)
        world.at(world.time_ns + pause_ns, self._pulse, until_ns, None)

    # -- KV ---------------------------------------------------------------------------------

    def _act(self, client: str, _nothing: None) -> None:
        random = self._random
        node = random.choice(self._world.plan.nodes)
        chance = random.random()
        key = random.choice(KEYS)
        if client in self._busy:
            return
        if chance < _LIMITED_SHARE:
            self._make_limited(client, node)
            return
        kind: OperationKind = "write"
        if chance < _LIMITED_SHARE + _READ_SHARE:
            kind = "read"
        elif chance < _LIMITED_SHARE + _READ_SHARE + _CAS_SHARE:
            kind = "cas"
        self.operate(client, node, key, kind)

    def operate(self, client: str, node: str, key: str, kind: OperationKind) -> None:
        """Let a client do one operation."""
        world = self._world
        path = f"secret/data/{key}"
        value: str | None = None
        expected = self._versions.get((client, key), 0)
        if kind == "read":
            request = Request("read", path, self._token)
        else:
            self._values += 1
            value = f"{client}-{self._values}"
            body: dict[str, Any] = {"data": {"value": value, "marker": MARKER}}
            if kind == "cas":
                body["options"] = {"cas": expected}
            request = Request("update", path, self._token, encode(body))
        pending = _Pending(client, key, kind, world.time_ns, value, expected, node)
        self._busy[client] = pending
        self.asked += 1
        world.ask(client, node, request, PATIENCE_NS, lambda answer: self._done(pending, answer))
        world.at(world.time_ns + PATIENCE_NS, self._give_up, pending, None)

    def _done(self, pending: _Pending, response: Response) -> None:
        if pending.over:
            return
        pending.over = True
        self._busy.pop(pending.client, None)
        if response.status == _STATUS_UNAVAILABLE:
            return
        if response.status == _STATUS_UNKNOWN:
            self._record(pending, None, pending.value, None)
            return
        self.acknowledged += 1
        self.unanswered.pop(f"{pending.kind} {pending.node}", None)
        version, value = self._understand(pending, response)
        if version is not None:
            self._versions[pending.client, pending.key] = version
        self._record(pending, self._world.time_ns, value, version)

    def _understand(self, pending: _Pending, response: Response) -> tuple[int | None, str | None]:
        status = response.status
        if status == _OK:
            data = msgspec.json.decode(response.body)["data"]
            if pending.kind == "read":
                return data["metadata"]["version"], data["data"]["value"]
            return data["version"], pending.value
        if status == _NOT_FOUND and pending.kind == "read":
            return 0, None
        if status == _BAD_REQUEST and pending.kind == "cas" and b"did not match" in response.body:
            return None, pending.value
        raise UnexpectedAnswer(
            f"{pending.client} asked {pending.node} to {pending.kind} {pending.key} and got"
            f" {status} {response.body.decode()}"
        )

    def _give_up(self, pending: _Pending, _nothing: None) -> None:
        if not pending.over:
            pending.over = True
            self._busy.pop(pending.client, None)
            self._record(pending, None, pending.value, None)

    def _record(
        self,
        pending: _Pending,
        returned_ns: int | None,
        value: str | None,
        version: int | None,
    ) -> None:
        if returned_ns is None and pending.kind == "read":
            return  # nobody saw what it read
        self.history.append(
            Operation(
                client=pending.client,
                key=pending.key,
                kind=pending.kind,
                invoked_ns=pending.invoked_ns,
                returned_ns=returned_ns,
                value=value,
                expected=pending.expected if pending.kind == "cas" else 0,
                version=version,
            )
        )

    # -- use-limited tokens -----------------------------------------------------------------

    def _make_limited(self, client: str, node: str) -> None:
        body = encode({"policies": ["clients"], "num_uses": LIMITED_USES})
        request = Request("update", "auth/token/create", self._root_token, body)
        self._world.ask(client, node, request, PATIENCE_NS, self._made_limited)

    def _made_limited(self, response: Response) -> None:
        if response.status != _OK:
            return
        body: dict[str, Any] = msgspec.json.decode(response.body)
        limited = LimitedToken(body["auth"]["client_token"])
        self.limited.append(limited)
        world = self._world
        for _ in range(_LIMITED_ATTEMPTS):
            begin_ns = world.time_ns + self._random.randrange(SPREAD_NS)
            world.at(begin_ns, self._use_limited, limited, self._random.choice(CLIENTS))

    def _use_limited(self, limited: LimitedToken, client: str) -> None:
        node = self._random.choice(self._world.plan.nodes)
        request = Request("read", f"secret/data/{KEYS[0]}", limited.token)

        def done(response: Response) -> None:
            if response.status in (_OK, _NOT_FOUND):
                limited.successes += 1

        self._world.ask(client, node, request, PATIENCE_NS, done)

    # -- the healed phase -------------------------------------------------------------------

    def probe(self, _first: None, _second: None) -> None:
        """Ask every node for a write and a read; all must answer."""
        kinds: tuple[OperationKind, OperationKind] = ("write", "read")
        for kind in kinds:
            for number, node in enumerate(self._world.plan.nodes):
                name = f"{kind} {node}"
                self.unanswered[name] = node
                client = CLIENTS[number % len(CLIENTS)]
                delay_ns = SPREAD_NS if kind == "write" else NANOSECONDS_PER_SECOND
                self._world.at(
                    self._world.time_ns + delay_ns, self._probe_one, (client, node, kind), None
                )

    def _probe_one(self, what: tuple[str, str, OperationKind], _nothing: None) -> None:
        client, node, kind = what
        self.operate(client, node, KEYS[0], kind)
