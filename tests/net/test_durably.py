"""Small files that survive, and directories that nobody else can look into."""

import errno
import os
import resource
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from net.durably import make_directory, write_durably


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_as_a_whole_and_is_private(tmp_path: Path) -> None:
    file = tmp_path / "a.json"

    write_durably(file, b"one")
    write_durably(file, b"two")

    assert (b"two", 0o600, ["a.json"]) == (
        file.read_bytes(),
        mode(file),
        [each.name for each in tmp_path.iterdir()],
    )


def test_without_room_the_old_one_stays() -> None:
    """/dev/full takes nothing: the new content is written there, and never put in place."""
    file = Path("/dev/shm") / f"holdfast-{os.getpid()}.json"
    write_durably(file, b"one")
    temporary = file.with_suffix(".new")
    temporary.symlink_to("/dev/full")
    try:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write_durably(file, b"two")

        assert b"one" == file.read_bytes()
    finally:
        temporary.unlink()
        file.unlink()


def test_a_directory_is_made_with_those_above_it(tmp_path: Path) -> None:
    """Only the last one is private."""
    path = tmp_path / "a" / "b" / "c"

    make_directory(path)

    assert 0o700 == mode(path)
    assert 0o700 != mode(path.parent)


def test_a_directory_that_is_there_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir(mode=0o755)

    make_directory(path)

    assert 0o700 == mode(path)


def test_what_is_written_in_part_is_not_put_in_place(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_durably(file, b"one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write_durably(file, b"somewhat longer")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert b"one" == file.read_bytes()


def test_a_directory_may_lie_where_its_owner_can_not_look() -> None:
    """Then it is as durable as whoever has made it saw to."""
    nobody = 65_534
    with TemporaryDirectory() as above:
        path = Path(above) / "data"
        path.mkdir()
        if os.geteuid() == 0:
            Path(above).chmod(0o711)
            os.chown(path, nobody, -1)
            os.seteuid(nobody)
        else:
            Path(above).chmod(0o311)
        try:
            with pytest.raises(PermissionError):
                os.listdir(above)  # noqa: PTH208 -- to be refused is all that is wanted
            make_directory(path)
        finally:
            if os.getuid() == 0:
                os.seteuid(0)
            Path(above).chmod(0o700)

        assert 0o700 == mode(path)
