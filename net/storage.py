"""What the driver asks of a node's storage; files and memory each have one."""

from collections.abc import Callable
from typing import Protocol

from core import effects
from core.events import Event
from core.store.base import Base
from core.wal.recovery import Recovered

StorageEffect = (
    effects.WriteLog
    | effects.PrepareSegment
    | effects.DropSegments
    | effects.FlushBase
    | effects.StageSnapshot
    | effects.ReplaceBase
)

Done = Callable[[Event], None]
"""Hands the driver an event; called in the thread of its loop."""


class Storage(Protocol):
    """Carries out the effects that concern the log and the base."""

    @property
    def base(self) -> Base:
        """The durable state."""
        ...

    def recover(self, segment_bytes: int) -> Recovered:
        """Return what the log says, whose next segments will have `segment_bytes`."""
        ...

    def carry_out(self, effect: StorageEffect, done: Done) -> None:
        """Do it, now or later; `done` is told what the node has to know."""
        ...

    def close(self) -> None:
        """Finish what is under way, and let go of everything."""
        ...
