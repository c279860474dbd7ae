"""A use-limited token opens something that often at most, a revoked one nothing any more.

Nor does what descends from a revoked one. Nor is a token refused before that; what a time to live
ends is the matter of `sim.invariants.expiry`.
"""

from typing import Final

import msgspec

from core import effects
from core.request import Response
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import Question, World

CREATE_PATH: Final = "auth/token/create"
CREATE_ORPHAN_PATH: Final = "auth/token/create-orphan"
CREATE_PATHS: Final = (CREATE_PATH, CREATE_ORPHAN_PATH)
REVOKE_PATH: Final = "auth/token/revoke"
REFUSED: Final = 403
OPENED: Final = (200, 204, 404)
"""What an allowed request is answered; 404: there is nothing, but one may know that."""
LONG_TTL_S: Final = 24 * 3600
"""No run comes to the end of this, whatever its clocks do."""


class _Body(msgspec.Struct):
    """What matters in the bodies of requests about tokens."""

    num_uses: int = 0
    token: str = ""


class _Auth(msgspec.Struct):
    client_token: str
    lease_duration: int


class _Answer(msgspec.Struct):
    """What matters in the answer."""

    auth: _Auth


class Created(msgspec.Struct, frozen=True):
    """A token that an answer hands out.

    Attributes:
        token: itself.
        parent: the token that it descends from, or empty.
        uses: how often it may be used; 0: no limit.
        ttl_s: how long it lives.
    """

    token: str
    parent: str
    uses: int
    ttl_s: int


def created_by(question: Question, response: Response) -> Created | None:
    """Return the token that an answer hands out, if it does."""
    request = question.request
    path = request.path
    if path not in CREATE_PATHS or response.status != OPENED[0]:
        return None
    uses = msgspec.json.decode(request.body, type=_Body).num_uses
    auth = msgspec.json.decode(response.body, type=_Answer).auth
    parent = request.token if path == CREATE_PATH else ""
    return Created(auth.client_token, parent, uses, auth.lease_duration)


def revoked_by(question: Question) -> str:
    """Return the token that a request asks to revoke, or an empty text."""
    request = question.request
    if request.path != REVOKE_PATH:
        return ""
    return msgspec.json.decode(request.body, type=_Body).token


class TokensEnd(Invariant):
    """Looked at as answers leave members, whether or not they reach a client."""

    def __init__(self) -> None:
        self._uses_left: dict[str, int] = {}
        self._parents: dict[str, str] = {}
        self._revoked_ns: dict[str, int] = {}
        self._tries_left: dict[str, int] = {}
        self._ended: set[str] = set()

    def asked(self, _world: World, question: Question) -> None:
        """Count how many uses the token must still have, if each that was asked took one."""
        token = question.request.token
        if token in self._tries_left:
            self._tries_left[token] -= 1
        revoked = revoked_by(question)
        if revoked:
            self._tries_left.pop(revoked, None)
            self._ended.add(revoked)

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """Count a use; refuse one too many, or one that was asked after the revocation."""
        response = effect.response
        token = question.request.token
        tries_left = self._tries_left.get(token, -1)
        if response.status == REFUSED and tries_left >= 0:
            raise self.violated(f"{host.name} refuses a token that has not ended")
        if response.status not in OPENED:
            return
        if token in self._uses_left:
            self._uses_left[token] -= 1
            if self._uses_left[token] < 0:
                raise self.violated(f"{host.name} lets a token be used once too often")
        if question.asked_ns > self._ended_ns(token, question.asked_ns):
            raise self.violated(f"{host.name} lets a token be used that was revoked before")
        created = created_by(question, response)
        if created is not None:
            self._know(created)
        revoked = revoked_by(question)
        if revoked:
            self._revoked_ns.setdefault(revoked, world.time_ns)

    def _know(self, created: Created) -> None:
        """Take note of a new token; one whose parent may end is not expected to go on."""
        token = created.token
        self._parents[token] = created.parent
        if created.uses:
            self._uses_left[token] = created.uses
            lasts = created.ttl_s >= LONG_TTL_S and created.parent not in self._parents
            if lasts and token not in self._ended:
                self._tries_left[token] = created.uses

    def _ended_ns(self, token: str, otherwise_ns: int) -> int:
        """Return when a token or the first of its ancestors was revoked."""
        ended_ns = otherwise_ns
        while token:
            ended_ns = min(ended_ns, self._revoked_ns.get(token, ended_ns))
            token = self._parents.get(token, "")
        return ended_ns
