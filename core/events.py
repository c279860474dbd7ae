"""All that goes into a node: a closed union."""

import msgspec

from core.node.messages import Message
from core.request import Request, Response


class Received(msgspec.Struct, frozen=True):
    """A message from a peer; the transport vouches for the sender."""

    sender: str
    message: Message


class Asked(msgspec.Struct, frozen=True):
    """A client's request.

    Attributes:
        handle: names the answer; never used twice.
        request: what is asked.
        patience_ns: how long the client is willing to wait.
    """

    handle: int
    request: Request
    patience_ns: int


class LogWritten(msgspec.Struct, frozen=True, gc=False):
    """The batch of the log with this sequence is durable."""

    sequence: int


class SegmentReady(msgspec.Struct, frozen=True, gc=False):
    """The segment with this number is preallocated."""

    number: int


class SegmentRefused(msgspec.Struct, frozen=True, gc=False):
    """There is no room for the segment with this number."""

    number: int
    reason: str


class BaseFlushed(msgspec.Struct, frozen=True, gc=False):
    """The base durably holds everything applied up to this index, and shows it."""

    index: int


class BaseFlushRefused(msgspec.Struct, frozen=True, gc=False):
    """There is no room to flush up to this index; the base is as it was."""

    index: int
    reason: str


class SnapshotStaged(msgspec.Struct, frozen=True, gc=False):
    """That chunk of an incoming snapshot is durably kept aside."""

    snapshot: int
    number: int


class SnapshotRefused(msgspec.Struct, frozen=True, gc=False):
    """There is no room to keep that chunk aside; what was kept before is as it was."""

    snapshot: int
    number: int
    reason: str


class BaseReplaced(msgspec.Struct, frozen=True, gc=False):
    """The staged snapshot durably is the base now."""

    snapshot: int


class AuditAppended(msgspec.Struct, frozen=True, gc=False):
    """An `AppendAudit` has been carried out.

    Attributes:
        sequence: which one.
        unwritable: paths of the files that did not take their lines.
    """

    sequence: int
    unwritable: tuple[str, ...] = ()


class ClusterAnswered(msgspec.Struct, frozen=True):
    """What the cluster that this node wants to join has answered.

    Attributes:
        question: which `AskCluster` this answers.
        path: what was asked.
        response: the answer; a status of 0 if there was none, with the reason as its body.
    """

    question: int
    path: str
    response: Response


class StopAsked(msgspec.Struct, frozen=True, gc=False):
    """The process is to end: hand leadership over if this node leads."""


Event = (
    Received
    | Asked
    | LogWritten
    | SegmentReady
    | SegmentRefused
    | BaseFlushed
    | BaseFlushRefused
    | SnapshotStaged
    | SnapshotRefused
    | BaseReplaced
    | AuditAppended
    | ClusterAnswered
    | StopAsked
)
