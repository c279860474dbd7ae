"""What a leader knows of one peer, and how much it may send it."""

from collections import deque
from enum import Enum

import msgspec

from core.check import InvariantBroken
from core.store.base import PinnedBase


class Mode(Enum):
    """How a leader feeds a peer."""

    PROBE = "probe"
    """It looks for the point where the logs agree: one message at a time."""
    REPLICATE = "replicate"
    """They agree: messages are sent without waiting for answers."""
    SNAPSHOT = "snapshot"
    """The entries that the peer needs are gone: it gets the base, chunk by chunk."""


class SnapshotTransfer(msgspec.Struct):
    """One snapshot on its way to a peer.

    Attributes:
        snapshot: names this transfer.
        pinned: the base that is being sent.
        position: the next chunk starts at this key.
        number: the chunk that the peer is to acknowledge.
        digest: chained over the chunks so far.
        chunk: the message that carries that chunk, kept to be sent again.
        sent_ns: when it was sent last.
    """

    snapshot: int
    pinned: PinnedBase
    position: bytes = b""
    number: int = 0
    digest: bytes = b""
    chunk: msgspec.Struct | None = None
    sent_ns: int = 0


class Leaving(msgspec.Struct):
    """A peer that the configuration in force does not count any more, until it knows that.

    Attributes:
        index: the entry that removes it.
        told_stamp: an answer to a message with a greater stamp shows that it has heard that this
            entry is committed; 0 before it is.
        due_ns: when to give that up (monotonic); counts once the entry is committed.
    """

    index: int
    told_stamp: int = 0
    due_ns: int = 0


class Progress(msgspec.Struct):
    """One peer as its leader sees it.

    Attributes:
        match: the last index known to be durable and equal there.
        next: the next index to send; always greater than `match`.
        mode: how it is fed.
        probing: a probe is under way and unanswered.
        inflight: last indices of unanswered messages with entries, oldest first.
        heard_ns: when it answered last.
        electable: it says that it could lead.
        snapshot_floor: it needs a snapshot of at least this index.
        transfer: the snapshot on its way to it.
    """

    match: int
    next: int
    mode: Mode = Mode.PROBE
    probing: bool = False
    inflight: deque[int] = msgspec.field(default_factory=deque)
    heard_ns: int = 0
    electable: bool = False
    snapshot_floor: int = 0
    transfer: SnapshotTransfer | None = None

    def sent(self, last_index: int) -> None:
        """Take note that entries up to `last_index` are on their way."""
        if self.mode is Mode.REPLICATE:
            self.next = last_index + 1
            self.inflight.append(last_index)
        else:
            self.probing = True

    def accepted(self, index: int) -> bool:
        """Take note of a match up to `index`; tell whether that is news."""
        inflight = self.inflight
        while inflight and inflight[0] <= index:
            inflight.popleft()
        news = index > self.match
        if news:
            self.match = index
            if index >= self.next:
                self.next = index + 1
        if self.mode is Mode.PROBE:
            self.mode = Mode.REPLICATE
            self.next = self.match + 1
        self.probing = False
        if self.next <= self.match:
            raise InvariantBroken("a peer is never sent what it has")
        return news

    def refused(self, rejected_index: int, probe_index: int) -> None:
        """Take note that the log does not match at `rejected_index`; probe at `probe_index`."""
        if self.mode is Mode.SNAPSHOT or rejected_index <= self.match:
            return
        if self.mode is Mode.PROBE and rejected_index != self.next - 1:
            return
        self.probe(min(probe_index, rejected_index - 1) + 1)

    def probe(self, next_index: int) -> None:
        """Go back to probing, from `next_index` on but never below what is known to match."""
        self.mode = Mode.PROBE
        self.probing = False
        self.inflight.clear()
        self.next = max(next_index, self.match + 1)

    def end_transfer(self) -> None:
        """Let go of a snapshot that was being sent."""
        if self.transfer is not None:
            self.transfer.pinned.close()
            self.transfer = None
