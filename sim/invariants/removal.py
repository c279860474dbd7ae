"""Who was removed finds out, and serves nobody any more; nobody else takes itself for removed.

A removed member that nobody tells would ask for votes for ever, keep the keys of its cluster in
memory and tell its clients that there is no leader. A member that was told wrongly would be lost to
its cluster, for it never comes back.
"""

from typing import Final

import msgspec

from core import effects
from core.moment import NANOSECONDS_PER_SECOND
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.invariants.membership import GONE, REMOVE_PATH
from sim.world import Question, World

TOLD_NS_MAX: Final = 5 * NANOSECONDS_PER_SECOND
"""So long at most a removed member that runs and reaches the others may not know it."""


class _Body(msgspec.Struct):
    """What matters in a request to remove a member."""

    server_id: str


class RemovedAreTold(Invariant):
    """Once all has been healed, removed members that still run, and they alone, know it."""

    def __init__(self) -> None:
        self._removed_ns: dict[str, int] = {}
        self._started_ns: dict[str, int] = {}

    def started(self, world: World, host: Host) -> None:
        """Remember since when a member runs."""
        self._started_ns[host.name] = world.time_ns

    def answered(
        self, world: World, _host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Remember who was removed, and when at the latest."""
        request = question.request
        if request.path == REMOVE_PATH and effect.response.status in GONE:
            gone = msgspec.json.decode(request.body, type=_Body).server_id
            self._removed_ns.setdefault(gone, world.time_ns)

    def at_end(self, world: World) -> None:
        """Look at the members, and at those that have had the time to find out since then."""
        for leader in world.members.values():
            if leader.node is not None and leader.node.leads:
                self._look_at_members(world, leader.node.raft)
        for name, removed_ns in self._removed_ns.items():
            host = world.members.get(name)
            if host is None or host.node is None:
                continue
            began_ns = max(removed_ns, self._started_ns[name], world.plan.healed_at_ns)
            # A member whose state was lost knows nobody whom it could ask.
            knows_members = bool(host.node.raft.configuration.members)
            if not knows_members or world.time_ns - began_ns < TOLD_NS_MAX:
                continue
            if not host.node.removed:
                raise self.violated(f"{name} was removed and does not know it")
            if not host.node.sealed:
                raise self.violated(f"{name} knows that it was removed and is not sealed")

    def _look_at_members(self, world: World, raft: Raft) -> None:
        """Look at those whom a leader has committed as members."""
        if raft.configuration_index > raft.commit:
            return
        for name in raft.configuration.members:
            host = world.members.get(name)
            if name in self._removed_ns or host is None or host.node is None:
                continue
            if host.node.removed:
                raise self.violated(f"{name} is a member and takes itself for removed")
