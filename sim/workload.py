"""What the simulated clients do: KV with check-and-set, and reads at every node.

Owns the history that the checkers judge. Clients act in pulses, all of them within a few
milliseconds, so that most of their operations overlap others on the same key. They write a key just
before something happens to the leader and read it while there may be none; whenever another member
leads, they rush to it and to the former leader, which may not know yet that it is none; and
whenever machines are cut off, they write there.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from core.request import Request, Response
from sim.checker.history import Operation, OperationKind
from sim.faults import LEADER, names_in
from sim.invariants.barrier import MARKER
from sim.setup import encode
from sim.world import World

CLIENTS: Final = tuple(f"c{number}" for number in range(1, 7))
KEYS: Final = tuple(f"{MARKER}-{number}" for number in range(1, 6))

PULSE_NS: Final = 1_500 * NANOSECONDS_PER_MILLISECOND
SPREAD_NS: Final = 6 * NANOSECONDS_PER_MILLISECOND
RUSH_NS: Final = 120 * NANOSECONDS_PER_MILLISECOND
"""So long after a new leader was elected the clients' rush is over."""
_RUSH_CAS_SHARE: Final = 0.4
_RUSH_WRITERS: Final = 2
_BRACED: Final = 4
BRACE_NS: Final = 8 * NANOSECONDS_PER_MILLISECOND
"""So long before something happens to the leader clients write to it."""
VACANCY_NS: Final = 1_000 * NANOSECONDS_PER_MILLISECOND
"""So long after that another member has been elected, most often."""
PATIENCE_NS: Final = 4 * NANOSECONDS_PER_SECOND
_READ_SHARE: Final = 0.5
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


class Workload:
    """The clients.

    Attributes:
        history: operations that were or may have been executed.
        acknowledged: how many were answered.
        asked: how many were asked.
        unanswered: nodes that have not answered in the healed phase.
    """

    __slots__ = (
        "_busy",
        "_random",
        "_token",
        "_until_ns",
        "_values",
        "_versions",
        "_world",
        "acknowledged",
        "asked",
        "history",
        "unanswered",
    )

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.streams.stream("workload")
        self._token = ""
        self._until_ns = 0
        self._busy: dict[str, _Pending] = {}
        self._values = 0
        self._versions: dict[str, int] = {}
        self.history: list[Operation] = []
        self.acknowledged = 0
        self.asked = 0
        self.unanswered: dict[str, str] = {}

    def begin(self, token: str, until_ns: int) -> None:
        """Let the clients act until that time, with a token that may do what they do."""
        self._token = token
        self._until_ns = until_ns
        self._world.at(self._world.time_ns, self._pulse, until_ns, None)
        for fault in self._world.plan.faults:
            brace_ns = fault.at_ns - BRACE_NS
            if LEADER in names_in(fault) and brace_ns > self._world.time_ns:
                self._world.at(brace_ns, self._brace, self._random.choice(KEYS), None)

    def _brace(self, key: str, _nothing: None) -> None:
        """Write a key at the leader's machine, and read it while no other leads there yet.

        An entry of which only the leader knows that it is committed is what the next one must not
        pass over.
        """
        world = self._world
        writer, *readers = self._random.sample(CLIENTS, _BRACED)
        self._operate_if_idle(writer, (world.leader, key, "write"))
        for client in readers:
            begin_ns = world.time_ns + BRACE_NS + self._random.randrange(VACANCY_NS)
            what = (self._random.choice(world.plan.nodes), key, "read")
            world.at(begin_ns, self._operate_if_idle, client, what)

    def _pulse(self, until_ns: int, _nothing: None) -> None:
        world = self._world
        if world.time_ns >= until_ns:
            return
        for client in CLIENTS:
            begin_ns = world.time_ns + self._random.randrange(SPREAD_NS)
            world.at(begin_ns, self._act, client, None)
        pause_ns = PULSE_NS // 2 + self._random.randrange(PULSE_NS)
        world.at(world.time_ns + pause_ns, self._pulse, until_ns, None)

    def rush(self, former: str, leader: str) -> None:
        """Let clients write a key at a new leader's machine, and ask for it at the former one's.

        What the former leader says of it must not be older than what the new one has answered.
        """
        world = self._world
        if world.time_ns >= self._until_ns:
            return
        key = self._random.choice(KEYS)
        for number, client in enumerate(CLIENTS):
            if number < _RUSH_WRITERS:
                begin_ns = world.time_ns + self._random.randrange(RUSH_NS // 2)
                world.at(begin_ns, self._operate_if_idle, client, (leader, key, "write"))
            else:
                begin_ns = world.time_ns + self._random.randrange(RUSH_NS)
                kind = "cas" if self._random.random() < _RUSH_CAS_SHARE else "read"
                world.at(begin_ns, self._operate_if_idle, client, (former, key, kind))

    def crowd(self, machines: Sequence[str]) -> None:
        """Let half of the clients write at these machines, which others may leave behind."""
        world = self._world
        if world.time_ns >= self._until_ns:
            return
        for client in CLIENTS[::2]:
            begin_ns = world.time_ns + self._random.randrange(RUSH_NS)
            what = (self._random.choice(machines), self._random.choice(KEYS), "write")
            world.at(begin_ns, self._operate_if_idle, client, what)

    def _operate_if_idle(self, client: str, what: tuple[str, str, OperationKind]) -> None:
        if client not in self._busy:
            self.operate(client, *what)

    # -- KV ---------------------------------------------------------------------------------

    def _act(self, client: str, _nothing: None) -> None:
        random = self._random
        node = random.choice(self._world.plan.nodes)
        chance = random.random()
        key = random.choice(KEYS)
        if client in self._busy:
            return
        kind: OperationKind = "write"
        if chance < _READ_SHARE:
            kind = "read"
        elif chance < _READ_SHARE + _CAS_SHARE:
            kind = "cas"
        self.operate(client, node, key, kind)

    def operate(self, client: str, node: str, key: str, kind: OperationKind) -> None:
        """Let a client do one operation."""
        world = self._world
        path = f"secret/data/{key}"
        value: str | None = None
        expected = self._versions.get(key, 0)
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
            self._versions[pending.key] = max(version, self._versions.get(pending.key, 0))
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

    # -- the healed phase -------------------------------------------------------------------

    def probe(self, nodes: Sequence[str]) -> None:
        """Ask each of these nodes for a write and for reads; all must answer, no write be lost."""
        count = max(len(nodes), len(KEYS))
        for number in range(count):
            delay_ns = SPREAD_NS + number * NANOSECONDS_PER_SECOND // count
            self._probe_one(nodes[number % len(nodes)], delay_ns, number, "read")
        for number, node in enumerate(nodes):
            self._probe_one(node, 2 * NANOSECONDS_PER_SECOND, number, "write")

    def _probe_one(self, node: str, delay_ns: int, number: int, kind: OperationKind) -> None:
        self.unanswered[f"{kind} {node}"] = node
        what = (node, KEYS[number % len(KEYS)], kind)
        client = CLIENTS[number % len(CLIENTS)]
        self._world.at(self._world.time_ns + delay_ns, self._operate, client, what)

    def _operate(self, client: str, what: tuple[str, str, OperationKind]) -> None:
        self.operate(client, *what)
