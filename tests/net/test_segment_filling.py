"""Zeros ahead of the log: they never come where it has written, and nothing depends on them."""

import errno
import time
from pathlib import Path
from random import Random
from typing import Final

import pytest

from core.wal.writer import SEGMENT_BYTES_MIN, SegmentWrite
from net import segment_filling
from net.segment_filling import STEP_BYTES, SegmentFilling
from net.wal_files import OsDirectory, WalFiles
from tests.net.forgetful import ForgetfulDirectory

SIZE: Final = 4 * STEP_BYTES


def take(filling: SegmentFilling) -> bool:
    """Take the next step if there is one that is due soon; tell whether there was."""
    due_s, step = filling.next_step()
    if due_s > time.monotonic() + 1:
        return False
    step()
    return True


def test_a_segment_is_filled_to_its_end(tmp_path: Path) -> None:
    files = WalFiles(OsDirectory(tmp_path / "wal"))
    files.prepare(1, SIZE)
    filling = SegmentFilling(files)
    filling.begin(1, SIZE)

    steps = 0
    while take(filling):
        steps += 1

    files.close()
    assert 4 == steps
    assert [(1, bytes(SIZE))] == list(WalFiles(OsDirectory(tmp_path / "wal")).read_all())


@pytest.mark.parametrize("seed", range(20))
def test_what_was_written_stays(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    files = WalFiles(OsDirectory(tmp_path / "wal"))
    filling = SegmentFilling(files)
    contents: dict[int, bytes] = {}
    for number in (1, 2, 3):
        files.prepare(number, SIZE)
        filling.begin(number, SIZE)
        written = b""
        while len(written) < SIZE and random.randrange(8):
            for _ in range(random.randrange(3)):
                take(filling)
            data = random.randbytes(min(random.randint(1, STEP_BYTES), SIZE - len(written)))
            write = SegmentWrite(number, len(written), data)
            files.write([write])
            files.sync()
            filling.written([write])
            written += data
        contents[number] = written.ljust(SIZE, b"\0")
    while take(filling):
        pass

    files.close()

    assert contents == dict(WalFiles(OsDirectory(tmp_path / "wal")).read_all())


@pytest.mark.parametrize("failure", [errno.ENOSPC, errno.EDQUOT, errno.EOPNOTSUPP])
def test_where_it_cannot_be_it_is_left(failure: int) -> None:
    directory = ForgetfulDirectory()
    files = WalFiles(directory)
    files.prepare(1, SEGMENT_BYTES_MIN)
    filling = SegmentFilling(files)
    filling.begin(1, SEGMENT_BYTES_MIN)
    directory.failing, directory.failure = "fill", failure

    assert take(filling)
    assert not take(filling)
    files.write([SegmentWrite(1, 0, b"data")])
    files.sync()
    filling.end()


def test_a_segment_that_is_gone_is_not_filled() -> None:
    directory = ForgetfulDirectory()
    files = WalFiles(directory)
    filling = SegmentFilling(files)
    assert not take(filling)
    files.prepare(1, SEGMENT_BYTES_MIN)
    filling.begin(1, SEGMENT_BYTES_MIN)
    files.drop(2)

    assert take(filling)
    assert not take(filling)
    assert "fill" not in directory.calls


def test_between_two_steps_a_batch_may_come(tmp_path: Path) -> None:
    files = WalFiles(OsDirectory(tmp_path / "wal"))
    files.prepare(1, SIZE)
    filling = SegmentFilling(files)
    filling.begin(1, SIZE)
    before_s = time.monotonic()
    take(filling)

    due_s, _ = filling.next_step()

    files.close()
    assert before_s + segment_filling.PAUSE_S <= due_s
