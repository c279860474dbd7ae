"""A use-limited token opens something that often at most, a revoked one nothing any more.

Nor is a token refused before that.
"""

from typing import Final

import msgspec

from core import effects
from core.request import Response
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import Question, World

CREATE_PATH: Final = "auth/token/create"
REVOKE_PATH: Final = "auth/token/revoke"
_REFUSED: Final = 403
_NEVER: Final = 1 << 62
"""Uses of a token without a limit."""
_OPENED: Final = (200, 204, 404)
"""What an allowed request is answered; 404: there is nothing, but one may know that."""


class _Body(msgspec.Struct):
    """What matters in the bodies of requests about tokens."""

    num_uses: int = 0
    token: str = ""


class _Auth(msgspec.Struct):
    client_token: str


class _Created(msgspec.Struct):
    """What matters in the answer."""

    auth: _Auth


def limit_of(question: Question, response: Response) -> tuple[str, int]:
    """Return the token that an answer hands out and how often it may be used; 0: no limit."""
    request = question.request
    if request.path != CREATE_PATH or response.status != _OPENED[0]:
        return "", 0
    limit = msgspec.json.decode(request.body, type=_Body).num_uses
    return msgspec.json.decode(response.body, type=_Created).auth.client_token, limit


class TokensEnd(Invariant):
    """Looked at as answers leave members, whether or not they reach a client."""

    def __init__(self) -> None:
        self._uses_left: dict[str, int] = {}
        self._revoked_ns: dict[str, int] = {}
        self._tries_left: dict[str, int] = {}
        self._ended: set[str] = set()

    def asked(self, _world: World, question: Question) -> None:
        """Count how many uses the token must still have, if each that was asked took one."""
        request = question.request
        if request.token in self._tries_left:
            self._tries_left[request.token] -= 1
        if request.path == REVOKE_PATH:
            revoked = msgspec.json.decode(request.body, type=_Body).token
            self._tries_left.pop(revoked, None)
            self._ended.add(revoked)

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Count a use; refuse one too many, or one that was asked after the revocation."""
        response = effect.response
        tries_left = self._tries_left.get(question.request.token, -1)
        if response.status == _REFUSED and tries_left >= 0:
            raise self.violated(f"{host.name} refuses a token that has not ended")
        if response.status not in _OPENED:
            return
        request = question.request
        token = request.token
        if token in self._uses_left:
            self._uses_left[token] -= 1
            if self._uses_left[token] < 0:
                raise self.violated(f"{host.name} lets a token be used once too often")
        if question.asked_ns > self._revoked_ns.get(token, question.asked_ns):
            raise self.violated(f"{host.name} lets a token be used that was revoked before")
        created, limit = limit_of(question, response)
        if limit:
            self._uses_left[created] = limit
        if created and created not in self._ended:
            self._tries_left[created] = limit or _NEVER
        if request.path == REVOKE_PATH:
            revoked = msgspec.json.decode(request.body, type=_Body).token
            self._revoked_ns.setdefault(revoked, world.time_ns)
