"""Moving applied writes down to the base, cutting the log behind it, sweeping what is over.

Owns when these happen. Nothing here is proportional to all data: a flush takes what was applied
since the last one, a sweep a bounded number of records.
"""

from typing import Final

from core.check import check
from core.effects import Effect, FlushBase, ReplaceBase, Report, StageSnapshot
from core.moment import NANOSECONDS_PER_SECOND, NEVER
from core.node.journal import Journal
from core.raft import membership, snapshot
from core.raft.configuration import decode
from core.raft.entry import KIND_CONFIGURATION, Entry
from core.raft.state import Raft
from core.settings import StoreSettings
from core.store.base import BaseMeta
from core.store.memtable import Memtable
from core.store.store import Store

SWEEP_INTERVAL_NS: Final = NANOSECONDS_PER_SECOND
"""How often a leader looks for what has expired; an expired token opens nothing before that."""


class Upkeep:
    """The background work of one node.

    Attributes:
        applied_meta: where the applied state stands.
        retry_due_ns: when a refused flush is tried again (monotonic).
        sweep_due_ns: when a leader looks for expired records next (monotonic).
    """

    __slots__ = (
        "_flushing",
        "_journal",
        "_raft",
        "_removed",
        "_replacing",
        "_settings",
        "_store",
        "_waiting_meta",
        "applied_meta",
        "retry_due_ns",
        "sweep_due_ns",
    )

    def __init__(self, raft: Raft, store: Store, journal: Journal, settings: StoreSettings) -> None:
        self._raft = raft
        self._store = store
        self._journal = journal
        self._settings = settings
        self.applied_meta = store.base.meta
        self._flushing: tuple[BaseMeta, Memtable] | None = None
        self.retry_due_ns = NEVER
        self._waiting_meta: BaseMeta | None = None
        self._replacing = 0
        self._removed: list[str] = []
        self.sweep_due_ns = NEVER

    # -- flushing ---------------------------------------------------------------------------

    def applied(self, entry: Entry) -> None:
        """Take note of where the applied state stands."""
        meta = self.applied_meta
        is_configuration = entry.kind == KIND_CONFIGURATION
        if is_configuration:
            self._notice_removals(meta.configuration, entry.data)
        self.applied_meta = BaseMeta(
            entry.index,
            entry.term,
            entry.data if is_configuration else meta.configuration,
            entry.wall_ns,
            meta.void_through,
        )

    def _notice_removals(self, former: bytes, latter: bytes) -> None:
        """Take note of who is a member no more; both configurations are committed."""
        known = decode(former).removed
        self._removed += [node for node in decode(latter).removed if node not in known]

    def take_removed(self, leaving: tuple[str, ...]) -> tuple[str, ...]:
        """Return whose removal has been seen since this was asked last; not yet who is leaving."""
        if not self._removed:
            return ()
        removed = tuple(node for node in self._removed if node not in leaving)
        self._removed = [node for node in self._removed if node in leaving]
        return removed

    def flush(self, effects: list[Effect]) -> None:
        """Begin a flush if enough has gathered, or if a peer waits for a newer base."""
        store = self._store
        if self._flushing is not None or self._replacing or self._waiting_meta is not None:
            return
        settings = self._settings
        leadership = self._raft.leadership
        if (
            store.memtable_bytes < settings.memtable_bytes_max
            and self._raft.log.bytes < settings.log_bytes_max
            and (leadership is None or leadership.snapshot_floor <= store.base.meta.index)
        ):
            return
        applied_index = store.applied_index
        if applied_index <= store.base.meta.index or applied_index > self._raft.log.stable_index:
            return  # the base must never stand ahead of what is durable in the log
        check(self.applied_meta.index == applied_index, "the meta stands with the applied state")
        self._flushing = (self.applied_meta, store.freeze())
        effects.append(FlushBase(*self._flushing))

    def flushed(self, index: int, effects: list[Effect]) -> None:
        """Cut the log behind the new base."""
        self._flushing = None
        self._store.flushed(index)
        self._cut(effects)
        self._replace(effects)

    def refused(self, reason: str, now_ns: int, effects: list[Effect]) -> None:
        """Try again after a pause: the disk is full."""
        effects.append(Report("the store could not be flushed", {"reason": reason}, "error"))
        self.retry_due_ns = now_ns + self._settings.retry_ns

    def _cut(self, effects: list[Effect]) -> None:
        raft = self._raft
        log = raft.log
        base_index = self._store.base.meta.index
        index = min(base_index, log.stable_index)
        if log.bytes < self._settings.log_bytes_max:
            index = min(index, log.oldest_beyond(self._settings.trailing_bytes_max))
            if raft.leadership is not None:
                # A peer that is being sent an older base goes on from there.
                for peer in raft.leadership.peers.values():
                    if peer.transfer is not None:
                        index = min(index, peer.transfer.pinned.meta.index)
        log.compact(index)
        self._journal.drop(base_index + 1, effects)

    # -- replacing --------------------------------------------------------------------------

    def stage(self, effects: list[Effect]) -> None:
        """Have the chunks of an incoming snapshot kept aside."""
        for chunk in self._raft.staged_chunks:
            items = snapshot.decode_content(chunk.content)
            effects.append(StageSnapshot(chunk.snapshot, chunk.number, items))
        self._raft.staged_chunks = []

    def staged(self, snapshot_id: int, number: int, effects: list[Effect]) -> None:
        """Ask for the next chunk, or put the snapshot in place of the base after the last."""
        meta = snapshot.staged(self._raft, snapshot_id, number)
        if meta is not None:
            self._waiting_meta = meta
            self._replacing = snapshot_id
            self._replace(effects)

    def staging_refused(
        self, snapshot_id: int, number: int, reason: str, effects: list[Effect]
    ) -> None:
        """Have that chunk sent again: the disk is full."""
        effects.append(Report("the snapshot cannot be kept aside", {"reason": reason}, "error"))
        snapshot.refused(self._raft, snapshot_id, number)

    def _replace(self, effects: list[Effect]) -> None:
        meta = self._waiting_meta
        if meta is None or self._flushing is not None:
            return
        void_through = self._store.base.meta.void_through
        if snapshot.prepare_replacement(self._raft, meta):
            void_through = self._journal.void()
        self._waiting_meta = None
        replacing = BaseMeta(meta.index, meta.term, meta.configuration, meta.wall_ns, void_through)
        effects.append(ReplaceBase(self._replacing, replacing))

    def replaced(self, snapshot_id: int, effects: list[Effect]) -> None:
        """Take up the state where the new base stands."""
        check(snapshot_id == self._replacing, "an unexpected snapshot became the base")
        self._replacing = 0
        self._store.replaced()
        snapshot.replaced(self._raft, snapshot_id)
        former = self.applied_meta
        self.applied_meta = self._store.base.meta
        self._notice_removals(former.configuration, self.applied_meta.configuration)
        self._journal.drop(self._store.base.meta.index + 1, effects)
        effects.append(Report("a snapshot was installed", {"index": self.applied_meta.index}))

    # -- the rest ---------------------------------------------------------------------------

    def promote(self) -> None:
        """Let a learner vote once it has caught up."""
        raft = self._raft
        learner = membership.caught_up_learner(raft)
        if learner and membership.may_change(raft):
            membership.propose(raft, raft.configuration.promoted(learner))

    def begin_sweeping(self, now_ns: int) -> None:
        """Sweep from now on, as leader."""
        if self.sweep_due_ns == NEVER:
            self.sweep_due_ns = now_ns + SWEEP_INTERVAL_NS

    def take_sweep(self, now_ns: int) -> bool:
        """Tell, once per interval, that it is time to sweep; who leads no more stops sweeping."""
        if self._raft.leadership is None:
            self.sweep_due_ns = NEVER
        if now_ns < self.sweep_due_ns:
            return False
        self.sweep_due_ns = now_ns + SWEEP_INTERVAL_NS
        return True

    def tick(self, now_ns: int, effects: list[Effect]) -> None:
        """Try a refused flush again."""
        if now_ns >= self.retry_due_ns:
            self.retry_due_ns = NEVER
            assert self._flushing is not None  # nothing ends a refused flush but its success
            effects.append(FlushBase(*self._flushing))
