"""All that comes out of a node: a closed union.

A driver carries out the effects of a turn in their order. It need not wait for one before the
next, but the answers of a turn leave after its `AppendAudit`.
"""

from collections.abc import Collection
from typing import Literal

import msgspec

from core.node.messages import Message
from core.raft.configuration import Configuration
from core.request import Response
from core.store.base import BaseMeta
from core.store.memtable import Memtable
from core.vault.audit_file import AuditFile
from core.wal.writer import SegmentWrite


class Send(msgspec.Struct, frozen=True):
    """Hand a message to a peer; it may get lost.

    Attributes:
        receiver: the peer's node id.
        message: what it is told.
        audited: as in `Answer`.
    """

    receiver: str
    message: Message
    audited: bool = False


class Answer(msgspec.Struct, frozen=True):
    """The answer to a request.

    Attributes:
        handle: which request.
        response: what to tell the client.
        lease_until_ns: if not 0, the answer rests on a lease that ends then (monotonic). The
            driver looks at the clock once more; if it is later, it asks again instead.
        audited: it must not leave if the `AppendAudit` of this turn fails on all devices.
    """

    handle: int
    response: Response
    lease_until_ns: int = 0
    audited: bool = False


class WriteLog(msgspec.Struct, frozen=True):
    """Write into segments of the log, make it durable, then say `LogWritten`.

    The next one comes only after that. Any failure stops the node.
    """

    sequence: int
    writes: tuple[SegmentWrite, ...]


class PrepareSegment(msgspec.Struct, frozen=True):
    """Preallocate a segment; say `SegmentReady`, or `SegmentRefused` if there is no room."""

    number: int
    size: int


class DropSegments(msgspec.Struct, frozen=True):
    """Delete the segments with numbers below this one, some time."""

    below: int


class FlushBase(msgspec.Struct, frozen=True):
    """Merge changes into the base, atomically with its meta; say `BaseFlushed`."""

    meta: BaseMeta
    changes: Memtable


class StageSnapshot(msgspec.Struct, frozen=True):
    """Keep these keys and values aside, durably; say `SnapshotStaged`, or `SnapshotRefused`.

    Number 0 begins anew, whatever was staged before.
    """

    snapshot: int
    number: int
    items: list[tuple[bytes, bytes]]


class ReplaceBase(msgspec.Struct, frozen=True):
    """Make what was staged the base, atomically; say `BaseReplaced`."""

    snapshot: int
    meta: BaseMeta


class AppendAudit(msgspec.Struct, frozen=True):
    """Append lines to audit files; say `AuditAppended` at once.

    No lines at all for a file ask whether it can be written to.
    """

    sequence: int
    lines: dict[AuditFile, bytes]

    def is_kept(self, unwritable: Collection[str]) -> bool:
        """Tell whether some file has taken its lines, given the paths of those that did not.

        A file that was only asked whether it can be written to keeps no record.
        """
        recorded = [file.path for file, text in self.lines.items() if text]
        return not recorded or any(path not in unwritable for path in recorded)


class AdmitPeers(msgspec.Struct, frozen=True):
    """Who belongs to the cluster and who does no more.

    Attributes:
        configuration: the members in force as far as this node knows, and where they listen.
        removed: members whose removal it has just seen committed. Whoever is merely missing in
            `configuration` may have joined later than this node knows, or not have been let in
            for good yet. This node itself is among them once it knows that it was removed; it is
            to be told at its next start (`NodeInfo.removed`).
        leaving: nodes that are no members any more and that this node, as leader, still tells so:
            connections with them go on. Whoever is refused is told with `Removed`.
    """

    configuration: Configuration
    removed: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """Something an operator should find in the log.

    Attributes:
        text: what has happened.
        fields: named values.
        severity: `warning` if it may need somebody, `error` if it does.
    """

    text: str
    fields: dict[str, str | int]
    severity: Literal["info", "warning", "error"] = "info"


class ClusterAddress(msgspec.Struct, frozen=True):
    """Where and how to reach the API of a cluster that this node wants to join.

    Attributes:
        api_address: the URL of one of its members.
        authority: PEM of the authority that its API's certificate must come from, or empty for
            those of the system.
        client_certificate: PEM to show there, or empty.
        client_key: PEM of its key, or empty.
        server_name: the name expected in its certificate, or empty for that of the URL.
    """

    api_address: str
    authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    server_name: str = ""

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"ClusterAddress(api_address={self.api_address!r})"


class AskCluster(msgspec.Struct, frozen=True):
    """POST a JSON body to a path of that API; say `ClusterAnswered` to this `question`."""

    question: int
    address: ClusterAddress
    path: str
    body: bytes

    def __repr__(self) -> str:
        """Leave out the body, which may hold a proof."""
        return f"AskCluster(address={self.address!r}, path={self.path!r})"


class IssueIdentity(msgspec.Struct, frozen=True):
    """This node's own credentials have changed; keep them, durably, for the peer transport.

    Attributes:
        certificate: PEM, issued by the cluster.
        key: PEM of its private key.
        authority: PEM of the cluster's certificate authority.
        cluster: the cluster's id.
    """

    certificate: bytes
    key: bytes
    authority: bytes
    cluster: str

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"IssueIdentity(cluster={self.cluster!r})"


class Halt(msgspec.Struct, frozen=True):
    """Stop this node at once."""

    reason: str


Effect = (
    Send
    | Answer
    | WriteLog
    | PrepareSegment
    | DropSegments
    | FlushBase
    | StageSnapshot
    | ReplaceBase
    | AppendAudit
    | AdmitPeers
    | Report
    | AskCluster
    | IssueIdentity
    | Halt
)
