"""The log in real files reads back, grows, shrinks and stops at the first failure."""

import resource
import stat
from pathlib import Path

import pytest

from core.raft.entry import HardState
from core.wal.recovery import Recovered, recover
from core.wal.writer import SEGMENT_BYTES_MIN, SegmentWrite, Writer
from net.wal_files import OsDirectory, StorageFailed, WalFiles
from tests.core.wal.disk import STAMP, entries


def open_files(path: Path) -> WalFiles:
    return WalFiles(OsDirectory(path / "wal"))


def recovered(files: WalFiles, base_index: int = 0) -> Recovered:
    return recover(
        files.read_all(), stamp=STAMP, segment_bytes=SEGMENT_BYTES_MIN, base_index=base_index
    )


def append(files: WalFiles, writer: Writer, index: int) -> None:
    request = writer.wants_segment()
    if request is not None:
        files.prepare(request.number, request.size)
        writer.segment_ready(request.number)
    hard_state = HardState(index, "a")
    batch = writer.append(hard_state, entries(index, 1, size=SEGMENT_BYTES_MIN // 3))
    files.write(batch.writes)
    files.sync()
    writer.durable(batch.sequence)


def segment_names(path: Path) -> list[str]:
    return sorted(each.name for each in (path / "wal").iterdir())


def test_what_was_written_is_read_back_by_the_next_process(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    writer = recovered(files).writer
    for index in range(1, 10):
        append(files, writer, index)
    files.close()

    again = recovered(open_files(tmp_path))

    assert entries(1, 9, size=SEGMENT_BYTES_MIN // 3) == again.entries
    assert (HardState(9, "a"), 9, ()) == (again.hard_state, again.writer.sequence, again.cut)


def test_old_segments_are_deleted(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    writer = recovered(files).writer
    for index in range(1, 10):
        append(files, writer, index)
    before = segment_names(tmp_path)

    files.drop(writer.droppable(6))

    assert [f"{number:016d}.seg" for number in range(1, 6)] == before
    assert [f"{number:016d}.seg" for number in range(3, 6)] == segment_names(tmp_path)
    indices = [entry.index for entry in recovered(open_files(tmp_path), base_index=5).entries]
    assert [5, 6, 7, 8, 9] == indices


def test_a_torn_tail_is_cut_from_the_file(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    writer = recovered(files).writer
    append(files, writer, 1)
    batch = writer.append(None, entries(2, 1))
    files.write([SegmentWrite(1, batch.writes[0].offset, batch.writes[0].data[:-20])])
    files.close()

    files = open_files(tmp_path)
    torn = recovered(files)
    files.write(torn.cut)
    files.sync()

    assert [1] == [entry.index for entry in torn.entries]
    assert 1 == len(torn.cut)
    assert () == recovered(open_files(tmp_path)).cut


def test_a_prepared_segment_is_zero_and_has_its_blocks(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    path = tmp_path / "wal" / "0000000000000001.seg"
    path.write_bytes(b"left over by a crash" * 10_000)

    files.prepare(1, SEGMENT_BYTES_MIN)

    assert bytes(SEGMENT_BYTES_MIN) == path.read_bytes()
    assert SEGMENT_BYTES_MIN <= path.stat().st_blocks * 512


def test_what_is_left_of_a_refused_segment_takes_no_room(tmp_path: Path) -> None:
    directory = OsDirectory(tmp_path)
    file = directory.create("a")
    directory.allocate(file, SEGMENT_BYTES_MIN)

    directory.truncate(file)
    directory.close(file)

    assert 0 == (tmp_path / "a").stat().st_blocks


def test_several_writes_make_one_batch(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    files.prepare(1, SEGMENT_BYTES_MIN)

    files.write([SegmentWrite(1, 3, b"de"), SegmentWrite(1, 0, b"abc")])
    files.sync()

    ((number, content),) = files.read_all()
    assert (1, b"abcde".ljust(SEGMENT_BYTES_MIN, b"\0")) == (number, content)


def test_a_short_write_is_a_failure(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    files.prepare(1, SEGMENT_BYTES_MIN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SEGMENT_BYTES_MIN, limits[1]))
    try:
        with pytest.raises(StorageFailed, match="not all was written"):
            files.write([SegmentWrite(1, SEGMENT_BYTES_MIN - 2, b"data")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_only_the_user_sees_the_log(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    files.prepare(1, SEGMENT_BYTES_MIN)

    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "wal", tmp_path / "wal" / "0000000000000001.seg")
    ]
    assert [0o700, 0o600] == modes


def test_other_files_are_not_segments(tmp_path: Path) -> None:
    files = open_files(tmp_path)
    files.prepare(1, SEGMENT_BYTES_MIN)
    for name in ("lost+found", "1.seg", "0000000000000002.seg~", "x0000000000000003.seg"):
        (tmp_path / "wal" / name).write_bytes(b"")

    assert [1] == [number for number, _ in files.read_all()]


def test_a_missing_segment_stops_all(tmp_path: Path) -> None:
    files = open_files(tmp_path)

    with pytest.raises(StorageFailed, match="No such file"):
        files.write([SegmentWrite(1, 0, b"data")])
    with pytest.raises(StorageFailed, match="failed before"):
        files.prepare(1, SEGMENT_BYTES_MIN)


def test_a_directory_that_is_a_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "wal").write_bytes(b"")

    with pytest.raises(StorageFailed, match="File exists"):
        open_files(tmp_path)
