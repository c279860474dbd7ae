"""A small cluster of real `Raft` objects and journals over a disk and a network kept in memory.

Owns what a node and its driver do around consensus: when a write is done, what a crash takes away,
how a snapshot becomes a base. Must not decide when anything happens: who drives it does. Messages
take the way over the wire format, and batches that of the log, so that nobody shares a record.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Final, NamedTuple, TypeVar

import msgspec

from core.check import InvariantBroken
from core.effects import Effect, PrepareSegment, WriteLog
from core.moment import NANOSECONDS_PER_SECOND
from core.node.journal import Journal
from core.raft import dispatch, snapshot
from core.raft.configuration import Configuration, Member
from core.raft.entry import KIND_CONFIGURATION, KIND_WRITES, Entry, HardState
from core.raft.incoming import StagedChunk
from core.raft.messages import RaftMessage
from core.raft.state import Outgoing, Raft
from core.settings import RaftSettings
from core.store.base import BaseMeta
from core.store.memory_base import MemoryBase
from core.wal.frame import Payload, decode_frame, decode_payload
from core.wal.writer import Position, SegmentWrite, Writer
from tests.core.raft import trace

START_NS: Final = NANOSECONDS_PER_SECOND
TURNS_MAX: Final = 100
"""Turns of one node in a row while nothing comes from outside; more of them go in circles."""
SEGMENT_BYTES: Final = 1 << 20

Outcome = TypeVar("Outcome")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(RaftMessage).decode


class LeastEntropy:
    """Draws zeros: every election timeout is the shortest one, and a script says who is first."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` zeros."""
        return bytes(count)


class InFlight(NamedTuple):
    """A message on its way; `sequence` is its place among all that were ever sent."""

    sequence: int
    message: RaftMessage


def members_of(names: Sequence[str]) -> dict[str, Member]:
    """Return what is known of members with these ids."""
    return {name: Member(name, f"{name}:8201", f"http://{name}:8200") for name in names}


