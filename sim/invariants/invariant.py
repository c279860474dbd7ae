"""What every invariant is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core import effects
    from core.raft.state import Raft
    from sim.host import Host
    from sim.world import World


class Violated(Exception):
    """An invariant does not hold."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")


class Invariant:
    """One property; the methods that it needs are overridden."""

    def changed(self, world: World, host: Host, raft: Raft) -> None:
        """Look at a member whose consensus state has changed in its turn."""

    def started(self, world: World, host: Host) -> None:
        """Take note that a member was started."""

    def crashed(self, world: World, host: Host) -> None:
        """Take note that a member has crashed."""

    def answered(self, world: World, host: Host, effect: effects.Answer) -> None:
        """Look at an answer to a client."""

    def at_end(self, world: World) -> None:
        """Look at the whole world once all has been healed."""

    def violated(self, text: str) -> Violated:
        """Return the error that says what was seen."""
        return Violated(type(self).__name__, text)
