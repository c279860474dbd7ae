"""One simulated machine: a node, its disk and clocks, and its process that may crash or pause.

Owns its turns, and how the effects that do not concern the disk are carried out in virtual time;
`disk_work` has the others. Must not know faults' plans, clients or checks.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final

from core import effects, events
from core.check import InvariantBroken, check
from core.entropy import Entropy
from core.moment import NANOSECONDS_PER_SECOND, NEVER
from core.node.info import NodeInfo
from core.node.member import Node
from core.node.messages import Removed
from core.request import Request, Response
from core.settings import Settings
from core.vault import answers
from core.wal.recovery import recover
from sim.audit_files import AuditFiles
from sim.clock import Clock
from sim.disk import Disk
from sim.disk_work import DiskWork
from sim.faults import Unsynced

if TYPE_CHECKING:
    from sim.world import World

STAMP: Final = b"sim"
ASK_CLUSTER_NS: Final = 10 * NANOSECONDS_PER_SECOND
"""So long a node waits for an answer of the cluster that it wants to join, as in `net`."""
_NO_ANSWER: Final = 0
STOP_NS: Final = NANOSECONDS_PER_SECOND
"""So long a process that was asked to end goes on, to hand over leadership."""
_AUDIT_PATIENCE_TURNS_MAX: Final = 16
"""Turns that one turn's audit records may lead to, one after the other."""


