"""What every invariant is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from core import effects
    from core.node.messages import Message
    from core.raft.state import Raft
    from sim.host import Host
    from sim.world import Question, World


class Violated(Exception):
    """An invariant does not hold."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")


class Invariant:
    """One property; the methods that it needs are overridden, and only those are ever called.

    Attributes:
        MESSAGES: the types of messages that `sent` is shown.
    """

    MESSAGES: ClassVar[tuple[type, ...]] = ()

    def changed(self, world: World, host: Host, raft: Raft) -> None:
        """Look at a member whose consensus state has changed in its turn."""

    def logged(self, world: World, host: Host, raft: Raft) -> None:
        """Look at a member whose log begins or ends elsewhere after its turn."""

    def advanced(self, world: World, host: Host, raft: Raft) -> None:
        """Look at a member whose role, term, commit, stable or applied index has changed."""

    def led(self, world: World, host: Host, raft: Raft) -> None:
        """Look at a leader whose consensus state has changed in its turn, after the rest."""

    def started(self, world: World, host: Host) -> None:
        """Take note that a member was started."""

    def crashed(self, world: World, host: Host) -> None:
        """Take note that a member has crashed."""

    def sent(self, world: World, host: Host, receiver: str, message: Message) -> None:
        """Look at a message of one of the `MESSAGES` that leaves a member."""

    def wrote(self, world: World, host: Host, data: bytes) -> None:
        """Look at bytes that a member writes into its log."""

    def synced(self, world: World, host: Host) -> None:
        """Take note that all that a member wrote into its log is durable."""

    def based(self, world: World, host: Host) -> None:
        """Look at a member whose base has changed."""

    def recorded(self, world: World, host: Host, kept: bytes, refused: bytes) -> None:
        """Look at the audit records of one append: what files took, and what they did not."""

    def asked(self, world: World, question: Question) -> None:
        """Take note that a client asks."""

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Look at an answer as it leaves a member."""

    def at_end(self, world: World) -> None:
        """Look at the whole world once all has been healed."""

    def violated(self, text: str) -> Violated:
        """Return the error that says what was seen."""
        return Violated(type(self).__name__, text)
