"""One real node over an in-memory base and a log that is durable at once, driven by hand."""

from random import Random
from typing import Any

import msgspec

from core import effects, events
from core.moment import NANOSECONDS_PER_SECOND, Now
from core.node.info import NodeInfo
from core.node.member import Node
from core.request import Operation, Request, Response
from core.settings import Settings
from core.vault.audit_file import AuditFile
from core.wal.recovery import recover
from sim.base import MemoryBase
from sim.streams import SeededEntropy

PATIENCE_NS = 60 * NANOSECONDS_PER_SECOND
WALL_NS = 1_790_000_000 * NANOSECONDS_PER_SECOND
STEPS_MAX = 1_000


class SingleNode:
    """A cluster of one.

    Attributes:
        node: it.
        root_token: set by `open`.
        audit: what was appended to each audit file.
        unwritable: paths of audit files that can't be written to.
        full: there is no room on its disk.
        reports: what an operator would find in the log.
        questions: what it asked a cluster that it wants to join.
        last_question: the number of the last of these.
        identities: the credentials that it was given.
    """

    def __init__(self, settings: Settings | None = None, seed: int = 1) -> None:
        self.settings = settings or Settings()
        self.base = MemoryBase()
        self.monotonic_ns = 1_000 * NANOSECONDS_PER_SECOND
        self.wall_ns = WALL_NS
        self.root_token = ""
        self.keys: list[str] = []
        self.audit: dict[AuditFile, bytes] = {}
        self.unwritable: list[str] = []
        self.full = False
        self.reports: list[effects.Report] = []
        self.questions: list[effects.AskCluster] = []
        self.last_question = 0
        self.identities: list[effects.IssueIdentity] = []
        self._answers: dict[int, Response] = {}
        self._handle = 0
        recovered = recover([], stamp=b"test", segment_bytes=self.settings.store.segment_bytes)
        self.node = Node(
            NodeInfo("n1", "one", "127.0.0.1:8201", "http://127.0.0.1:8200"),
            self.settings,
            SeededEntropy(Random(seed)),
            self.base,
            recovered,
            self.now(),
        )

    def now(self) -> Now:
        """Return the time as the node sees it."""
        return Now(self.monotonic_ns, self.wall_ns)

    def turn(self, *taken: events.Event) -> None:
        """Take turns until nothing follows at once."""
        waiting: list[events.Event] = list(taken)
        while True:
            followed: list[events.Event] = []
            for effect in self.node.handle(waiting, self.now()):
                followed += self._carry_out(effect)
            if not followed:
                return
            waiting = followed

    def _carry_out(self, effect: effects.Effect) -> list[events.Event]:
        match effect:
            case effects.Answer():
                self._answers[effect.handle] = effect.response
            case effects.WriteLog():
                return [events.LogWritten(effect.sequence)]
            case effects.PrepareSegment() if self.full:
                return [events.SegmentRefused(effect.number, "no space left")]
            case effects.PrepareSegment():
                return [events.SegmentReady(effect.number)]
            case effects.FlushBase() if self.full:
                return [events.BaseFlushRefused(effect.meta.index, "no space left")]
            case effects.FlushBase():
                self.base.flush(effect.meta, effect.changes.values.items())
                return [events.BaseFlushed(effect.meta.index)]
            case effects.AppendAudit():
                return [self._append(effect)]
            case effects.Report():
                self.reports.append(effect)
            case effects.AskCluster():
                self.questions.append(effect)
                self.last_question = effect.question
            case effects.IssueIdentity():
                self.identities.append(effect)
            case effects.Halt():
                raise AssertionError(effect.reason)
            case _:
                pass
        return []

    def _append(self, effect: effects.AppendAudit) -> events.AuditAppended:
        failed = tuple(file.path for file in effect.lines if file.path in self.unwritable)
        for file, lines in effect.lines.items():
            if file.path not in failed:
                self.audit[file] = self.audit.get(file, b"") + lines
        return events.AuditAppended(effect.sequence, failed)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with every turn that is due meanwhile."""
        end_ns = self.monotonic_ns + int(seconds * NANOSECONDS_PER_SECOND)
        for _ in range(STEPS_MAX):
            due_ns = max(self.node.deadline_ns, self.monotonic_ns + 1)
            if due_ns > end_ns:
                break
            self._advance(due_ns)
            self.turn()
        self._advance(end_ns)

    def _advance(self, to_ns: int) -> None:
        self.wall_ns += to_ns - self.monotonic_ns
        self.monotonic_ns = to_ns

    def ask(
        self,
        operation: Operation,
        path: str,
        body: dict[str, Any] | bytes | None = None,
        token: str | None = None,
        **fields: Any,  # noqa: ANN401 -- fields of a request
    ) -> Response:
        """Ask and wait for the answer, with the root token unless told otherwise."""
        self._handle += 1
        handle = self._handle
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""
        request = Request(
            operation,
            path,
            self.root_token if token is None else token,
            raw,
            client_address="127.0.0.1",
            client_port=1,
            **fields,
        )
        self.turn(events.Asked(handle, request, PATIENCE_NS))
        for _ in range(STEPS_MAX):
            if handle in self._answers:
                return self._answers.pop(handle)
            self.pass_time(0.05)
        raise AssertionError("no answer")

    def answers_to(self, handle: int) -> list[Response]:
        """Return what a request that was handed in by `turn` has been answered so far."""
        return [response for each, response in self._answers.items() if each == handle]

    def open(self) -> "SingleNode":
        """Initialise and unseal; return this."""
        body = decoded(self.ask("update", "sys/init", {"secret_shares": 1, "secret_threshold": 1}))
        self.keys = body["keys"]
        self.root_token = body["root_token"]
        self.unseal()
        return self

    def unseal(self) -> None:
        """Give the node its only share, and let it lead."""
        assert self.ask("update", "sys/unseal", {"key": self.keys[0]}).status == 200
        self.pass_time(2)


def decoded(response: Response) -> dict[str, Any]:
    """Return the JSON body of an answer."""
    body: dict[str, Any] = msgspec.json.decode(response.body)
    return body


def errors(response: Response) -> list[str]:
    """Return the texts of an error."""
    texts: list[str] = decoded(response)["errors"]
    return texts
