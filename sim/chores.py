"""What operators do while clients work: they ask leaders to step down, and seal them.

Owns when. Works through the API alone, as people would.
"""

from collections.abc import Callable
from typing import Final

from core.moment import NANOSECONDS_PER_SECOND
from core.request import Request
from sim.setup import OPERATOR, PATIENCE_NS, Operators
from sim.world import World

STEP_DOWN_NS: Final = 5 * NANOSECONDS_PER_SECOND
"""Mean pause between two requests to step down. Who steps down holds back for ten seconds, so
members that can lead must be left."""
SEAL_NS: Final = 20 * NANOSECONDS_PER_SECOND
CALM_NS: Final = 6 * NANOSECONDS_PER_SECOND
"""So long before all is healed the last chore is done."""

_CLUSTER_MIN: Final = 3
_OPEN_AGAIN_S: Final = (0, 1, 2, 5)
"""When an operator looks whether a sealed node is to be opened; the seal may come late."""


class Chores:
    """The operators' work of one run; each kind is done in half of the runs.

    Attributes:
        step_downs: how often a leader was asked to step down.
        seals: how often one was sealed.
    """

    __slots__ = ("_operators", "_random", "_world", "seals", "step_downs")

    def __init__(self, world: World, operators: Operators) -> None:
        self._world = world
        self._operators = operators
        self._random = world.streams.stream("chores")
        self.step_downs = 0
        self.seals = 0

    def begin(self, healed_at_ns: int) -> None:
        """Begin once the cluster is there."""
        until_ns = healed_at_ns - CALM_NS
        random = self._random
        steps_down = random.getrandbits(1) and len(self._world.plan.nodes) >= _CLUSTER_MIN
        seals = random.getrandbits(1)
        if steps_down:
            self._later(self._step_down, STEP_DOWN_NS, until_ns)
        if seals:
            self._later(self._seal, SEAL_NS, until_ns)

    def _later(self, what: Callable[[int, None], None], pause_ns: int, until_ns: int) -> None:
        at_ns = self._world.time_ns + self._random.randrange(pause_ns // 2, 3 * pause_ns // 2)
        if at_ns < until_ns:
            self._world.at(at_ns, what, until_ns, None)

    def _step_down(self, until_ns: int, _nothing: None) -> None:
        self.step_downs += 1
        self._ask("sys/step-down")
        self._later(self._step_down, STEP_DOWN_NS, until_ns)

    def _seal(self, until_ns: int, _nothing: None) -> None:
        self.seals += 1
        world = self._world
        name = world.leader
        self._ask("sys/seal")
        for pause_s in _OPEN_AGAIN_S:
            at_ns = world.time_ns + PATIENCE_NS + pause_s * NANOSECONDS_PER_SECOND
            world.at(at_ns, self._operators.keep_open, name, world.hosts[name].lives)
        self._later(self._seal, SEAL_NS, until_ns)

    def _ask(self, path: str) -> None:
        world = self._world
        request = Request("update", path, self._operators.root_token)
        world.ask(OPERATOR, world.leader, request, PATIENCE_NS, lambda _response: None)
