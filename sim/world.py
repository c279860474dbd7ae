"""The simulated cluster: virtual time, members, network and the trace of all that happens.

Owns the queue of what is to come, ordered by time and by the sequence in which it was put there.
Must not know what clients ask or what is checked: a workload and invariants are handed in; nor what
a fault does: the injector does.
"""

import hashlib
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any, Final

from core import effects, events
from core.moment import NANOSECONDS_PER_SECOND
from core.node.member import Node
from core.node.messages import Message, Removed, decode_message, encode_message
from core.request import Request, Response
from core.settings import Settings
from sim.clock import Clock
from sim.disk import Disk
from sim.host import Host
from sim.injector import Injector
from sim.network import Network
from sim.observer import Observer
from sim.plan import Plan
from sim.streams import SeededEntropy, Streams
from sim.timeline import TraceRecord

RECODED_SHARE: Final = 0.25
"""In so many of the seeds members receive what a decoder made of the bytes, as in production."""

EVENTS_MAX: Final = 2_000_000
"""Events of one run; a run that needs more does not end by itself."""
COUNTED: Final = (
    "audit_refusals",
    "audit_stalls",
    "chunks_refused",
    "faults",
    "flushes",
    "flushes_refused",
    "installs",
    "messages",
    "replacements_refused",
    "segments_refused",
    "snapshots",
)
"""What is counted in a run."""
_UNHASHED_MAX: Final = 256
"""Messages and answers that wait to be hashed together, which costs less than one by one."""
_TRACE_HASH_DIGITS: Final = 32
_CLOCK_OFFSET_NS_MAX: Final = 1_000 * NANOSECONDS_PER_SECOND


class Question:
    """A client's request under way.

    Attributes:
        handle: names it at the member that was asked.
        client: who asks.
        node: the machine that is asked.
        request: what.
        patience_ns: how long it waits for the answer.
        asked_ns: since when, in virtual time.
        done: what takes the answer.
    """

    __slots__ = ("asked_ns", "client", "done", "handle", "node", "patience_ns", "request")

    def __init__(
        self,
        handle: int,
        client: str,
        node: str,
        request: Request,
        patience_ns: int,
        asked_ns: int,
        done: Callable[[Response], None],
    ) -> None:
        self.handle = handle
        self.client = client
        self.node = node
        self.request = request
        self.patience_ns = patience_ns
        self.asked_ns = asked_ns
        self.done = done


