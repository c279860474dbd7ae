"""Shows the members of a world to all invariants.

Owns which invariant is called when. Must not know what any of them looks for.
"""

from collections.abc import Callable, Sequence
from typing import Final

from core import effects
from core.node.member import Node
from core.node.messages import Message
from sim.host import Host
from sim.invariants import ALL, Invariant
from sim.world import Question, World

_LOG_END: Final = 3
"""So many of the numbers of a member's state say where its log begins and ends."""
_UNSEEN: Final = (None,) * 8


class Watch:
    """Shows the members to all invariants; what an invariant does not override costs nothing."""

    def __init__(
        self, on_start: Callable[[Host], None], kinds: Sequence[type[Invariant]] = ALL
    ) -> None:
        invariants = [kind() for kind in kinds]
        self._on_start = on_start
        self._seen: dict[str, tuple[object, ...]] = {}
        self._changed = _overridden(invariants, "changed")
        self._logged = _overridden(invariants, "logged")
        self._advanced = _overridden(invariants, "advanced")
        self._led = _overridden(invariants, "led")
        self._started = _overridden(invariants, "started")
        self._crashed = _overridden(invariants, "crashed")
        self._wrote = _overridden(invariants, "wrote")
        self._synced = _overridden(invariants, "synced")
        self._based = _overridden(invariants, "based")
        self._recorded = _overridden(invariants, "recorded")
        self._asked = _overridden(invariants, "asked")
        self._answered = _overridden(invariants, "answered")
        self._at_end = _overridden(invariants, "at_end")
        self._sent: dict[type, list[Callable[..., None]]] = {}
        for invariant in invariants:
            for kind in invariant.MESSAGES:
                self._sent.setdefault(kind, []).append(invariant.sent)

    def after_turn(self, world: World, host: Host, node: Node) -> bool:
        """Look at a member unless all is as it was."""
        raft = node.raft
        log = raft.log
        state = (
            log.last_index,
            log.last_term,
            log.start_index,
            log.stable_index,
            raft.role,
            raft.term,
            raft.commit,
            node.store.applied_index,
        )
        seen = self._seen
        name = host.name
        before = seen.get(name, _UNSEEN)
        if before == state:
            return False
        seen[name] = state
        for look in self._changed:
            look(world, host, raft)
        if before[:_LOG_END] != state[:_LOG_END]:
            for look in self._logged:
                look(world, host, raft)
        if before[_LOG_END:] != state[_LOG_END:]:
            for look in self._advanced:
                look(world, host, raft)
        if raft.leadership is not None:
            for look in self._led:
                look(world, host, raft)
        return True

    def started(self, world: World, host: Host) -> None:
        """Tell the invariants, and the operators who have to open it."""
        self._seen.pop(host.name, None)
        for look in self._started:
            look(world, host)
        self._on_start(host)

    def crashed(self, world: World, host: Host) -> None:
        """Tell the invariants."""
        for look in self._crashed:
            look(world, host)

    def sent(self, world: World, host: Host, receiver: str, message: Message) -> None:
        """Show a message to those who look at its kind."""
        for look in self._sent.get(type(message), ()):
            look(world, host, receiver, message)

    def wrote(self, world: World, host: Host, data: bytes) -> None:
        """Show the invariants what goes into a log."""
        for look in self._wrote:
            look(world, host, data)

    def synced(self, world: World, host: Host) -> None:
        """Tell the invariants that a log is durable as written."""
        for look in self._synced:
            look(world, host)

    def based(self, world: World, host: Host) -> None:
        """Show the invariants a base that has changed."""
        for look in self._based:
            look(world, host)

    def recorded(self, world: World, host: Host, kept: bytes, refused: bytes) -> None:
        """Show the invariants audit records."""
        for look in self._recorded:
            look(world, host, kept, refused)

    def asked(self, world: World, question: Question) -> None:
        """Show the invariants a question."""
        for look in self._asked:
            look(world, question)

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Show the invariants an answer."""
        for look in self._answered:
            look(world, host, question, effect)

    def at_end(self, world: World) -> None:
        """Let the invariants look at the whole world."""
        for look in self._at_end:
            look(world)


def _overridden(invariants: list[Invariant], name: str) -> list[Callable[..., None]]:
    """Return this method of all invariants that have one of their own."""
    return [
        getattr(invariant, name)
        for invariant in invariants
        if getattr(type(invariant), name) is not getattr(Invariant, name)
    ]
