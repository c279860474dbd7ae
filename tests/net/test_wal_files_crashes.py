"""Over a disk that forgets, nothing acknowledged is lost; and every sync is needed for that."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import pytest

from core.raft.entry import Entry, HardState
from core.wal.recovery import Recovered, WalDamaged, recover
from core.wal.writer import SEGMENT_BYTES_MIN, SegmentWrite
from net.wal_files import NoRoom, StorageFailed, WalFiles
from tests.core.wal.disk import STAMP, entries
from tests.net.forgetful import ForgetfulDirectory, Killed

ENTRY_BYTES: Final = SEGMENT_BYTES_MIN // 4
STEPS: Final = 40

NAMES_READ: Final = ("read", "sync_names")
SYNCS: Final = [
    ("start", "sync_parent"),
    NAMES_READ,
    ("read", "sync"),
    ("prepare", "sync"),
    ("prepare", "sync_names"),
    ("write", "sync_data"),
    ("drop", "sync_names"),
]
"""Every sync there is, by what is being done."""


class DataLost(Exception):
    """What was acknowledged is gone."""


class Node:
    """Writes batches of one entry, each in a term of its own, and knows which must be there.

    Attributes:
        acknowledged: the index of the last entry that must be there.
        base_index: entries up to this one are not needed any more.
    """

    def __init__(self, directory: ForgetfulDirectory, random: Random) -> None:
        self.directory = directory
        self.random = random
        self.acknowledged = 0
        self.base_index = 0
        self.restart()

    def restart(self) -> None:
        """Start, again if killed meanwhile, and see what is there."""
        while True:
            with contextlib.suppress(Killed):
                self.start()
                return
            self.crash()

    def start(self) -> None:
        with self.doing("start"):
            self.files = WalFiles(self.directory)
        with self.doing("read"):
            recovered = recover(
                self.files.read_all(),
                stamp=STAMP,
                segment_bytes=SEGMENT_BYTES_MIN,
                base_index=self.base_index,
            )
        self.compare(recovered)
        with self.doing("write"):
            self.files.write(recovered.cut)
            self.files.sync()
        self.writer = recovered.writer

    def compare(self, recovered: Recovered) -> None:
        """Nothing acknowledged is lost; what was not may be there."""
        last = recovered.entries[-1].index if recovered.entries else self.base_index
        if not self.acknowledged <= last <= self.acknowledged + 1:
            raise DataLost
        first = recovered.entries[0].index if recovered.entries else last + 1
        assert first <= self.base_index + 1
        assert HardState(last, "a") == recovered.hard_state or last == 0
        assert [entry for index in range(first, last + 1) for entry in batch(index)] == (
            recovered.entries
        )
        self.acknowledged = last

    def step(self) -> None:
        """Do something, unless killed at it."""
        if not self.random.getrandbits(2):
            self.directory.calls_left = self.random.randrange(8)
        try:
            self.random.choice((self.append, self.append, self.append, self.drop))()
        except Killed:
            self.crash()
            if self.random.getrandbits(1):
                self.directory.calls_left = self.random.randrange(8)
            self.restart()
        self.directory.calls_left = None

    def crash(self) -> None:
        if self.random.getrandbits(1):
            self.directory.lose_power(self.random)
        else:
            self.directory.kill()

    def append(self) -> None:
        request = self.writer.wants_segment()
        if request is not None:
            with self.doing("prepare"):
                self.files.prepare(request.number, request.size)
            self.writer.segment_ready(request.number)
        index = self.acknowledged + 1
        written = self.writer.append(HardState(index, "a"), batch(index))
        with self.doing("write"):
            self.files.write(written.writes)
            self.files.sync()
        self.writer.durable(written.sequence)
        self.acknowledged = index

    def drop(self) -> None:
        self.base_index = self.random.randint(self.base_index, self.acknowledged)
        below = self.writer.droppable(self.base_index + 1)
        with self.doing("drop"):
            self.files.drop(below)

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        self.directory.doing = what
        yield


def batch(index: int) -> list[Entry]:
    return entries(index, 1, term=index, size=ENTRY_BYTES)


def run(seed: int, deaf: tuple[str, str] | None = None) -> ForgetfulDirectory:
    """Run a node through crashes; raise if it loses something or can't start any more."""
    random = Random(seed)
    directory = ForgetfulDirectory(deaf)
    node = Node(directory, random)
    for _ in range(STEPS):
        node.step()
    directory.lose_power(random)
    node.restart()
    return directory


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(200), marks=pytest.mark.slow, id="some"),
        pytest.param(range(200, 5_000), marks=pytest.mark.soak, id="many"),
    ],
)
def test_nothing_acknowledged_is_lost(seeds: range) -> None:
    synced = [run(seed).synced for seed in seeds]

    assert set(SYNCS) == set().union(*synced)


@pytest.mark.parametrize("deaf", [each for each in SYNCS if each != NAMES_READ], ids="-".join)
def test_no_sync_can_be_left_out(deaf: tuple[str, str]) -> None:
    def run_until_lost() -> None:
        for seed in range(200):
            run(seed, deaf)

    with pytest.raises((DataLost, WalDamaged)):
        run_until_lost()


