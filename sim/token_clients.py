"""Clients whose tokens end: after some uses, after a time, or when they or a parent are revoked.

Owns who asks what with such a token, and where. Whether a token opened something that it must not
is for invariants to say, which see the answers.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND
from core.request import Request, Response
from sim.invariants.tokens import CREATE_ORPHAN_PATH, CREATE_PATH, REVOKE_PATH
from sim.setup import TOKEN, data_of, encode
from sim.world import World

USES_MAX: Final = 4
TTL_S_MAX: Final = 4
PULSE_NS: Final = 2_000 * NANOSECONDS_PER_MILLISECOND
PATIENCE_NS: Final = 4 * NANOSECONDS_PER_SECOND
BURST_NS: Final = 6 * NANOSECONDS_PER_MILLISECOND
LIFE_NS: Final = 3 * NANOSECONDS_PER_SECOND
"""So long after its creation a token without a time to live is used last."""
AFTERLIFE_NS: Final = 8 * NANOSECONDS_PER_SECOND
"""So long after its parent's end a token is used last."""

CROWD: Final = 8
"""Tokens asked for at once of machines that are cut off: each is an entry that may be lost."""

_UNAVAILABLE: Final = (500, 503)
_BURST: Final = 4
_LATER: Final = 8
_CHILD_USES: Final = 3
_EDGE_NS: Final = 400 * NANOSECONDS_PER_MILLISECOND
"""A token is used most within this of its end."""
_OK: Final = 200
_EMPTY: Final = 204
_POSSIBLE: Final = (_OK, _EMPTY, 400, 403, 404, 500, 503)
"""400: what is to be revoked is no token, or none any more."""


class UnexpectedTokenAnswer(Exception):
    """An answer that no right cluster gives."""


class TokenClients:
    """Makes tokens, uses each at several members at once and later, and revokes some.

    Attributes:
        asked: how many requests they made.
        acknowledged: how many were answered.
    """

    __slots__ = ("_clients", "_key", "_random", "_root_token", "_world", "acknowledged", "asked")

    def __init__(self, world: World, clients: tuple[str, ...], key: str) -> None:
        self._world = world
        self._clients = clients
        self._key = key
        self._random = world.streams.stream("tokens")
        self._root_token = ""
        self.acknowledged = 0
        self.asked = 0

    def begin(self, root_token: str, until_ns: int) -> None:
        """Let them act until that time."""
        self._root_token = root_token
        self._world.at(self._world.time_ns, self._pulse, until_ns, None)

    def _pulse(self, until_ns: int, _nothing: None) -> None:
        world = self._world
        if world.time_ns >= until_ns:
            return
        random = self._random
        kind = random.choice((self._limited, self._limited, self._plain, self._brief))
        kind()
        world.at(world.time_ns + self._after(2 * PULSE_NS), self._pulse, until_ns, None)

    def crowd(self, machines: Sequence[str]) -> None:
        """Ask for many tokens at these machines, which others may leave behind."""
        if not self._root_token:
            return
        request = Request("update", CREATE_PATH, self._root_token, encode(TOKEN))
        for _ in range(CROWD):
            self._ask(request, self._random.choice(machines), lambda _response: None)

    # -- kinds of tokens --------------------------------------------------------------------

    def _limited(self) -> None:
        """Make a token with a number of uses, and use it up."""
        uses = self._random.randint(1, USES_MAX)
        self._create(self._root_token, {"num_uses": uses}, self._use_up)

    def _plain(self) -> None:
        """Make a token, use it and revoke it."""

        def made(token: str) -> None:
            self._use_up(token)
            end_ns = self._world.time_ns + self._after(LIFE_NS)
            self._world.at(end_ns, self._revoke, token, None)
            self._descend(token, end_ns)

        self._create(self._root_token, {}, made)

    def _brief(self) -> None:
        """Make a token with a short time to live, an orphan or not, and use it about its end."""
        ttl_s = self._random.randint(1, TTL_S_MAX)
        orphan = bool(self._random.getrandbits(1))

        def made(token: str) -> None:
            world = self._world
            end_ns = world.time_ns + ttl_s * NANOSECONDS_PER_SECOND
            for _ in range(_LATER):
                at_ns = end_ns + self._random.randrange(-_EDGE_NS, _EDGE_NS)
                world.at(at_ns, self._use, token, None)
            self._descend(token, end_ns)

        self._create(self._root_token, {"ttl": ttl_s}, made, orphan=orphan)

    def _descend(self, parent: str, end_ns: int) -> None:
        """Let a token have a child or make an orphan, to be used before and after its end."""

        def made(token: str) -> None:
            world = self._world
            for _ in range(_CHILD_USES):
                world.at(end_ns + self._after(AFTERLIFE_NS), self._use, token, None)
            world.at(world.time_ns + self._after(LIFE_NS), self._use, token, None)

        if self._random.getrandbits(1):
            self._create(parent, {}, made, orphan=not self._random.randrange(_CHILD_USES))

    # -- what is done with them -------------------------------------------------------------

    def _create(
        self,
        parent: str,
        fields: dict[str, Any],
        made: Callable[[str], None],
        *,
        orphan: bool = False,
    ) -> None:
        """Ask for a token; `made` is given it."""
        path = CREATE_ORPHAN_PATH if orphan else CREATE_PATH
        request = Request("update", path, parent, encode(TOKEN | fields))

        def answered(response: Response) -> None:
            if response.status == _OK:
                made(data_of(response)["auth"]["client_token"])

        self._ask(request, self._node(), answered)

    def _use_up(self, token: str) -> None:
        """Use a token at several members at once, or now and then until its life is over."""
        world = self._world
        count, span_ns = _LATER, LIFE_NS
        if self._random.getrandbits(1):
            count, span_ns = _BURST, BURST_NS
        for _ in range(count):
            world.at(world.time_ns + self._after(span_ns), self._use, token, None)

    def _use(self, token: str, _nothing: None) -> None:
        request = Request("read", f"secret/data/{self._key}", token)
        self._ask(request, self._node(), lambda _response: None)

    def _revoke(self, token: str, _nothing: None) -> None:
        request = Request("update", REVOKE_PATH, self._root_token, encode({"token": token}))
        node = self._node()

        def revoked(response: Response) -> None:
            if response.status == _EMPTY:
                for _ in range(_BURST):
                    begin_ns = self._world.time_ns + self._after(BURST_NS)
                    self._world.at(begin_ns, self._use, token, None)

        self._ask(request, node, revoked)

    def _ask(self, request: Request, node: str, done: Callable[[Response], None]) -> None:
        def answered(response: Response) -> None:
            if response.status not in _POSSIBLE:
                raise UnexpectedTokenAnswer(f"{request.path} at {node}: {response}")
            self.acknowledged += response.status not in _UNAVAILABLE
            done(response)

        self.asked += 1
        client = self._random.choice(self._clients)
        self._world.ask(client, node, request, PATIENCE_NS, answered)

    def _node(self) -> str:
        """Draw a member: as often as not the one that leads."""
        if self._random.getrandbits(1):
            return self._world.leader
        return self._random.choice(self._world.plan.nodes)

    def _after(self, bound_ns: int) -> int:
        return self._random.randrange(bound_ns)
