"""Brings the faults of a plan about, and ends them.

Owns what each kind of fault means for the network and for the machines. Must not know when faults
are due: the plan says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.faults import (
    AnyFault,
    AuditRefusal,
    BitRot,
    ClockDrift,
    ClockJump,
    Crash,
    DiskFull,
    LinkFault,
    Partition,
    Pause,
    SlowAudit,
    SlowDisk,
    Stop,
    resolve,
)

if TYPE_CHECKING:
    from random import Random

    from sim.host import Host
    from sim.network import Network
    from sim.plan import Plan
    from sim.world import World


class Injector:
    """The faults of one run."""

    __slots__ = ("_network", "_random", "_world")

    def __init__(self, world: World, network: Network, random: Random) -> None:
        """Act on a world.

        Args:
            world: whose machines fail.
            network: its links.
            random: decides what is left of what a crash interrupts, and which records rot.
        """
        self._world = world
        self._network = network
        self._random = random

    def schedule(self, plan: Plan) -> None:
        """Let every fault begin in its time, and all be healed at the end of them."""
        for fault in plan.faults:
            self._world.at(fault.at_ns, self._begin, fault, None)
        self._world.at(plan.healed_at_ns, self._heal, None, None)

    def _begin(self, planned: AnyFault, _nothing: None) -> None:
        world = self._world
        fault = resolve(planned, world.leader)
        world.counts["faults"] += 1
        world.trace("", "fault", lambda: str(fault))
        if isinstance(fault, LinkFault):
            self._network.begin(fault)
            if isinstance(fault, Partition):
                world.on_cut(fault.left)
        else:
            for name in fault.nodes:
                self._begin_at(world.hosts[name], fault)
        world.at(max(fault.until_ns, world.time_ns + 1), self._end, fault, None)

    def _begin_at(self, host: Host, fault: AnyFault) -> None:
        if isinstance(fault, Crash):
            host.down += 1
            if fault.amid == "anything":
                host.crash(self._random, fault.unsynced)
            else:
                host.work.crash_amid(fault.amid, self._random, fault.unsynced)
        elif isinstance(fault, Stop):
            host.down += 1
            host.stop(self._random)
        elif isinstance(fault, Pause):
            host.pause(amid_turn=fault.amid_turn)
        elif isinstance(fault, ClockDrift | ClockJump):
            host.clock.begin(fault, self._world.time_ns)
            host.reschedule()
        elif isinstance(fault, DiskFull | SlowDisk):
            host.disk.begin(fault)
        elif isinstance(fault, AuditRefusal | SlowAudit):
            host.audit_files.begin(fault)
        elif isinstance(fault, BitRot):
            host.disk.base.rot(self._random)

    def _end(self, fault: AnyFault, _nothing: None) -> None:
        self._world.trace("", "end", lambda: str(fault))
        if isinstance(fault, LinkFault):
            self._network.end(fault)
        else:
            for name in fault.nodes:
                self._end_at(self._world.hosts[name], fault)

    def _end_at(self, host: Host, fault: AnyFault) -> None:
        if isinstance(fault, Crash | Stop):
            host.down -= 1
            host.work.forget_crash()
            if not host.down and host.node is None:
                host.start()
        elif isinstance(fault, Pause):
            host.resume()
        elif isinstance(fault, ClockDrift | ClockJump):
            host.clock.end(fault, self._world.time_ns)
            host.reschedule()
        elif isinstance(fault, DiskFull | SlowDisk):
            host.disk.end(fault)
        elif isinstance(fault, AuditRefusal | SlowAudit):
            host.audit_files.end(fault)

    def _heal(self, _first: None, _second: None) -> None:
        self._world.trace("", "healed", str)
        self._network.heal()
        for host in self._world.hosts.values():
            host.disk.heal()
            host.audit_files.heal()
