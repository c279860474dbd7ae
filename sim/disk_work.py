"""What a member has its disk do, in virtual time.

Owns how long that takes, and what the member is told at its end. Whatever was begun in a life that
has ended since is told to nobody. Must not know what survives a crash: the disk does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core import effects, events
from core.moment import NANOSECONDS_PER_SECOND

if TYPE_CHECKING:
    from random import Random

    from sim.faults import Amid, Unsynced
    from sim.host import Host
    from sim.world import World

REPLACE_RETRY_NS: Final = NANOSECONDS_PER_SECOND
"""Before a snapshot is put in place again for which there was no room, as in `net`."""

_NO_SPACE: Final = "no space left on device"


class DiskWork:
    """Carries out the effects of one member that concern its disk."""

    __slots__ = ("_crash", "_host", "_world")

    def __init__(self, world: World, host: Host) -> None:
        self._world = world
        self._host = host
        self._crash: tuple[Amid, Random, Unsynced] | None = None

    def crash_amid(self, amid: Amid, random: Random, unsynced: Unsynced) -> None:
        """Let the host crash about the next work of that kind."""
        self._crash = (amid, random, unsynced)

    def forget_crash(self) -> None:
        """Give up waiting for such work."""
        self._crash = None

    def _crash_if_amid(self, amid: Amid, first_ns: int, last_ns: int) -> None:
        """Let the host crash between these times, if it is to crash amid such work."""
        if self._crash is None or self._crash[0] != amid:
            return
        _, random, unsynced = self._crash
        self._crash = None
        self._host.crash_at(random.randint(first_ns, last_ns), random, unsynced)

    def _lives(self, life: int) -> bool:
        return life == self._host.lives and self._host.node is not None

    def _refused(self, refusal: events.Event, kind: str) -> None:
        """Tell the member, a sync later, that there was no room."""
        world = self._world
        world.counts[kind] += 1
        done_ns = world.time_ns + self._host.disk.sync_ns()
        world.at(done_ns, self._host.deliver, self._host.lives, refusal)

    # -- the log ----------------------------------------------------------------------------

    def write_log(self, effect: effects.WriteLog) -> None:
        """Write a batch; it is durable a sync later."""
        host = self._host
        world = self._world
        for write in effect.writes:
            host.disk.write(write.number, write.offset, write.data)
            world.wrote(host, write.data)
        done_ns = world.time_ns + host.disk.sync_ns()
        self._crash_if_amid("write", world.time_ns, done_ns)
        world.at(done_ns, self._log_written, host.lives, effect.sequence)

    def _log_written(self, life: int, sequence: int) -> None:
        if self._lives(life):
            self._host.disk.sync()
            self._world.synced(self._host)
            self._host.deliver(life, events.LogWritten(sequence))

    def prepare_segment(self, effect: effects.PrepareSegment) -> None:
        """Preallocate a segment, if there is room."""
        host = self._host
        if host.disk.start_prepare(effect.number, effect.size):
            done_ns = self._world.time_ns + host.disk.sync_ns()
            self._world.at(done_ns, self._segment_ready, host.lives, effect.number)
        else:
            refusal = events.SegmentRefused(effect.number, _NO_SPACE)
            self._refused(refusal, "segments_refused")

    def _segment_ready(self, life: int, number: int) -> None:
        if self._lives(life):
            self._host.disk.finish_prepare(number)
            self._host.deliver(life, events.SegmentReady(number))

    def drop_segments(self, effect: effects.DropSegments) -> None:
        """Delete segments."""
        self._host.disk.drop(effect.below)

    # -- the base ---------------------------------------------------------------------------

    def flush_base(self, effect: effects.FlushBase) -> None:
        """Merge changes into the base, if there is room."""
        changes = effect.changes.values
        host = self._host
        world = self._world
        if host.disk.start_flush(effect.meta, changes.items()):
            done_ns = world.time_ns + host.disk.flush_ns(len(changes))
            world.at(done_ns, self._base_flushed, host.lives, effect.meta.index)
        else:
            refusal = events.BaseFlushRefused(effect.meta.index, _NO_SPACE)
            self._refused(refusal, "flushes_refused")

    def _base_flushed(self, life: int, index: int) -> None:
        if self._lives(life):
            self._host.disk.finish_base_change()
            self._world.counts["flushes"] += 1
            self._world.based(self._host)
            self._host.deliver(life, events.BaseFlushed(index))

    def stage_snapshot(self, effect: effects.StageSnapshot) -> None:
        """Keep a chunk of a snapshot aside, if there is room."""
        host = self._host
        if host.disk.stage(effect.snapshot, effect.number, effect.items):
            done_ns = self._world.time_ns + host.disk.flush_ns(len(effect.items))
            staged = events.SnapshotStaged(effect.snapshot, effect.number)
            self._world.at(done_ns, host.deliver, host.lives, staged)
        else:
            refusal = events.SnapshotRefused(effect.snapshot, effect.number, _NO_SPACE)
            self._refused(refusal, "chunks_refused")

    def replace_base(self, effect: effects.ReplaceBase) -> None:
        """Make a staged snapshot the base; without room for that it is tried again and again.

        The member can do nothing about it: it has the whole snapshot. A crash amid this comes as
        often after the end as before it: until it has written on, a member has a base and a log
        that do not fit each other.
        """
        self._replace(self._host.lives, effect)

    def _replace(self, life: int, effect: effects.ReplaceBase) -> None:
        if not self._lives(life):
            return
        host = self._host
        world = self._world
        sync_ns = host.disk.sync_ns()
        if host.disk.start_replace(effect.snapshot, effect.meta):
            done_ns = world.time_ns + sync_ns
            self._crash_if_amid("replacement", world.time_ns, done_ns + sync_ns)
            world.at(done_ns, self._base_replaced, life, effect.snapshot)
        else:
            world.counts["replacements_refused"] += 1
            world.at(world.time_ns + REPLACE_RETRY_NS, self._replace, life, effect)

    def _base_replaced(self, life: int, snapshot: int) -> None:
        if self._lives(life):
            self._host.disk.finish_base_change()
            self._world.counts["snapshots"] += 1
            self._world.based(self._host)
            self._host.deliver(life, events.BaseReplaced(snapshot))
