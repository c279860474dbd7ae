"""No answer without its audit record (architecture, D17)."""

import re
from typing import Final

from core import effects
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import Question, World

DEVICE_PATH: Final = "sys/audit/"
_ENABLED: Final = 204
_RECORD: Final = re.compile(rb'"type":"response".*?"request":\{"id":"([0-9a-f-]{36})"')
_REQUEST_ID: Final = re.compile(rb'"request_id":"([0-9a-f-]{36})"')


class AnswersAreRecorded(Invariant):
    """Once a device is enabled, what names its request in an answer is in an audit file before.

    The node that executes a request records it, so a record anywhere will do.
    """

    def __init__(self) -> None:
        self._enabled_ns = -1
        self._recorded: set[bytes] = set()

    def recorded(self, _world: World, _host: Host, lines: bytes) -> None:
        """Remember which requests have the record of their answer."""
        self._recorded.update(_RECORD.findall(lines))

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
        if named[1] not in self._recorded:
            raise self.violated(
                f"{host.name} answers {question.request.path} without a record of"
                f" {named[1].decode()}"
            )