class World:
    """One run.

    Attributes:
        time_ns: virtual time since the start of the run.
        hosts: the machines by name, each with the member that lives there.
        members: the same by node id; a machine that is wiped houses another member after.
        leader: the machine of who led last, or the first machine.
        terms: terms in which there was a leader, with its node id.
        counts: how often things happened, by name.
        look: the observer's look at a member after its turn.
        on_leader: told of each new leader: the machine of the former one, and its own.
        on_cut: told of the machines on one side of a partition.
    """

    __slots__ = (
        "_heap",
        "_keeps_trace",
        "_look_at_message",
        "_network",
        "_observer",
        "_questions",
        "_recodes",
        "_sequence",
        "_trace_hash",
        "_unhashed",
        "counts",
        "hosts",
        "leader",
        "look",
        "members",
        "on_cut",
        "on_leader",
        "plan",
        "records",
        "streams",
        "terms",
        "time_ns",
    )

    def __init__(
        self,
        streams: Streams,
        plan: Plan,
        settings: Settings,
        clients: Sequence[str],
        observer: Observer,
        *,
        keeps_trace: bool = False,
    ) -> None:
        self.streams = streams
        self.plan = plan
        self.time_ns = 0
        self.leader = plan.nodes[0]
        self.terms: dict[int, str] = {}
        self.counts = dict.fromkeys(COUNTED, 0)
        self.on_leader: Callable[[str, str], None] = _ignore_leader
        self.on_cut: Callable[[Sequence[str]], None] = _ignore_cut
        self.records: list[TraceRecord] = []
        self._keeps_trace = keeps_trace
        self._observer = observer
        self.look = observer.after_turn
        self._look_at_message = observer.sent
        self._heap: list[tuple[int, int, Callable[[Any, Any], None], Any, Any]] = []
        self._sequence = 0
        self._questions: dict[int, Question] = {}
        self._trace_hash = hashlib.sha256()
        self._unhashed: list[bytes] = []
        process = streams.stream("process")
        self._recodes = process.random() < RECODED_SHARE
        self._network = Network(streams, plan.nodes, clients)
        self.hosts = {
            name: Host(
                self,
                name,
                settings,
                Disk(streams.stream(f"disk {name}")),
                Clock(NANOSECONDS_PER_SECOND + process.randrange(_CLOCK_OFFSET_NS_MAX)),
                SeededEntropy(streams.stream(f"entropy {name}")),
            )
            for name in plan.nodes
        }
        self.members = dict(self.hosts)
        Injector(self, self._network, process).schedule(plan)

    # -- time -------------------------------------------------------------------------------

    def at(
        self, time_ns: int, what: Callable[[Any, Any], None], first: object, second: object
    ) -> None:
        """Let `what(first, second)` happen at that time."""
        self._sequence += 1
        heappush(self._heap, (time_ns, self._sequence, what, first, second))

    def run(self, until_ns: int) -> None:
        """Let everything happen that is due before `until_ns`."""
        heap = self._heap
        for _ in range(EVENTS_MAX):
            if not heap or heap[0][0] >= until_ns:
                self.time_ns = until_ns
                return
            time_ns, _, what, first, second = heappop(heap)
            self.time_ns = time_ns
            what(first, second)
        raise RuntimeError(f"the run has more than {EVENTS_MAX} events")

    # -- messages ---------------------------------------------------------------------------

    def send(self, source: Host, receiver: str, message: Message) -> None:
        """Hand a message of a member to the network.

        As in production it goes nowhere unless both have credentials, nor to a member that the
        sender has seen removed, but for the word that it was.
        """
        host = self.members.get(receiver)
        encoded = encode_message(message)
        self._look_at_message(self, source, receiver, message)
        if host is None or not (source.certificate and host.certificate):
            return
        if receiver in source.removed and not isinstance(message, Removed):
            return
        unhashed = self._unhashed
        unhashed.append(encoded)
        if len(unhashed) >= _UNHASHED_MAX:
            self._hash_all()
        if self._recodes:
            message = decode_message(encoded)
        if self._keeps_trace:
            self.trace(source.name, "send", lambda: f"to {receiver}: {message}")
        event = events.Received(source.name, message)
        self.counts["messages"] += 1
        arrivals = self._network.arrivals(source.machine, host.machine, self.time_ns)
        for arrival_ns in arrivals:
            self._sequence += 1
            heappush(self._heap, (arrival_ns, self._sequence, host.receive, host.lives, event))

    # -- requests ---------------------------------------------------------------------------

    def ask(
        self,
        client: str,
        node: str,
        request: Request,
        patience_ns: int,
        done: Callable[[Response], None],
    ) -> None:
        """Send a client's request to a machine; `done` is called at most once, if ever."""
        self._sequence += 1
        handle = self._sequence
        question = Question(handle, client, node, request, patience_ns, self.time_ns, done)
        self._questions[handle] = question
        self._observer.asked(self, question)
        host = self.hosts[node]
        asked = events.Asked(handle, request, patience_ns)
        if self._keeps_trace:
            self.trace(client, "ask", lambda: f"{node}: {request.operation} {request.path}")
        for arrival_ns in self._network.arrivals(client, node, self.time_ns)[:1]:
            self.at(arrival_ns, host.deliver, host.lives, asked)

    def answer(self, host: Host, effect: effects.Answer) -> None:
        """Send a member's answer back to its client.

        One that rests on a lease which has passed meanwhile is asked for again, as any driver
        must: the process was held up.
        """
        if effect.lease_until_ns and (
            host.clock.monotonic_ns(self.time_ns) >= effect.lease_until_ns
        ):
            question = self._questions.get(effect.handle)
            if question is not None:
                asked = events.Asked(effect.handle, question.request, question.patience_ns)
                self.at(self.time_ns, host.deliver, host.lives, asked)
            return
        question = self._questions.pop(effect.handle, None)
        if question is None:
            return
        self._observer.answered(self, host, question, effect)
        self._unhashed.append(effect.response.body)
        if self._keeps_trace:
            text = effect.response
            self.trace(host.name, "answer", lambda: f"{question.client}: {text}")
        for arrival_ns in self._network.arrivals(host.machine, question.client, self.time_ns)[:1]:
            self.at(arrival_ns, self._arrive, question, effect.response)

    def _arrive(self, question: Question, response: Response) -> None:
        question.done(response)

    # -- observation ------------------------------------------------------------------------

    def changed(self, host: Host, node: Node) -> None:
        """Notice a new leader among the members whose consensus state has changed."""
        raft = node.raft
        if raft.leadership is not None and raft.term not in self.terms:
            self.terms[raft.term] = host.name
            former, self.leader = self.leader, host.machine
            self.on_leader(former, host.machine)

    def installed(self, host: Host, former: str) -> None:
        """Know the member that a machine houses from now on; `former` is no more."""
        self.counts["installs"] += 1
        self.members.pop(former)
        self.members[host.name] = host
        self.trace(host.name, "install", lambda: f"in the place of {former}")

    def started(self, host: Host) -> None:
        """Tell the observers that a member was started."""
        self.trace(host.name, "start", lambda: f"life {host.lives}")
        self._observer.started(self, host)

    def crashed(self, host: Host) -> None:
        """Tell the observers that a member has crashed."""
        self.trace(host.name, "crash", str)
        self._observer.crashed(self, host)

    def wrote(self, host: Host, data: bytes) -> None:
        """Tell the observers what a member writes into its log."""
        self._observer.wrote(self, host, data)

    def synced(self, host: Host) -> None:
        """Tell the observers that a member's log is durable as written."""
        self._observer.synced(self, host)

    def based(self, host: Host) -> None:
        """Tell the observers that a member's base has changed."""
        self._observer.based(self, host)

    def recorded(self, host: Host, kept: bytes, refused: bytes) -> None:
        """Tell the observers what a member's audit files have taken, and what they have not."""
        self._observer.recorded(self, host, kept, refused)

    def trace(self, node: str, kind: str, text: Callable[[], str]) -> None:
        """Remember that something happened, if this run keeps a trace."""
        if self._keeps_trace:
            self.records.append(TraceRecord(self.time_ns, node, kind, text()))

    def trace_hash(self) -> str:
        """Return a hash over all messages and answers so far."""
        self._hash_all()
        final = self._trace_hash.copy()
        final.update(repr((self.time_ns, self._sequence, sorted(self.terms.items()))).encode())
        return final.hexdigest()[:_TRACE_HASH_DIGITS]

    def _hash_all(self) -> None:
        self._trace_hash.update(b"".join(self._unhashed))
        self._unhashed.clear()


def _ignore_leader(_former: str, _leader: str) -> None:
    """Take note of nothing."""


def _ignore_cut(_machines: Sequence[str]) -> None:
    """Take note of nothing."""
