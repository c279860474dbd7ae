"""The log in memory: a window of entries behind a known starting point.

Owns which entries there are, which of them are durable and which were handed to the writer.
Must not know how they become durable.
"""

from collections.abc import Sequence

from core.check import check
from core.raft.entry import Entry

ENTRY_OVERHEAD_BYTES = 64
"""What an entry counts for beyond its data, so that empty ones are bounded too."""


class Log:
    """Entries `first_index` to `last_index`, which follow an entry known by index and term.

    Attributes:
        start_index: index of the entry before the window.
        start_term: its term.
        last_index: index of the last entry; `start_index` if the window is empty.
        last_term: its term.
        stable_index: entries up to here are durable on this node.
        handed_index: entries up to here were handed to the writer of the log.
        bytes: size of the window, overhead included.
    """

    __slots__ = (
        "_entries",
        "bytes",
        "handed_index",
        "last_index",
        "last_term",
        "stable_index",
        "start_index",
        "start_term",
    )

    def __init__(self, start_index: int, start_term: int, entries: Sequence[Entry]) -> None:
        self.start_index = start_index
        self.start_term = start_term
        self.last_index = start_index
        self.last_term = start_term
        self._entries: list[Entry] = []
        self.bytes = 0
        for entry in entries:
            self.append(entry)
        self.stable_index = self.last_index
        self.handed_index = self.last_index

    def append(self, entry: Entry) -> None:
        """Add the next entry."""
        check(entry.index == self.last_index + 1, "entries must be consecutive")
        check(entry.term >= self.last_term, "terms in a log never go back")
        self._entries.append(entry)
        self.last_index = entry.index
        self.last_term = entry.term
        self.bytes += len(entry.data) + ENTRY_OVERHEAD_BYTES

    def term_at(self, index: int) -> int | None:
        """Return the term of the entry at `index`; None if it is not known here."""
        if index == self.last_index:
            return self.last_term
        offset = index - self.start_index - 1
        if 0 <= offset < len(self._entries):
            return self._entries[offset].term
        return self.start_term if offset == -1 else None

    def entry(self, index: int) -> Entry:
        """Return the entry at `index`, which must be in the window."""
        offset = index - self.start_index - 1
        check(0 <= offset < len(self._entries), "no such entry in the log")
        return self._entries[offset]

    def slice(self, start: int, bytes_max: int) -> tuple[Entry, ...]:
        """Return entries from index `start` on, at least one if there is one, up to a size."""
        offset = start - self.start_index - 1
        check(offset >= 0, "entries were cut from the log")
        entries = self._entries
        end = offset
        size = 0
        while end < len(entries):
            size += len(entries[end].data) + ENTRY_OVERHEAD_BYTES
            if size > bytes_max and end > offset:
                break
            end += 1
        return tuple(entries[offset:end])

    def between(self, start: int, end: int) -> list[Entry]:
        """Return the entries from index `start` to index `end`, both included."""
        offset = start - self.start_index - 1
        check(offset >= 0, "entries were cut from the log")
        return self._entries[offset : end - self.start_index]

    def truncate(self, index: int) -> None:
        """Remove the entry at `index` and all that follow."""
        offset = index - self.start_index - 1
        check(offset >= 0, "cannot remove what the window does not hold")
        removed = self._entries[offset:]
        del self._entries[offset:]
        self.bytes -= sum(len(entry.data) + ENTRY_OVERHEAD_BYTES for entry in removed)
        self.last_index = index - 1
        self.last_term = self._entries[-1].term if self._entries else self.start_term
        self.stable_index = min(self.stable_index, self.last_index)
        self.handed_index = min(self.handed_index, self.last_index)

    def unwritten(self, bytes_max: int) -> tuple[Entry, ...]:
        """Return entries that were not handed to the writer yet, and count them as handed.

        There are none if not even the first fits into `bytes_max`, overhead included.
        """
        entries = self.slice(self.handed_index + 1, bytes_max)
        if len(entries) == 1 and len(entries[0].data) + ENTRY_OVERHEAD_BYTES > bytes_max:
            return ()
        self.handed_index += len(entries)
        return entries

    def written(self, index: int, term: int) -> None:
        """Take note that the batch which ended with this entry is durable.

        The term guards against an acknowledgement for an entry that has been replaced since.
        """
        if index > self.stable_index and self.term_at(index) == term:
            self.stable_index = index
            # It may have been cut and received again meanwhile: what is durable needs no writer.
            if index > self.handed_index:
                self.handed_index = index

    def compact(self, index: int) -> None:
        """Forget the entries up to `index`."""
        count = index - self.start_index
        if count <= 0:
            return
        check(index <= self.stable_index, "only durable entries are cut")
        self.start_term = self._entries[count - 1].term
        self.start_index = index
        self.bytes -= sum(len(entry.data) + ENTRY_OVERHEAD_BYTES for entry in self._entries[:count])
        del self._entries[:count]

    def oldest_beyond(self, bytes_max: int) -> int:
        """Return the greatest index whose removal still leaves at least `bytes_max`, if any."""
        excess = self.bytes - bytes_max
        index = self.start_index
        for entry in self._entries:
            excess -= len(entry.data) + ENTRY_OVERHEAD_BYTES
            if excess < 0:
                break
            index = entry.index
        return index

    def reset(self, index: int, term: int) -> None:
        """Drop all entries and start behind `index`, as an installed snapshot asks."""
        self._entries.clear()
        self.bytes = 0
        self.start_index = self.last_index = index
        self.start_term = self.last_term = term
        self.stable_index = self.handed_index = index

    def is_up_to_date(self, last_index: int, last_term: int) -> bool:
        """Tell whether a log that ends so is at least as good as this one (paper, 5.4.1)."""
        return (last_term, last_index) >= (self.last_term, self.last_index)

    def last_index_with_term_at_most(self, index: int, term: int) -> tuple[int, int]:
        """Return the last index up to `index` whose term is at most `term`, and its term.

        Two logs cannot agree behind it, so a probe may skip back to there (paper, 5.3).
        """
        index = min(index, self.last_index)
        while index > self.start_index:
            found = self._entries[index - self.start_index - 1].term
            if found <= term:
                return index, found
            index -= 1
        return self.start_index, self.start_term
