"""No answer without its audit records, and nothing done without the first (architecture, D17)."""

import re
from typing import Final

from core import effects
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import Question, World

DEVICE_PATH: Final = "sys/audit/"
_ENABLED: Final = 204
_RECORD: Final = re.compile(rb'"type":"(request|response)".*?"request":\{"id":"([0-9a-f-]{36})"')
_REQUEST_ID: Final = re.compile(rb'"request_id":"([0-9a-f-]{36})"')


class AnswersAreRecorded(Invariant):
    """Once a device is enabled, what names its request in an answer is in an audit file before.

    There are two records of it: as a request, which precedes whatever is done, and as an answer.
    The node that executes a request records it, so records anywhere will do. What no file has
    taken the first record of is not run, so it never comes to the second one; but for a read,
    which changes nothing and has both at once.
    """

    def __init__(self) -> None:
        self._enabled_ns = -1
        self._recorded: set[tuple[bytes, bytes]] = set()
        self._refused: set[bytes] = set()

    def recorded(self, _world: World, host: Host, kept: bytes, refused: bytes) -> None:
        """Remember which requests have which records, and which could not be recorded."""
        taken = _RECORD.findall(kept)
        self._recorded.update(taken)
        failed = _RECORD.findall(refused) if refused else []
        if not (failed or self._refused):
            return
        for kind, name in (*taken, *failed):
            if kind == b"response" and name in self._refused:
                raise self.violated(f"{host.name} has run {name.decode()}, which is not recorded")
        for kind, name in failed:
            if kind == b"request" and (kind, name) not in self._recorded:
                self._refused.add(name)

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Look for the record of an answer."""
        if self._enabled_ns < 0:
            if question.request.path.startswith(DEVICE_PATH) and (
                effect.response.status == _ENABLED
            ):
                self._enabled_ns = world.time_ns
            return
        named = _REQUEST_ID.search(effect.response.body)
        if named is None or question.asked_ns <= self._enabled_ns:
            return
        for kind in (b"request", b"response"):
            if (kind, named[1]) not in self._recorded:
                raise self.violated(
                    f"{host.name} answers {question.request.path} without a record of the"
                    f" {kind.decode()} {named[1].decode()}"
                )
