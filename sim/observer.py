"""What a world shows to whoever watches it.

Owns the face of an observer. Must not know what is looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from core import effects
    from core.node.member import Node
    from core.node.messages import Message
    from sim.host import Host
    from sim.world import Question, World


class Observer(Protocol):
    """What watches the members."""

    def after_turn(self, world: World, host: Host, node: Node) -> bool:
        """Look at a member after its turn, and tell whether its consensus state has changed.

        Raises:
            Violated: an invariant is broken.
        """
        ...

    def started(self, world: World, host: Host) -> None:
        """A member was started."""
        ...

    def crashed(self, world: World, host: Host) -> None:
        """A member has crashed."""
        ...

    def sent(self, world: World, host: Host, receiver: str, message: Message) -> None:
        """A member sends a message."""
        ...

    def wrote(self, world: World, host: Host, data: bytes) -> None:
        """A member writes into its log."""
        ...

    def synced(self, world: World, host: Host) -> None:
        """What a member wrote into its log is durable."""
        ...

    def based(self, world: World, host: Host) -> None:
        """A member's base has changed."""
        ...

    def recorded(self, world: World, host: Host, kept: bytes, refused: bytes) -> None:
        """A member has appended audit records; some files may not have taken theirs."""
        ...

    def asked(self, world: World, question: Question) -> None:
        """A client asks."""
        ...

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """A member has answered a request."""
        ...
