"""Audit files: what is written, what can't be, and files that are renamed."""

import os
from pathlib import Path

import pytest

from core.vault.audit_file import AuditFile
from net.audit_files import DISCARD, OPEN_MAX, STDOUT, AuditFiles
from tests.net.small_disk import SmallDisk


def descriptors() -> int:
    """Return how many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_lines_are_appended_to_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    files = AuditFiles()

    results = [files.append({AuditFile(str(file)): line}) for line in (b"one\n", b"two\n")]

    assert [(), ()] == results
    assert (b"one\ntwo\n", 0o600) == (file.read_bytes(), file.stat().st_mode & 0o777)
    files.reopen()


def test_a_mode_is_given_to_a_file_that_is_there(tmp_path: Path) -> None:
    given, left = tmp_path / "given", tmp_path / "left"
    for each in (given, left):
        each.touch(mode=0o644)
    files = AuditFiles()

    unwritable = files.append({AuditFile(str(given), 0o640): b"", AuditFile(str(left), 0): b""})

    assert () == unwritable
    assert [0o640, 0o644] == [each.stat().st_mode & 0o777 for each in (given, left)]
    files.reopen()


def test_what_can_not_be_written_is_named(tmp_path: Path) -> None:
    """A directory, a missing directory, a device that is full, and a pipe that nobody reads."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    good = tmp_path / "good"
    bad = [str(tmp_path), str(tmp_path / "a" / "b"), "/dev/full", str(pipe)]
    files = AuditFiles()

    lines = {AuditFile(path, 0): b"line\n" for path in (bad[0], str(good), *bad[1:])}

    assert tuple(bad) == files.append(lines)
    assert b"line\n" == good.read_bytes()
    files.reopen()


def test_a_mode_that_can_not_be_given_leaves_no_descriptor() -> None:
    """/proc has files that are there and whose modes are not ours to change."""
    files = AuditFiles()
    before = descriptors()

    unwritable = files.append({AuditFile("/proc/self/comm", 0o601): b""})

    assert ("/proc/self/comm",) == unwritable
    assert before == descriptors()


def test_nothing_is_kept_of_what_is_discarded(tmp_path: Path) -> None:
    files = AuditFiles()

    assert () == files.append({AuditFile(DISCARD): b"line\n"})
    assert [] == list(tmp_path.iterdir())


def test_records_go_to_the_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """Which stays open when files are reopened."""
    files = AuditFiles()

    for _ in range(2):
        files.append({AuditFile(STDOUT): b"line\n"})
        files.reopen()

    assert "line\nline\n" == capfd.readouterr().out


def test_a_renamed_file_is_let_go_of(tmp_path: Path) -> None:
    file, renamed = tmp_path / "audit.log", tmp_path / "audit.log.1"
    files = AuditFiles()
    files.append({AuditFile(str(file)): b"one\n"})
    file.rename(renamed)

    files.append({AuditFile(str(file)): b"two\n"})
    files.reopen()
    files.append({AuditFile(str(file)): b"three\n"})

    assert [b"one\ntwo\n", b"three\n"] == [each.read_bytes() for each in (renamed, file)]
    files.reopen()


def test_not_more_than_so_many_files_are_open(tmp_path: Path) -> None:
    files = AuditFiles()
    before = descriptors()

    for number in range(OPEN_MAX + 2):
        assert () == files.append({AuditFile(str(tmp_path / str(number))): b"line\n"})

    assert before + 2 == descriptors()
    files.reopen()


def test_a_record_that_was_cut_short_does_not_spoil_the_next(small_disk: SmallDisk) -> None:
    """Not all of it counts as not written; once there is room, the next begins a line."""
    path = small_disk.path / "audit.log"
    file = AuditFile(str(path))
    files = AuditFiles()
    files.append({file: b"first\n"})
    small_disk.fill(but_bytes=4096)

    torn = [files.append({file: b"x" * 20_000 + b"\n"}) for _ in range(2)]
    small_disk.empty()
    after = files.append({file: b"last\n"})

    assert [(str(path),), (str(path),)] == torn
    assert () == after
    lines = path.read_bytes().split(b"\n")
    assert [b"first", b"last", b""] == [lines[0], *lines[-2:]]
    files.reopen()
