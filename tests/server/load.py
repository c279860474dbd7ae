"""Clients of a running cluster: threads with hvac, and the history of all they were told.

Owns what clients ask and what an answer says about the outcome. Must not know what is done to the
cluster meanwhile, nor judge: that is for the checker.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Final, Literal, Self

import hvac
import requests
from msgspec.structs import replace
from urllib3.exceptions import MaxRetryError, NewConnectionError

from core.moment import NANOSECONDS_PER_SECOND
from sim.checker.history import Operation

CLIENTS: Final = 8
KEYS: Final = ("east", "north", "south", "west")
ROUND: Final[tuple[Literal["read", "write", "cas", "token"], ...]] = (
    "read",
    "cas",
    "write",
    "read",
    "token",
)
"""What a client asks one node: a check-and-set follows a read, so that some of them match."""
STEPS_MAX: Final = 20_000
"""Requests of one client; a test that needs more is stuck."""
ANSWER_S_MAX: Final = 10.0


class NotExecuted(Exception):
    """The cluster said that nothing was done, or nobody was there to be asked."""


class OutcomeUnknown(Exception):
    """It may have been done, or may still be."""


class Load:
    """Clients that ask all nodes in turn, until the end of the `with` block.

    Attributes:
        history: the operations on `KEYS`, in the order in which they ended.
        tokens: those that were created and acknowledged.
        not_executed: why clients went to another node and asked that one.
        unknown: what left a client without knowing what had become of its request.
        unexpected: whatever else a client was told, which ends it.
    """

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self.history: list[Operation] = []
        self.tokens: list[str] = []
        self.not_executed: list[NotExecuted] = []
        self.unknown: list[OutcomeUnknown] = []
        self.unexpected: list[Exception] = []
        self._served_ns: dict[str, int] = {}
        self._ended = threading.Event()
        clients = [_Client(self, number, urls, token) for number in range(CLIENTS)]
        self._threads = [
            threading.Thread(target=self._run, args=(client,), name=client.name)
            for client in clients
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client: "_Client") -> None:
        try:
            for step in range(STEPS_MAX):
                if self._ended.is_set():
                    return
                client.take(step)
            self.unexpected.append(TimeoutError(f"{STEPS_MAX} requests of {client.name}"))
        except Exception as error:  # noqa: BLE001 -- a thread has no other way to fail its test
            self.unexpected.append(error)
        finally:
            client.close()

    def served(self, url: str, asked_ns: int) -> None:
        """Take note that a node has done what it was asked at that time."""
        self._served_ns[url] = max(self._served_ns.get(url, 0), asked_ns)

    def was_served_by(self, url: str, since_ns: int) -> bool:
        """Tell whether that node has done what it was asked since then."""
        return self._served_ns.get(url, 0) > since_ns

    def acknowledged_ns(self, since_ns: int) -> list[int]:
        """Return when writes were acknowledged that were asked for since then, sorted."""
        return sorted(
            operation.returned_ns
            for operation in list(self.history)
            if operation.kind != "read"
            and operation.version is not None
            and operation.returned_ns is not None
            and operation.invoked_ns >= since_ns
        )

    def longest_gap_s(self, since_ns: int) -> float:
        """Return the longest time without an acknowledged write, from then to the last one."""
        times = [since_ns, *self.acknowledged_ns(since_ns)]
        return max(later - sooner for sooner, later in pairwise(times)) / NANOSECONDS_PER_SECOND


class _Client:
    """One client. It asks one node for a round or until that fails, and then the next node.

    Attributes:
        name: what the history calls it.
    """

    def __init__(self, load: Load, number: int, urls: Sequence[str], token: str) -> None:
        self.name = f"c{number}"
        self._load = load
        self._number = number
        self._nodes = [hvac.Client(url, token=token, timeout=ANSWER_S_MAX) for url in urls]
        self._place = number
        self._versions = dict.fromkeys(KEYS, 0)

    def close(self) -> None:
        for node in self._nodes:
            node.adapter.close()

    def take(self, step: int) -> None:
        """Ask once, and keep what came of it."""
        node = self._nodes[self._place % len(self._nodes)]
        turn, place = divmod(step, len(ROUND))
        asked_ns = time.monotonic_ns()
        try:
            self._ask(node, step, ROUND[place], KEYS[(self._number + turn) % len(KEYS)])
        except NotExecuted as error:
            self._load.not_executed.append(error)
            self._place += 1
        except OutcomeUnknown as error:
            self._load.unknown.append(error)
            self._place += 1
        else:
            self._load.served(node.url, asked_ns)
            self._place += place == len(ROUND) - 1

    def _ask(
        self,
        node: hvac.Client,
        step: int,
        kind: Literal["read", "write", "cas", "token"],
        key: str,
    ) -> None:
        if kind == "token":
            self._load.tokens.append(create_token(node))
            return
        begun = Operation(
            client=self.name,
            key=key,
            kind=kind,
            invoked_ns=time.monotonic_ns(),
            value=None if kind == "read" else f"{self._number}-{step}",
            expected=self._versions[key] if kind == "cas" else 0,
        )
        try:
            ended = answered(node, begun)
        except OutcomeUnknown:
            self._load.history.append(begun)
            raise
        self._load.history.append(ended)
        if ended.version is not None:
            self._versions[key] = ended.version


def create_token(node: hvac.Client) -> str:
    with _outcome_told():
        made = node.auth.token.create(policies=["default"], ttl="1h")
    token: str = made["auth"]["client_token"]
    return token


def answered(node: hvac.Client, begun: Operation) -> Operation:
    """Ask a node for an operation, and return it with its answer.

    Raises:
        NotExecuted: nothing was done.
        OutcomeUnknown: it may have been.
    """
    value, version = begun.value, None
    with _outcome_told():
        kv = node.secrets.kv.v2
        if begun.kind == "read":
            value, version = _read(kv, begun.key)
        else:
            cas = begun.expected if begun.kind == "cas" else None
            try:
                made = kv.create_or_update_secret(begun.key, {"value": begun.value}, cas=cas)
                version = made["data"]["version"]
            except hvac.exceptions.InvalidRequest as refusal:
                if cas is None or "check-and-set parameter did not match" not in str(refusal):
                    raise
    return replace(begun, returned_ns=time.monotonic_ns(), value=value, version=version)


def _read(kv: hvac.api.secrets_engines.KvV2, key: str) -> tuple[str | None, int]:
    try:
        data = kv.read_secret_version(key, raise_on_deleted_version=True)["data"]
    except hvac.exceptions.InvalidPath:
        return None, 0
    return data["data"]["value"], data["metadata"]["version"]


@contextmanager
def _outcome_told() -> Iterator[None]:
    """Tell by an error what became of the request; what no cluster should say is passed on."""
    try:
        yield
    except hvac.exceptions.VaultDown as error:
        raise NotExecuted(str(error)) from error
    except (hvac.exceptions.InternalServerError, requests.Timeout) as error:
        raise OutcomeUnknown(str(error)) from error
    except requests.ConnectionError as error:
        cause = error.args[0]
        if isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError):
            raise NotExecuted(str(error)) from error
        raise OutcomeUnknown(str(error)) from error
