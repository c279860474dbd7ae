"""A cluster of three at rest, real in all its parts, which a test then breaks."""

from core import effects
from core.moment import NANOSECONDS_PER_SECOND
from core.raft.entry import KIND_WRITES, Entry
from core.raft.state import Raft
from core.request import Operation, Request, Response
from sim.host import Host
from sim.invariants import Invariant
from sim.plan import Plan
from sim.run import Run
from sim.world import Question, World

PLAN = Plan(
    seed=6,
    nodes=("n1", "n2", "n3"),
    faults=(),
    healed_at_ns=2 * NANOSECONDS_PER_SECOND,
    ends_at_ns=3 * NANOSECONDS_PER_SECOND,
)
REST_NS = NANOSECONDS_PER_SECOND // 2
"""After that what clients have asked for is applied everywhere."""


class Settled:
    """The cluster.

    Attributes:
        world: it.
        leader: the member that leads.
        follower: one that does not.
    """

    def __init__(self) -> None:
        run = Run(PLAN)
        run.operators.begin()
        run.world.run(PLAN.healed_at_ns + REST_NS)
        self.world: World = run.world
        self.leader: Host = run.world.hosts[run.world.leader]
        self.follower: Host = next(
            host for host in run.world.hosts.values() if host is not self.leader
        )

    def show(self, invariant: Invariant) -> None:
        """Show an invariant that all is well."""
        for host in self.world.hosts.values():
            invariant.started(self.world, host)
            self.look(invariant, host)

    def look(self, invariant: Invariant, host: Host) -> None:
        """Show an invariant one member."""
        raft = raft_of(host)
        invariant.changed(self.world, host, raft)
        invariant.logged(self.world, host, raft)
        invariant.advanced(self.world, host, raft)
        if raft.leadership is not None:
            invariant.led(self.world, host, raft)

    def contradict(self, invariant: Invariant) -> None:
        """Show an invariant the leader, and put other data into the follower's last entry."""
        self.look(invariant, self.leader)
        log = raft_of(self.follower).log
        last = log.entry(log.last_index)
        log.truncate(last.index)
        log.append(Entry(last.index, last.term, last.kind, last.wall_ns, b"another"))

    def question(
        self, operation: Operation, path: str, token: str = "", body: bytes = b""
    ) -> Question:
        """Return a question that is asked now."""
        request = Request(operation, path, token, body)
        now_ns = self.world.time_ns
        return Question(1, "c1", "n1", request, NANOSECONDS_PER_SECOND, now_ns, _ignore)

    def answer(
        self, invariant: Invariant, question: Question, status: int, body: bytes = b""
    ) -> None:
        """Show an invariant an answer of the leader."""
        effect = effects.Answer(question.handle, Response(status, body))
        invariant.answered(self.world, self.leader, question, effect)


def raft_of(host: Host) -> Raft:
    """Return the consensus state of a member that is up."""
    assert host.node is not None
    return host.node.raft


def append(host: Host, data: bytes = b"") -> Entry:
    """Put another entry of the current term into a member's log, and nowhere else."""
    raft = raft_of(host)
    entry = Entry(raft.log.last_index + 1, raft.term, KIND_WRITES, raft.wall_ns, data)
    raft.log.append(entry)
    return entry


def enthrone(settled: Settled, host: Host, term: int) -> None:
    """Make a member take itself for the leader of a term, as the real leader does."""
    raft = raft_of(host)
    raft.term = term
    raft.leadership = raft_of(settled.leader).leadership


def _ignore(_response: Response) -> None:
    """Take an answer that nobody waits for."""
