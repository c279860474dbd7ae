"""Real nodes that talk to each other, driven by hand: what is lost or held back, a test says.

Every message takes one virtual millisecond, whatever a node asks of its disk is done at once, and
no request may be answered twice.
"""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

import msgspec

from core import effects, events
from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND, Now
from core.node.info import NodeInfo
from core.node.member import Node
from core.node.messages import Message, Removed
from core.request import Operation, Request, Response
from core.settings import Settings
from core.wal.recovery import recover
from sim.disk import Disk
from sim.streams import SeededEntropy
from tests.core.node.single import WALL_NS, decoded

DELAY_NS: Final = NANOSECONDS_PER_MILLISECOND
EVENTS_MAX: Final = 50_000
"""Events of one wait; more of them go in circles."""


class Machine:
    """One member: what survives a crash, and the node while it runs.

    Attributes:
        disk: its durable state.
        node: the running node; None while it is down.
        audit: the audit records that it has written, one text for each append.
        full: there is no room for further segments, nor for a snapshot.
        unwritable: paths of audit files that can't be written to.
        reports: what an operator would find in its log.
        identities: the credentials that it was given.
        removed: whom it refuses, as it has seen them removed; itself perhaps among them.
        held: the answers of its disk and audit files of these types wait for `Cluster.release`.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.info = NodeInfo(name, f"{name}-label", f"{name}:8201", f"http://{name}:8200")
        self.entropy = SeededEntropy(Random(seed))
        self.disk = Disk(Random(seed))
        self.node: Node | None = None
        self.lives = 0
        self.audit: list[bytes] = []
        self.full = False
        self.unwritable: tuple[str, ...] = ()
        self.reports: list[str] = []
        self.identities: list[effects.IssueIdentity] = []
        self.removed: list[str] = []
        self.held: tuple[type, ...] = ()
        self.waiting: list[events.Event] = []

    @property
    def running(self) -> Node:
        """The node, which is up."""
        assert self.node is not None
        return self.node


class Cluster:
    """Machines, the messages between them, and one client.

    Attributes:
        machines: by name.
        root_token: set by `open`.
        keys: the unseal keys of the cluster; set by `open`.
        cut: pairs of sender and receiver between which every message is lost.
        sent: all messages that were handed to the network, with sender and receiver.
        copies: how often each message arrives.
        wall_ns: the wall clock of all at time 0.
    """

    def __init__(self, count: int = 3, settings: Settings | None = None, seed: int = 1) -> None:
        names = [f"n{number}" for number in range(1, count + 1)]
        self.settings = settings or Settings()
        self.time_ns = 1_000 * NANOSECONDS_PER_SECOND
        self.wall_ns = WALL_NS
        self.machines = {name: Machine(name, seed * 100 + n) for n, name in enumerate(names)}
        self.root_token = ""
        self.keys: list[str] = []
        self.cut: set[tuple[str, str]] = set()
        self.sent: list[tuple[str, str, Message]] = []
        self.copies = 1
        self._queue: list[tuple[int, int, Machine, int, events.Event]] = []
        self._sequence = 0
        self._handle = 0
        self._answers: dict[int, effects.Answer] = {}
        self._questions: dict[int, tuple[Machine, int, effects.AskCluster]] = {}
        for name in names:
            self.start(name)

    # -- life -------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Recover from the disk and run."""
        machine = self.machines[name]
        machine.lives += 1
        machine.waiting = []
        meta = machine.disk.base.meta
        recovered = recover(
            machine.disk.segments(),
            stamp=b"test",
            segment_bytes=self.settings.store.segment_bytes,
            void_through=meta.void_through,
            base_index=meta.index,
        )
        machine.node = Node(
            msgspec.structs.replace(machine.info, removed=name in machine.removed),
            self.settings,
            machine.entropy,
            machine.disk.base,
            recovered,
            self.now(),
        )
        self._turn(machine, [])

    def crash(self, name: str) -> None:
        """Lose all but what is durable."""
        self.machines[name].node = None

    def now(self) -> Now:
        """Return the time, which is the same for all."""
        return Now(self.time_ns, self.wall_ns + self.time_ns)

    def isolate(self, name: str) -> None:
        """Cut a member off from all others."""
        for other in self.machines:
            self.cut |= {(name, other), (other, name)}

    # -- time -------------------------------------------------------------------------------

    def run(self, seconds: float, until: Callable[[], object] = lambda: False) -> None:
        """Let time pass, at most until something holds."""
        end_ns = self.time_ns + int(seconds * NANOSECONDS_PER_SECOND)
        for _ in range(EVENTS_MAX):
            if until():
                return
            running = [each for each in self.machines.values() if each.node is not None]
            due = min(running, key=lambda each: each.running.deadline_ns, default=None)
            due_ns = end_ns
            if due is not None:
                due_ns = max(due.running.deadline_ns, self.time_ns + 1)
            if self._queue and self._queue[0][0] <= due_ns:
                arrival_ns, _, machine, life, event = heappop(self._queue)
                if arrival_ns > end_ns:
                    heappush(self._queue, (arrival_ns, 0, machine, life, event))
                    break
                self.time_ns = max(self.time_ns, arrival_ns)
                if machine.lives == life and machine.node is not None:
                    self._turn(machine, [event])
            elif due is None or due_ns > end_ns:
                break
            else:
                self.time_ns = max(self.time_ns, due_ns)
                self._turn(due, [])
        else:
            raise AssertionError("this goes in circles")
        self.time_ns = end_ns

    def deliver(self, name: str, event: events.Event, delay_ns: int = 0) -> None:
        """Hand an event to a member."""
        machine = self.machines[name]
        self._sequence += 1
        arrival_ns = self.time_ns + delay_ns
        heappush(self._queue, (arrival_ns, self._sequence, machine, machine.lives, event))

    def release(self, name: str) -> None:
        """Hand a member what was held back, and hold back no more."""
        machine = self.machines[name]
        machine.held = ()
        waiting, machine.waiting = machine.waiting, []
        for event in waiting:
            self.deliver(name, event)

    # -- turns ------------------------------------------------------------------------------

    def _turn(self, machine: Machine, taken: list[events.Event]) -> None:
        for effect in machine.running.handle(taken, self.now()):
            followed = self._carry_out(machine, effect)
            if followed is None:
                continue
            if isinstance(followed, machine.held):
                machine.waiting.append(followed)
            else:
                self.deliver(machine.name, followed)

    def _carry_out(self, machine: Machine, effect: effects.Effect) -> events.Event | None:
        match effect:
            case effects.Send():
                self._send(machine.name, effect)
            case effects.Answer():
                self._answer(effect)
            case effects.AppendAudit():
                machine.audit += effect.lines.values()
                return events.AuditAppended(effect.sequence, machine.unwritable)
            case effects.AskCluster():
                self._ask_cluster(machine, effect)
            case effects.IssueIdentity():
                machine.identities.append(effect)
            case effects.AdmitPeers():
                gone = (*machine.removed, *effect.removed)
                members = effect.configuration.members
                machine.removed = [node for node in gone if node not in members]
            case effects.Report():
                machine.reports.append(effect.text)
            case effects.Halt():
                raise AssertionError(f"{machine.name}: {effect.reason}")
            case effects.PrepareSegment() if machine.full:
                return events.SegmentRefused(effect.number, "no space left")
            case effects.StageSnapshot() if machine.full:
                return events.SnapshotRefused(effect.snapshot, effect.number, "no space left")
            case _:
                return _keep(machine.disk, effect)
        return None

    def _send(self, sender: str, effect: effects.Send) -> None:
        self.sent.append((sender, effect.receiver, effect.message))
        if (sender, effect.receiver) in self.cut or effect.receiver not in self.machines:
            return
        receiver = self.machines[effect.receiver]
        if sender in receiver.removed:
            if receiver.node is not None and (effect.receiver, sender) not in self.cut:
                self.deliver(sender, events.Received(effect.receiver, Removed()), 2 * DELAY_NS)
        else:
            for _ in range(self.copies):
                self.deliver(effect.receiver, events.Received(sender, effect.message), DELAY_NS)

    def _ask_cluster(self, machine: Machine, effect: effects.AskCluster) -> None:
        name = effect.address.api_address.removeprefix("http://").partition(":")[0]
        request = Request("update", effect.path, body=effect.body)
        self._handle += 1
        self._questions[self._handle] = (machine, machine.lives, effect)
        self.deliver(name, events.Asked(self._handle, request, NANOSECONDS_PER_SECOND), DELAY_NS)

    def _answer(self, effect: effects.Answer) -> None:
        if effect.handle in self._questions:
            machine, life, asked = self._questions.pop(effect.handle)
            if machine.lives == life:
                answered = events.ClusterAnswered(asked.question, asked.path, effect.response)
                self.deliver(machine.name, answered, DELAY_NS)
            return
        assert effect.handle not in self._answers, "a request is answered once"
        self._answers[effect.handle] = effect

    # -- requests ---------------------------------------------------------------------------

    def ask(
        self,
        name: str,
        operation: Operation,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        patience_s: float = 60,
        headers: dict[str, str] | None = None,
        parameters: dict[str, str] | None = None,
    ) -> int:
        """Send a request to a member, with the root token unless told otherwise."""
        self._handle += 1
        request = Request(
            operation,
            path,
            self.root_token if token is None else token,
            msgspec.json.encode(body) if body is not None else b"",
            parameters or {},
            headers or {},
            "127.0.0.1",
            1,
        )
        patience_ns = int(patience_s * NANOSECONDS_PER_SECOND)
        self.deliver(name, events.Asked(self._handle, request, patience_ns))
        return self._handle

    def answered(self, handle: int) -> bool:
        """Tell whether there is an answer."""
        return handle in self._answers

    def effect(self, handle: int, seconds: float = 5) -> effects.Answer:
        """Wait for an answer and return all of it."""
        self.run(seconds, lambda: handle in self._answers)
        return self._answers[handle]

    def answer(self, handle: int, seconds: float = 5) -> Response:
        """Wait for an answer."""
        return self.effect(handle, seconds).response

    def request(
        self,
        name: str,
        operation: Operation,
        path: str,
        body: dict[str, Any] | None = None,
        **fields: Any,  # noqa: ANN401 -- of `ask`
    ) -> Response:
        """Ask and wait for the answer."""
        return self.answer(self.ask(name, operation, path, body, **fields))

    # -- the cluster ------------------------------------------------------------------------

    @property
    def leader(self) -> str:
        """The one member that leads, or empty."""
        leaders = [
            name
            for name, machine in self.machines.items()
            if machine.node is not None and machine.node.leads
        ]
        return leaders[0] if len(leaders) == 1 else ""

    def successor(self) -> str:
        """Wait for another leader than the first member, which may think that it still leads."""
        others = list(self.machines)[1:]
        self.run(5, lambda: any(self.machines[name].running.leads for name in others))
        return next(name for name in others if self.machines[name].running.leads)

    def init(self, shares: int = 1, threshold: int = 1) -> None:
        """Let the first member begin a cluster and open it."""
        body = {"secret_shares": shares, "secret_threshold": threshold}
        made = decoded(self.request("n1", "update", "sys/init", body))
        self.keys = made["keys"]
        self.root_token = made["root_token"]
        self.unseal("n1")
        self.run(5, lambda: self.request("n1", "read", "sys/mounts").status == 200)

    def unseal(self, name: str) -> Response:
        """Give a member enough shares, and return its last answer."""
        response = Response(0)
        for key in self.keys:
            response = self.request(name, "update", "sys/unseal", {"key": key})
            if not decoded(response).get("sealed", True):
                break
        return response

    def join(self, name: str, **fields: bool) -> Response:
        """Let a member ask the first one to be taken in."""
        body = {"leader_api_addr": "http://n1:8200", **fields}
        return self.request(name, "update", "sys/storage/raft/join", body)

    def open(self) -> "Cluster":
        """Make one cluster of all members, with a secrets engine at `kv/`; return this."""
        self.init()
        for name in list(self.machines)[1:]:
            assert self.join(name).status == 200
            self.unseal(name)
            self.run(5, partial(self.votes, name))
        assert self.request("n1", "update", "sys/mounts/kv", {"type": "kv"}).status == 204
        assert self.request("n1", "update", "kv/a", {"b": "1"}).status == 204
        self.run(0.5)
        return self

    def votes(self, name: str) -> bool:
        """Tell whether a member is open and knows itself for a voter."""
        node = self.machines[name].running
        return not node.sealed and node.raft.configuration.votes(name)


def _keep(disk: Disk, effect: effects.Effect) -> events.Event | None:
    """Carry out what a node asks of its disk."""
    match effect:
        case effects.WriteLog():
            for write in effect.writes:
                disk.write(write.number, write.offset, write.data)
            disk.sync()
            return events.LogWritten(effect.sequence)
        case effects.PrepareSegment():
            disk.start_prepare(effect.number, effect.size)
            disk.finish_prepare(effect.number)
            return events.SegmentReady(effect.number)
        case effects.FlushBase():
            disk.start_flush(effect.meta, effect.changes.values.items())
            disk.finish_base_change()
            return events.BaseFlushed(effect.meta.index)
        case effects.StageSnapshot():
            disk.stage(effect.snapshot, effect.number, effect.items)
            return events.SnapshotStaged(effect.snapshot, effect.number)
        case effects.ReplaceBase():
            disk.start_replace(effect.snapshot, effect.meta)
            disk.finish_base_change()
            return events.BaseReplaced(effect.snapshot)
        case effects.DropSegments():
            disk.drop(effect.below)
    return None
