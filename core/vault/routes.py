"""The table of the system's own paths: which handler takes which operation.

A pattern is a path, in which one `*` may stand for any rest that is not empty, slashes included:
`mounts/*`, `mounts/*/tune`. An exact path wins, then the pattern with the most letters.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from core.request import Operation
from core.vault.context import Context
from core.vault.reply import Reply

Handler = Callable[[Context], Reply]
"""Does it, or raises `RequestError`."""

WILDCARD: Final = "*"


class Route(msgspec.Struct, frozen=True):
    """One pattern.

    Attributes:
        pattern: a path behind `/v1/`.
        reads: handlers by operation that never write; any node runs them.
        writes: handlers by operation that may write; the leader runs them.
        unauthenticated: no token is needed.
    """

    pattern: str
    reads: Mapping[Operation, Handler] = {}
    writes: Mapping[Operation, Handler] = {}
    unauthenticated: bool = False


class Routes:
    """Finds the route of a path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Route] = {}
        wild: list[tuple[str, str, Route]] = []
        for route in routes:
            head, star, tail = route.pattern.partition(WILDCARD)
            if star:
                wild.append((head, tail, route))
            else:
                self._exact[route.pattern] = route
        self._wild = sorted(wild, key=lambda each: len(each[2].pattern), reverse=True)

    def find(self, path: str) -> tuple[Route, str] | None:
        """Return the route of `path` and what its wildcard stands for, or None.

        A slash at the end, as a LIST has it, makes no difference.
        """
        path = path.rstrip("/")
        route = self._exact.get(path)
        if route is not None:
            return route, ""
        for head, tail, wild in self._wild:
            if path.startswith(head) and path.endswith(tail):
                argument = path[len(head) : len(path) - len(tail)]
                if argument:
                    return wild, argument
        return None