class Host:
    """One machine of the simulated cluster, and the member that lives there.

    Attributes:
        machine: what it is called, by operators too; links and faults are those of machines.
        name: the node id of its member.
        node: the running node; None while it is down.
        disk: what survives.
        audit_files: where its member writes audit records.
        work: what its member has the disk do.
        clock: what it sees of time.
        lives: how often it was started.
        down: how many crashes keep it down.
        certificate: its member has credentials for the peer transport.
        removed: members that it has seen removed, itself perhaps among them: it does not hear
            them, and only tells them so.
    """

    __slots__ = (
        "_amid_turn",
        "_appended",
        "_deadline_ns",
        "_entropy",
        "_handlers",
        "_held",
        "_installs",
        "_paused",
        "_settings",
        "_stalled",
        "_timer_ns",
        "_waiting",
        "_world",
        "audit_files",
        "certificate",
        "clock",
        "disk",
        "down",
        "lives",
        "machine",
        "name",
        "node",
        "removed",
        "work",
    )

    def __init__(
        self,
        world: World,
        machine: str,
        settings: Settings,
        disk: Disk,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self.machine = self.name = machine
        self.disk = disk
        self.clock = clock
        self.node: Node | None = None
        self.lives = 0
        self.down = 0
        self.certificate = False
        self.removed: tuple[str, ...] = ()
        self._installs = 0
        self._world = world
        self._settings = settings
        self._entropy = entropy
        self._paused = 0
        self._amid_turn = False
        self._held: list[effects.Effect] | None = None
        self._appended: list[events.Event] = []
        self._waiting: list[events.Event] = []
        self._deadline_ns = self._timer_ns = NEVER
        self._stalled = False
        self.audit_files = AuditFiles()
        self.work = DiskWork(world, self)
        self._handlers: dict[type, Callable[[Any], None]] = {
            effects.Answer: self._answer,
            effects.WriteLog: self.work.write_log,
            effects.PrepareSegment: self.work.prepare_segment,
            effects.DropSegments: self.work.drop_segments,
            effects.FlushBase: self.work.flush_base,
            effects.StageSnapshot: self.work.stage_snapshot,
            effects.ReplaceBase: self.work.replace_base,
            effects.AppendAudit: self._append_audit,
            effects.AskCluster: self._ask_cluster,
            effects.IssueIdentity: self._issue_identity,
            effects.Report: self._report,
            effects.AdmitPeers: self._admit_peers,
            effects.Halt: self._halt,
        }

    # -- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover from the disk and begin to run."""
        world = self._world
        self.lives += 1
        self._deadline_ns = self._timer_ns = NEVER
        meta = self.disk.base.meta
        recovered = recover(
            self.disk.segments(),
            stamp=STAMP,
            segment_bytes=self._settings.store.segment_bytes,
            void_through=meta.void_through,
            base_index=meta.index,
        )
        for cut in recovered.cut:
            self.disk.write(cut.number, cut.offset, cut.data)
        self.disk.sync()
        now = self.clock.now(world.time_ns)
        machine = self.machine
        info = NodeInfo(
            self.name,
            machine,
            f"{machine}:8201",
            f"sim://{machine}",
            "simulated",
            removed=self.name in self.removed,
        )
        self.node = Node(info, self._settings, self._entropy, self.disk.base, recovered, now)
        world.started(self)
        self.turn([])

    def crash(self, random: Random, unsynced: Unsynced) -> None:
        """Lose all memory, and what was not synced as `unsynced` says."""
        if self.node is None:
            return
        self.node = None
        self.work.forget_crash()
        self._waiting = []
        self._held = None
        if self._stalled:
            self._stalled = False
            self._paused -= 1
        self.disk.crash(random, unsynced)
        self._world.crashed(self)

    def reinstall(self) -> None:
        """Wipe the disk; what starts here next is another member, with a node id of its own."""
        check(self.node is None, "only a machine that does not run is wiped")
        former = self.name
        self._installs += 1
        self.name = f"{self.machine}.{self._installs}"
        self.disk.wipe()
        self.certificate = False
        self.removed = ()
        self._world.installed(self, former)

    def stop(self, random: Random) -> None:
        """Ask the process to end; it ends after a while, with all that it has written."""
        world = self._world
        self.deliver(self.lives, events.StopAsked())
        self.crash_at(world.time_ns + STOP_NS, random, "keep")

    def crash_at(self, time_ns: int, random: Random, unsynced: Unsynced) -> None:
        """Crash then, if this life lasts until then."""
        self._world.at(time_ns, self._crash_now, self.lives, (random, unsynced))

    def _crash_now(self, life: int, how: tuple[Random, Unsynced]) -> None:
        if life == self.lives:
            self.crash(*how)
            if not self.down:
                # What the crash waited for took longer than the fault lasted.
                self._world.at(self._world.time_ns + 1, self._restart, life, None)

    def _restart(self, life: int, _nothing: None) -> None:
        if life == self.lives and self.node is None and not self.down:
            self.start()

    def pause(self, *, amid_turn: bool) -> None:
        """Get no turn until `resume`; if `amid_turn`, from the next that writes the log on."""
        self._paused += 1
        self._amid_turn = self._amid_turn or (amid_turn and self._paused == 1)

    def resume(self) -> None:
        """Take up what has gathered, in one turn."""
        self._paused -= 1
        if self._paused:
            return
        self._amid_turn = False
        if self.node is None:
            return
        waiting, self._waiting = self._waiting, []
        if self._held is not None:
            held, self._held = self._held, None
            waiting = self.carry_out(held) + waiting
        self.turn(waiting)

    def _stall(self, produced: list[effects.Effect]) -> None:
        """Stand still within a turn, as the audit files take their time."""
        world = self._world
        world.counts["audit_stalls"] += 1
        self._amid_turn = False
        self._held = produced
        self._stalled = True
        self._paused += 1
        world.at(world.time_ns + self.audit_files.late_ns, self._end_stall, self.lives, None)

    def _end_stall(self, life: int, _nothing: None) -> None:
        if life == self.lives and self._stalled:
            self._stalled = False
            self.resume()

    # -- turns ------------------------------------------------------------------------------

    def receive(self, life: int, event: events.Received) -> None:
        """Take in a message of a peer, or tell a node that was seen to be removed just that."""
        if event.sender in self.removed:
            if life == self.lives and self.node is not None and not self._paused:
                self._world.send(self, event.sender, Removed())
            return
        if self._paused:
            self.deliver(life, event)
        elif life == self.lives:
            self.turn([event])

    def deliver(self, life: int, event: events.Event) -> None:
        """Hand an event to the node, if it still lives the life that this was meant for."""
        if life != self.lives or self.node is None:
            return
        if self._paused and not self._amid_turn:
            self._waiting.append(event)
        else:
            self.turn([event])

    def wake(self, life: int, timer_ns: int) -> None:
        """Take a turn because its time has come, unless it was put off or brought forward."""
        if life != self.lives or timer_ns != self._timer_ns or self.node is None:
            return
        self._deadline_ns = self._timer_ns = NEVER
        if self._paused and not self._amid_turn:
            return
        if self.clock.time_ns(self.node.deadline_ns) <= self._world.time_ns:
            self.turn([])
        else:
            self._schedule()

    def turn(self, taken: list[events.Event]) -> None:
        """Take one turn and carry out what comes of it."""
        node = self.node
        if node is None:
            return
        world = self._world
        for _ in range(_AUDIT_PATIENCE_TURNS_MAX):
            produced = node.handle(taken, self.clock.now(world.time_ns))
            taken = []
            if produced:
                if self._amid_turn and any(type(effect) is effects.WriteLog for effect in produced):
                    self._amid_turn = False
                    self._held = produced
                    return
                if self.audit_files.late_ns and any(
                    type(effect) is effects.AppendAudit for effect in produced
                ):
                    self._stall(produced)
                else:
                    taken = self.carry_out(produced)
                    if self.node is not node:
                        return
            if world.look(world, self, node):
                world.changed(self, node)
            if not taken:
                break
        if node.deadline_ns < self._deadline_ns:
            self._schedule()

    def carry_out(self, produced: list[effects.Effect]) -> list[events.Event]:
        """Carry out effects; return what they lead to at once."""
        if self.audit_files.refuses:
            produced = self._recorded(produced)
        handlers = self._handlers
        send = self._world.send
        for effect in produced:
            if type(effect) is effects.Send:
                send(self, effect.receiver, effect.message)
            else:
                handlers[type(effect)](effect)
        if not self._appended:
            return self._appended
        appended, self._appended = self._appended, []
        return appended

    def reschedule(self) -> None:
        """Look at the deadline anew: the clock runs at another rate now."""
        if self.node is not None:
            self._schedule()

    def _schedule(self) -> None:
        """Wake up at the node's deadline, if it puts none off before."""
        assert self.node is not None
        world = self._world
        self._deadline_ns = self.node.deadline_ns
        self._timer_ns = max(self.clock.time_ns(self._deadline_ns), world.time_ns + 1)
        world.at(self._timer_ns, self.wake, self.lives, self._timer_ns)

    # -- effects ----------------------------------------------------------------------------

    def _answer(self, effect: effects.Answer) -> None:
        self._world.answer(self, effect)

    def _append_audit(self, effect: effects.AppendAudit) -> None:
        unwritable = self.audit_files.unwritable(effect.lines)
        kept = refused = b""
        for file, lines in effect.lines.items():
            if file.path in unwritable:
                refused += lines
            else:
                kept += lines
        self._world.recorded(self, kept, refused)
        self._appended.append(events.AuditAppended(effect.sequence, unwritable))

    def _recorded(self, produced: list[effects.Effect]) -> list[effects.Effect]:
        """Return these effects, without what must not leave if no file takes their records."""
        for effect in produced:
            if type(effect) is effects.AppendAudit and not effect.is_kept(
                self.audit_files.unwritable(effect.lines)
            ):
                self._world.counts["audit_refusals"] += 1
                return [kept for each in produced if (kept := _without_record(each)) is not None]
        return produced

    def _ask_cluster(self, effect: effects.AskCluster) -> None:
        receiver = effect.address.api_address.removeprefix("sim://")
        request = Request("update", effect.path, body=effect.body)
        life = self.lives
        pending = [effect.path]

        def answered(response: Response) -> None:
            if pending:
                answer = events.ClusterAnswered(effect.question, pending.pop(), response)
                self.deliver(life, answer)

        def give_up(_first: None, _second: None) -> None:
            answered(Response(_NO_ANSWER, b"timed out"))

        world = self._world
        world.ask(self.machine, receiver, request, ASK_CLUSTER_NS, answered)
        world.at(world.time_ns + ASK_CLUSTER_NS, give_up, None, None)

    def _issue_identity(self, _effect: effects.IssueIdentity) -> None:
        self.certificate = True

    def _report(self, effect: effects.Report) -> None:
        self._world.trace(self.name, "report", lambda: f"{effect.text} {effect.fields}")

    def _admit_peers(self, effect: effects.AdmitPeers) -> None:
        members = effect.configuration.members
        known = dict.fromkeys((*self.removed, *effect.removed))
        self.removed = tuple(node for node in known if node not in members)
        self._world.trace(self.name, "members", lambda: str(effect.configuration.incoming))

    def _halt(self, effect: effects.Halt) -> None:
        raise InvariantBroken(f"{self.name} halted: {effect.reason}")


def _without_record(effect: effects.Effect) -> effects.Effect | None:
    """Return what becomes of an effect if no audit file has its record, as in `net`."""
    if isinstance(effect, effects.Answer) and effect.audited:
        return effects.Answer(effect.handle, answers.AUDIT_FAILED)
    if isinstance(effect, effects.Send) and effect.audited:
        return None
    return effect