class Machine:
    """One member: what survives a crash, and the consensus state while it runs.

    Attributes:
        hard_state: the durable term and vote.
        entries: the durable log.
        base: the durable state, one key for each entry.
        raft: None while it is down.
        by_hand: its disk waits to be told that it is done.
        writing: the write of the log under way.
    """

    def __init__(self, cluster: "Cluster", name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.hard_state = HardState()
        self.entries: list[Entry] = []
        self.base = MemoryBase()
        self.raft: Raft | None = None
        self.by_hand = False
        self.writing: WriteLog | None = None
        self._journal = self._new_journal()
        self._void_through = 0
        self._staging: deque[StagedChunk] = deque()
        self._staged: list[tuple[bytes, bytes]] = []
        self._replacing: tuple[int, BaseMeta, bool] | None = None

    # -- life and death ---------------------------------------------------------------------

    @property
    def running(self) -> Raft:
        """The consensus state of a machine that is up."""
        assert self.raft is not None, f"{self.name} is down"
        return self.raft

    def start(self) -> None:
        """Recover from what is durable."""
        self._journal = self._new_journal()
        self.raft = Raft(
            self.name,
            self.cluster.settings,
            LeastEntropy(),
            self.base,
            self.hard_state,
            tuple(self.entries),
            self.cluster.now_ns,
        )
        self.raft.set_electable(self.cluster.now_ns, electable=True)

    def crash(self) -> None:
        """Lose everything that is not durable."""
        self.raft = None
        self.writing = None
        self._void_through = 0
        self._staging.clear()
        self._staged = []
        self._replacing = None

    def _new_journal(self) -> Journal:
        """Return one that goes on behind the durable term, in a log of its own."""
        writer = Writer(b"", SEGMENT_BYTES, Position(hard_state=self.hard_state))
        return Journal(writer, retry_ns=0)

    # -- turns ------------------------------------------------------------------------------

    def take(self, message: RaftMessage, sender: str) -> None:
        """Take a turn with one message."""
        self._guarded(lambda raft: dispatch.step(raft, sender, message, self.cluster.now_ns))

    def tick(self) -> None:
        """Take a turn because time has passed."""
        self._guarded(lambda raft: dispatch.tick(raft, self.cluster.now_ns))

    def act(self, action: Callable[[Raft], Outcome]) -> Outcome | None:
        """Take a turn in which `action(raft)` is done; return what it returns, if it does."""
        return self._guarded(action)

    def _guarded(self, action: Callable[[Raft], Outcome]) -> Outcome | None:
        raft = self.running
        try:
            outcome = action(raft)
            self._end_turns(raft)
        except InvariantBroken as broken:
            self.crash()
            self.cluster.note(f"{self.name} stops: {broken}")
            self.cluster.stopped.append(f"{self.name}: {broken}")
            return None
        return outcome

    def _end_turns(self, raft: Raft) -> None:
        for _ in range(TURNS_MAX):
            self._end_turn(raft)
            if self.by_hand or not self._complete_one(raft):
                return
        raise AssertionError(f"{self.name} goes in circles")

    def _end_turn(self, raft: Raft) -> None:
        now_ns = self.cluster.now_ns
        for outgoing in self._journal.release(raft):
            if outgoing.receiver == self.name:
                dispatch.step(raft, self.name, outgoing.message, now_ns)
            else:
                self.cluster.post(self.name, outgoing)
        dispatch.finish_turn(raft, now_ns)
        for read in raft.confirmed_reads:
            self.cluster.note(f"{self.name} may read {read.batch} at {read.index}")
        for batch in raft.refused_reads:
            self.cluster.note(f"{self.name} must ask again for {batch}")
        raft.confirmed_reads = []
        raft.refused_reads = []
        self._staging += raft.staged_chunks
        raft.staged_chunks = []
        self._begin_write(raft)
        for outgoing in self._journal.release(raft):
            assert outgoing.receiver != self.name, "a node's word to itself would leave it"
            self.cluster.post(self.name, outgoing)

    # -- the disk ---------------------------------------------------------------------------

    def complete(self) -> None:
        """Let the disk finish what is under way, and take the turns that follow."""
        self._guarded(self._complete_one)

    def complete_base(self) -> None:
        """Let the disk finish what it does to the base, ahead of the log."""
        self._guarded(self._complete_base)

    def busy(self) -> bool:
        """Tell whether the disk has something to finish."""
        return self.writing is not None or self.base_busy()

    def base_busy(self) -> bool:
        """Tell whether that is something that it does to the base."""
        return bool(self._staging or self._replacing)

    def _begin_write(self, raft: Raft) -> None:
        asked: list[Effect] = []
        self._journal.prepare(self.cluster.now_ns, asked)
        for effect in asked:
            assert isinstance(effect, PrepareSegment)
            self._journal.writer.segment_ready(effect.number)
        asked.clear()
        self._journal.write(raft, self.cluster.now_ns, asked)
        for effect in asked:
            assert isinstance(effect, WriteLog)
            self.writing = effect

    def _complete_one(self, raft: Raft) -> bool:
        if self.writing is not None:
            self._write(raft, self.writing)
            return True
        return self._complete_base(raft)

    def _complete_base(self, raft: Raft) -> bool:
        if self._staging:
            self._stage(raft, self._staging.popleft())
        elif self._replacing is not None:
            self._replace(raft, *self._replacing)
        else:
            return False
        return True

    def _write(self, raft: Raft, writing: WriteLog) -> None:
        self.writing = None
        for write in writing.writes:
            batch = _batch_of(write)
            if batch.hard_state is not None:
                self.hard_state = batch.hard_state
            if batch.entries and writing.sequence > self._void_through:
                kept = [entry for entry in self.entries if entry.index < batch.entries[0].index]
                self.entries = [*kept, *batch.entries]
        self._journal.written(raft, writing.sequence, self.cluster.now_ns)

    def _stage(self, raft: Raft, chunk: StagedChunk) -> None:
        if chunk.number == 0:
            self._staged = []
        self._staged += snapshot.decode_content(chunk.content)
        meta = snapshot.staged(raft, chunk.snapshot, chunk.number)
        if meta is not None:
            voids = snapshot.prepare_replacement(raft, meta)
            if voids:
                self._void_through = self._journal.void()
            self._replacing = (chunk.snapshot, meta, voids)

    def _replace(self, raft: Raft, snapshot_id: int, meta: BaseMeta, voids: bool) -> None:
        self._replacing = None
        self.base.replace(meta, self._staged)
        if voids:
            self.entries = []
        snapshot.replaced(raft, snapshot_id)

    def flush(self, index: int) -> None:
        """Move the base to `index`, which must be committed and durable here."""
        raft = self.running
        meta = self.base.meta
        assert meta.index < index <= min(raft.commit, raft.log.stable_index)
        entries = raft.log.between(meta.index + 1, index)
        configuration = meta.configuration
        for entry in entries:
            if entry.kind == KIND_CONFIGURATION:
                configuration = entry.data
        meta = BaseMeta(index, entries[-1].term, configuration, entries[-1].wall_ns)
        self.base.flush(meta, [(b"%08d" % entry.index, entry.data) for entry in entries])

    def compact(self, index: int) -> None:
        """Cut the log up to `index`, in memory and on disk."""
        assert index <= self.base.meta.index
        self.running.log.compact(index)
        self.entries = [entry for entry in self.entries if entry.index > index]


def _batch_of(write: SegmentWrite) -> Payload:
    """Return what a write carries, read as recovery reads it."""
    segment = memoryview(bytes(write.offset) + write.data)
    frame = decode_frame(segment, number=write.number, offset=write.offset)
    assert frame is not None
    return decode_payload(frame.payload)


class Cluster:
    """Machines, the messages between them and one clock.

    Attributes:
        machines: by name.
        links: what is in flight, by sender and receiver.
        cut: links that lose whatever is sent.
        held: links whose messages wait to be named.
        now_ns: the clock of all.
        stopped: machines that found an invariant broken, and which.
        events: what happened since somebody last looked.
    """

    def __init__(self, settings: RaftSettings) -> None:
        self.settings = settings
        self.machines: dict[str, Machine] = {}
        self.links: dict[tuple[str, str], list[InFlight]] = {}
        self.cut: set[tuple[str, str]] = set()
        self.held: set[tuple[str, str]] = set()
        self.now_ns = START_NS
        self.stopped: list[str] = []
        self.events: list[str] = []
        self._sequence = count(1)

    def open(
        self, voters: Sequence[str], learners: Sequence[str], strangers: Sequence[str]
    ) -> None:
        """Start machines that agree on entry 1 of term 1; strangers belong to nothing yet."""
        names = (*voters, *learners)
        configuration = Configuration(tuple(voters), (), tuple(learners), members_of(names))
        meta = BaseMeta(1, 1, configuration.encode(), 0)
        for name in (*names, *strangers):
            machine = self.machines[name] = Machine(self, name)
            if name not in strangers:
                machine.base.flush(meta, [(b"%08d" % 1, b"")])
                machine.hard_state = HardState(1, "")
            machine.start()

    def note(self, event: str) -> None:
        """Keep what happened for the trace."""
        self.events.append(event)

    def up(self) -> Iterator[Machine]:
        """Yield the machines that run, in order."""
        return (machine for machine in self.machines.values() if machine.raft is not None)

    def post(self, sender: str, outgoing: Outgoing) -> None:
        """Put a message on its way."""
        link = (sender, outgoing.receiver)
        lost = link in self.cut or outgoing.receiver not in self.machines
        text = trace.message(sender, outgoing.receiver, outgoing.message)
        self.note(f"{text} (lost)" if lost else text)
        if not lost:
            message = _decode(_encode(outgoing.message))
            self.links.setdefault(link, []).append(InFlight(next(self._sequence), message))

    def deliver(self, link: tuple[str, str], place: int = 0) -> None:
        """Hand over one message of a link, normally the oldest."""
        sender, receiver = link
        message = self.links[link].pop(place).message
        machine = self.machines[receiver]
        if machine.raft is None:
            self.note(f"{receiver} is down")
        else:
            machine.take(message, sender)

    def repeat(self, link: tuple[str, str], place: int = 0) -> None:
        """Have the network hand over one message of a link and keep it as well."""
        copy = self.links[link][place]
        self.deliver(link, place)
        self.links[link].insert(place, copy)

    def oldest(self) -> tuple[str, str] | None:
        """Return the link with the message that was sent first, of those that are not held."""
        waiting = [
            (messages[0].sequence, link)
            for link, messages in self.links.items()
            if messages and link not in self.held
        ]
        return min(waiting)[1] if waiting else None

    def propose(self, name: str, data: bytes) -> None:
        """Append what a client wants, as a leader."""
        self.machines[name].act(lambda raft: raft.append(KIND_WRITES, data))
