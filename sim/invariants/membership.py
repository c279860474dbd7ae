"""Members change one at a time, and who was removed is gone (thesis, section 4).

A configuration is in force as soon as it is appended. A leader proposes one only when it has
committed an entry of its own term and the configuration before; so majorities always overlap.
"""

from typing import Final

import msgspec

from core import effects
from core.raft.configuration import Configuration
from core.raft.entry import KIND_CONFIGURATION
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import Question, World

REMOVE_PATH: Final = "sys/storage/raft/remove-peer"
GONE: Final = (204, 400)
"""Answers to that which say that the member is gone: just now, or before."""


class _Body(msgspec.Struct):
    """What matters in such a request."""

    server_id: str


class MembersChangeOneByOne(Invariant):
    """Each member follows the last configuration in its log, and leaders change it step by step."""

    def __init__(self) -> None:
        self._in_force: dict[str, tuple[Configuration, int]] = {}
        self._scanned: dict[str, tuple[int, int]] = {}
        self._removed: dict[str, int] = {}

    def logged(self, _world: World, host: Host, raft: Raft) -> None:
        """Look for a configuration that is not in force, and at one that is new."""
        self._compare_with_log(host, raft)
        configuration = raft.configuration
        before, before_index = self._in_force.get(host.name, (configuration, 0))
        self._in_force[host.name] = (configuration, raft.configuration_index)
        if configuration is not before and raft.leadership is not None:
            self._compare(host, before, before_index)

    def led(self, _world: World, host: Host, raft: Raft) -> None:
        """See whether a leader was removed in an earlier term."""
        if raft.term > self._removed.get(host.name, raft.term):
            raise self.violated(f"{host.name} was removed and leads in term {raft.term}")

    def answered(
        self, world: World, _host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Remember who was removed, and in which term at the latest."""
        request = question.request
        if request.path == REMOVE_PATH and effect.response.status in GONE:
            gone = msgspec.json.decode(request.body, type=_Body).server_id
            self._removed.setdefault(gone, max(world.terms))

    def _compare_with_log(self, host: Host, raft: Raft) -> None:
        """See whether a newer configuration than the one in force is in the log."""
        log = raft.log
        index, term = self._scanned.get(host.name, (0, 0))
        self._scanned[host.name] = (log.last_index, log.last_term)
        if index > log.last_index or log.term_at(index) != term:
            index = 0
        first = max(index, raft.configuration_index, log.start_index) + 1
        for entry in log.between(first, log.last_index) if first <= log.last_index else ():
            if entry.kind == KIND_CONFIGURATION:
                raise self.violated(
                    f"{host.name} follows the configuration at {raft.configuration_index} and has"
                    f" one at {entry.index}"
                )

    def _compare(self, host: Host, before: Configuration, before_index: int) -> None:
        """Compare the configuration that a leader has proposed with the one before."""
        assert host.node is not None
        raft = host.node.raft
        now = raft.configuration
        if before_index > raft.commit:
            raise self.violated(f"{host.name} proposes a change while one is under way")
        names = (*now.members, *(name for name in before.members if name not in now.members))
        changed = [name for name in names if now.votes(name) != before.votes(name)]
        if len(changed) > 1:
            raise self.violated(f"{host.name} changes more than one voter: {changed}")
        strangers = [name for name in (*now.incoming, *now.learners) if name not in now.members]
        strangers += [
            name for name in now.members if raft.term > self._removed.get(name, raft.term)
        ]
        if strangers:
            raise self.violated(f"{host.name} counts {strangers}, who are no members")
