"""Members that are removed while clients work, and machines that join again as new ones.

Owns who goes when, and that enough voters are left. Works through the API alone, as operators
would: `remove-peer`, and once that has succeeded the process is ended, its disk wiped, and what
starts there joins like any other node, with a node id of its own. Some are never to vote.
The last one that is removed is left alone: it has to find out by itself that it was.
"""

from typing import Final

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from core.request import Request, Response
from sim.invariants.membership import GONE, REMOVE_PATH
from sim.setup import OPERATOR, PATIENCE_NS, Operators, encode
from sim.world import World

VOTERS_MIN: Final = 3
"""So many voters are left at any time."""
PAUSE_NS: Final = 8 * NANOSECONDS_PER_SECOND
"""Mean pause between two removals."""
LINGER_NS_MAX: Final = 3 * NANOSECONDS_PER_SECOND
"""So long at most the process of a removed member goes on."""
ABSENCE_NS_MAX: Final = 4 * NANOSECONDS_PER_SECOND
"""So long at most a machine stands empty."""
CALM_NS: Final = 10 * NANOSECONDS_PER_SECOND
"""So long before all is healed no further one is replaced; then one is removed and left alone."""

_RETRY_NS: Final = 500 * NANOSECONDS_PER_MILLISECOND
_ONE_SEED_IN: Final = 2
_ONE_LEARNER_IN: Final = 3


class Turnover:
    """Replaces members in some of the runs, one removal at a time.

    Attributes:
        removals: how many members were removed.
        left: the machine whose member was removed and is left alone, or empty.
    """

    __slots__ = (
        "_absent",
        "_healed_at_ns",
        "_learners",
        "_operators",
        "_random",
        "_removing",
        "_world",
        "left",
        "removals",
    )

    def __init__(self, world: World, operators: Operators) -> None:
        self._world = world
        self._operators = operators
        self._random = world.streams.stream("turnover")
        self._healed_at_ns = 0
        self._absent: dict[str, None] = {}
        self._learners: dict[str, None] = {}
        self._removing = False
        self.removals = 0
        self.left = ""

    def begin(self, healed_at_ns: int) -> None:
        """Begin once the cluster is there, if this is a run with turnover."""
        self._healed_at_ns = healed_at_ns
        if not self._random.randrange(_ONE_SEED_IN):
            self._later()
            at_ns = healed_at_ns - self._random.randrange(CALM_NS)
            self._world.at(max(at_ns, self._world.time_ns), self._choose_last, None, None)

    def _later(self) -> None:
        world = self._world
        at_ns = world.time_ns + self._random.randrange(PAUSE_NS // 8, 2 * PAUSE_NS)
        if at_ns < self._healed_at_ns - CALM_NS:
            world.at(at_ns, self._choose, None, None)

    def _choose(self, _first: None, _second: None) -> None:
        self._remove_one()
        self._later()

    def _choose_last(self, _first: None, _second: None) -> None:
        """Remove a member for good; as long as faults last, try again if none can be spared."""
        self.left = self._remove_one()
        world = self._world
        if not self.left and world.time_ns < self._healed_at_ns:
            world.at(world.time_ns + _RETRY_NS, self._choose_last, None, None)

    def _remove_one(self) -> str:
        """Begin to remove a member; return its machine, or empty if none can be spared now."""
        world = self._world
        present = [name for name in world.plan.nodes if name not in self._absent]
        leads = bool(self._random.getrandbits(1))
        chosen = self._random.choice(present)
        if leads and world.leader in present:
            chosen = world.leader
        voters = [name for name in present if name not in self._learners]
        if self._removing or (chosen not in self._learners and len(voters) <= VOTERS_MIN):
            return ""
        self._removing = True
        self._absent[chosen] = None
        self._remove(chosen, world.hosts[chosen].name)
        return chosen

    def _remove(self, machine: str, member: str) -> None:
        """Ask that a member be removed, until it is certain that it was."""
        answers: list[Response] = []
        world = self._world
        node = self._random.choice((world.leader, *world.plan.nodes))
        body = encode({"server_id": member})
        request = Request("update", REMOVE_PATH, self._operators.root_token, body)
        world.ask(OPERATOR, node, request, PATIENCE_NS, answers.append)
        world.at(world.time_ns + PATIENCE_NS + _RETRY_NS, self._look, (machine, member), answers)

    def _look(self, what: tuple[str, str], answers: list[Response]) -> None:
        """Go on if the answer has come that says that the member is gone."""
        machine, member = what
        if not answers or answers[0].status not in GONE:
            self._remove(machine, member)
            return
        self._removing = False
        self.removals += 1
        if machine != self.left:
            self._world.at(self._soon(LINGER_NS_MAX), self._end, machine, None)

    def _end(self, machine: str, _nothing: None) -> None:
        """End the process of a removed member, and keep the machine down for a while."""
        host = self._world.hosts[machine]
        host.down += 1
        host.crash(self._random, "keep")
        self._world.at(self._soon(ABSENCE_NS_MAX), self._return, machine, None)

    def _return(self, machine: str, _nothing: None) -> None:
        """Start anew with an empty disk, and join."""
        host = self._world.hosts[machine]
        votes = bool(self._random.randrange(_ONE_LEARNER_IN))
        self._learners.pop(machine, None)
        if not votes:
            self._learners[machine] = None
        host.reinstall()
        host.down -= 1
        if not host.down:
            host.start()
        self._operators.join(
            machine,
            lambda: self._other(machine),
            lambda: self._absent.pop(machine),
            votes=votes,
        )

    def _other(self, machine: str) -> str:
        """Draw a machine to ask, a member's if the draw is lucky."""
        return self._random.choice([name for name in self._world.plan.nodes if name != machine])

    def _soon(self, bound_ns: int) -> int:
        """Draw when to go on; at once if all is healed already."""
        wait_ns = self._random.randrange(bound_ns)
        return self._world.time_ns + (wait_ns if self._world.time_ns < self._healed_at_ns else 1)
