"""What a member has its disk do, in virtual time.

Owns how long that takes, and what the member is told at its end. Whatever was begun in a life that
has ended since is told to nobody. Must not know what survives a crash: the disk does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core import effects, events

if TYPE_CHECKING:
    from random import Random

    from sim.faults import Unsynced
    from sim.host import Host
    from sim.world import World

_NO_SPACE: Final = "no space left on device"


class DiskWork:
    """Carries out the effects of one member that concern its disk."""

    __slots__ = ("_amid_write", "_host", "_world")

    def __init__(self, world: World, host: Host) -> None:
        self._world = world
        self._host = host
        self._amid_write: tuple[Random, Unsynced] | None = None

    def crash_amid_write(self, random: Random, unsynced: Unsynced) -> None:
        """Let the host crash while a write of the log is under way next."""
        self._amid_write = (random, unsynced)

    def forget_crash(self) -> None:
        """Give up waiting for such a write."""
        self._amid_write = None

    def _lives(self, life: int) -> bool:
        return life == self._host.lives and self._host.node is not None

    # -- the log ----------------------------------------------------------------------------

    def write_log(self, effect: effects.WriteLog) -> None:
        """Write a batch; it is durable a sync later."""
        host = self._host
        world = self._world
        for write in effect.writes:
            host.disk.write(write.number, write.offset, write.data)
            world.wrote(host, write.data)
        done_ns = world.time_ns + host.disk.sync_ns()
        if self._amid_write is not None:
            random, unsynced = self._amid_write
            crash_ns = random.randint(world.time_ns, done_ns)
            self._amid_write = None
            host.crash_at(crash_ns, random, unsynced)
        world.at(done_ns, self._log_written, host.lives, effect.sequence)

    def _log_written(self, life: int, sequence: int) -> None:
        if self._lives(life):
            self._host.disk.sync()
            self._world.synced(self._host)
            self._host.deliver(life, events.LogWritten(sequence))

    def prepare_segment(self, effect: effects.PrepareSegment) -> None:
        """Preallocate a segment, if there is room."""
        started = self._host.disk.start_prepare(effect.number, effect.size)
        done_ns = self._world.time_ns + self._host.disk.sync_ns()
        done = self._segment_ready if started else self._segment_refused
        self._world.at(done_ns, done, self._host.lives, effect.number)

    def _segment_ready(self, life: int, number: int) -> None:
        if self._lives(life):
            self._host.disk.finish_prepare(number)
            self._host.deliver(life, events.SegmentReady(number))

    def _segment_refused(self, life: int, number: int) -> None:
        self._host.deliver(life, events.SegmentRefused(number, _NO_SPACE))

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
            done_ns = world.time_ns + host.disk.sync_ns()
            refused = events.BaseFlushRefused(effect.meta.index, _NO_SPACE)
            world.at(done_ns, host.deliver, host.lives, refused)

    def _base_flushed(self, life: int, index: int) -> None:
        if self._lives(life):
            self._host.disk.finish_base_change()
            self._world.counts["flushes"] += 1
            self._world.based(self._host)
            self._host.deliver(life, events.BaseFlushed(index))

    def stage_snapshot(self, effect: effects.StageSnapshot) -> None:
        """Keep a chunk of a snapshot aside."""
        host = self._host
        host.disk.stage(effect.snapshot, effect.number, effect.items)
        done_ns = self._world.time_ns + host.disk.flush_ns(len(effect.items))
        staged = events.SnapshotStaged(effect.snapshot, effect.number)
        self._world.at(done_ns, host.deliver, host.lives, staged)

    def replace_base(self, effect: effects.ReplaceBase) -> None:
        """Make a staged snapshot the base."""
        host = self._host
        host.disk.start_replace(effect.snapshot, effect.meta)
        done_ns = self._world.time_ns + host.disk.sync_ns()
        self._world.at(done_ns, self._base_replaced, host.lives, effect.snapshot)

    def _base_replaced(self, life: int, snapshot: int) -> None:
        if self._lives(life):
            self._host.disk.finish_base_change()
            self._world.counts["snapshots"] += 1
            self._world.based(self._host)
            self._host.deliver(life, events.BaseReplaced(snapshot))