def test_no_sync_of_names_can_be_left_out_at_a_start() -> None:
    """Else a segment that was removed before it may come back, and the next one may not."""
    whole = {numbers_after_two_crashes_in_drop(seed, None) for seed in range(16)}
    deaf = {numbers_after_two_crashes_in_drop(seed, NAMES_READ) for seed in range(16)}

    assert {(2, 3), (3,)} == whole
    assert {(1, 2, 3), (2, 3), (1, 3), (3,)} == deaf


def numbers_after_two_crashes_in_drop(seed: int, deaf: tuple[str, str] | None) -> tuple[int, ...]:
    """Remove segment 1, then segment 2, each time killed before the sync; then lose power."""
    directory = ForgetfulDirectory(deaf)
    files = WalFiles(directory)
    for number in (1, 2, 3):
        files.prepare(number, SEGMENT_BYTES_MIN)
    for below in (2, 3):
        files = WalFiles(directory)
        directory.doing = "read"
        assert 3 == list(files.read_all())[-1][0]
        directory.calls_left = len(("names", "remove"))
        with pytest.raises(Killed):
            files.drop(below)
        directory.kill()
    directory.lose_power(Random(seed))
    return tuple(number for number, _ in WalFiles(directory).read_all())


def test_on_a_full_disk_the_segment_in_use_is_still_written_to() -> None:
    directory = ForgetfulDirectory()
    directory.room = SEGMENT_BYTES_MIN * 3 // 2
    node = Node(directory, Random(1))
    node.append()
    with pytest.raises(NoRoom):
        node.append()
    assert [SEGMENT_BYTES_MIN, 0] == [len(content) for _, content in node.files.read_all()]

    node.writer.segment_refused(2)
    directory.room = 0
    with pytest.raises(NoRoom):
        node.append()
    written = node.writer.append(HardState(2, "a"), batch(2))
    node.files.write(written.writes)
    node.files.sync()
    node.writer.durable(written.sequence)
    node.acknowledged = 2
    node.writer.segment_refused(2)
    directory.room = SEGMENT_BYTES_MIN
    node.append()

    directory.lose_power(Random(1))
    node.restart()


def test_no_room_for_a_name_is_no_room() -> None:
    directory = ForgetfulDirectory()
    files = WalFiles(directory)
    directory.failing, directory.failure = "create", errno.EDQUOT

    with pytest.raises(NoRoom):
        files.prepare(1, SEGMENT_BYTES_MIN)

    directory.failing = ""
    files.prepare(1, SEGMENT_BYTES_MIN)


def test_two_files_are_open_between_batches() -> None:
    """The one that is written, and the one that was prepared."""
    directory = ForgetfulDirectory()
    node = Node(directory, Random(1))
    for _ in range(20):
        node.append()
        assert directory.open_handles() <= 2

    node.files.close()

    assert 0 == directory.open_handles()


def test_a_segment_is_opened_once() -> None:
    directory = ForgetfulDirectory()
    node = Node(directory, Random(1))
    for _ in range(20):
        node.append()

    assert len(list(node.files.read_all())) == directory.calls.count("create")
    opened = directory.calls.count("open")
    node.append()
    assert opened + 1 >= directory.calls.count("open")


OPERATIONS: Final[dict[str, Callable[[WalFiles], object]]] = {
    "read_all": lambda files: list(files.read_all()),
    "prepare": lambda files: files.prepare(2, SEGMENT_BYTES_MIN),
    "write": lambda files: files.write([SegmentWrite(1, 0, b"data")]),
    "fill": lambda files: files.fill(1, 0, 4096),
    "sync": WalFiles.sync,
    "drop": lambda files: files.drop(2),
    "close": WalFiles.close,
}


@pytest.mark.parametrize(
    ("operation", "failing"),
    [
        ("read_all", "sync_names"),
        ("read_all", "names"),
        ("read_all", "open"),
        ("read_all", "sync"),
        ("read_all", "read"),
        ("prepare", "create"),
        ("prepare", "allocate"),
        ("prepare", "sync"),
        ("prepare", "sync_names"),
        ("write", "open"),
        ("write", "write"),
        ("fill", "fill"),
        ("sync", "sync_data"),
        ("drop", "names"),
        ("drop", "remove"),
        ("drop", "sync_names"),
    ],
)
def test_after_a_failure_nothing_is_tried_any_more(operation: str, failing: str) -> None:
    directory = ForgetfulDirectory()
    files = WalFiles(directory)
    files.prepare(1, SEGMENT_BYTES_MIN)
    if failing == "open":
        files = WalFiles(directory)  # which has none open, as after a start
    if operation == "sync":
        files.write([SegmentWrite(1, 0, b"data")])
    directory.failing = failing

    with pytest.raises(StorageFailed, match="Input/output error"):
        OPERATIONS[operation](files)

    directory.failing = ""
    calls = list(directory.calls)
    for each in OPERATIONS.values():
        with pytest.raises(StorageFailed, match="failed before"):
            each(files)
    assert calls == directory.calls


@pytest.mark.parametrize("failing", ["make", "sync_parent"])
def test_a_directory_that_can_not_be_made_is_a_failure(failing: str) -> None:
    directory = ForgetfulDirectory()
    directory.failing = failing

    with pytest.raises(StorageFailed):
        WalFiles(directory)
