"""The directory of one node: its lock, its identity, and what is refused."""

import os
from pathlib import Path

import pytest

from net.data_directory import DataDirectory, DataDirectoryError
from net.wal_files import NoRoom


def test_the_identity_is_made_once(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path / "data")
    node = first.identity.node
    first.close()
    second = DataDirectory(tmp_path / "data")

    assert node == second.identity.node
    assert 32 == len(bytes.fromhex(node).hex())
    second.close()


def test_two_directories_have_two_identities(tmp_path: Path) -> None:
    directories = [DataDirectory(tmp_path / name) for name in ("a", "b")]

    assert directories[0].identity != directories[1].identity
    for directory in directories:
        directory.close()


def test_everything_is_private(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")

    modes = {path: path.stat().st_mode & 0o777 for path in directory.path.rglob("*")}

    assert {0o600 if path.is_file() else 0o700 for path in modes} == set(modes.values())
    assert 0o700 == directory.path.stat().st_mode & 0o777
    directory.close()


def test_a_directory_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    tmp_path.chmod(0o755)

    with pytest.raises(DataDirectoryError, match="holds something else than the data of a node"):
        DataDirectory(tmp_path)

    assert ["letters"] == [path.name for path in tmp_path.iterdir()]
    assert 0o755 == tmp_path.stat().st_mode & 0o777


def test_a_file_system_may_be_mounted_there(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()

    DataDirectory(tmp_path).close()


def test_a_second_user_is_refused_at_once(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)

    with pytest.raises(DataDirectoryError, match="in use by another process"):
        DataDirectory(tmp_path)

    first.close()
    DataDirectory(tmp_path).close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"format": 2, "node": "a"}', "format 2, which is unknown here"),
        ("{", "cannot be read"),
        ('{"format": 1}', "cannot be read"),
    ],
)
def test_an_identity_that_means_nothing_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """And the directory is let go of, so that it can be repaired."""
    (tmp_path / "identity.json").write_text(text)

    for _ in range(2):
        with pytest.raises(DataDirectoryError, match=reason):
            DataDirectory(tmp_path)


@pytest.mark.parametrize("inner", ["wal/0000000000000001.seg", "store/current"])
def test_data_of_nobody_is_refused(tmp_path: Path, inner: str) -> None:
    file = tmp_path / inner
    file.parent.mkdir()
    file.touch()

    with pytest.raises(DataDirectoryError, match="does not say whose"):
        DataDirectory(tmp_path)


def test_a_path_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(DataDirectoryError, match=f"{file}: Not a directory"):
        DataDirectory(file)


def test_no_room_for_the_mark_of_the_log_is_no_room(tmp_path: Path) -> None:
    """And another failure is none."""
    directory = DataDirectory(tmp_path)
    temporary = tmp_path / "has-log.new"
    temporary.symlink_to("/dev/full")
    with pytest.raises(NoRoom):
        directory.mark_log()
    temporary.unlink()
    temporary.mkdir()
    with pytest.raises(IsADirectoryError):
        directory.mark_log()
    temporary.rmdir()

    begun = [directory.has_log]
    directory.mark_log()
    begun.append(directory.has_log)
    assert [False, True] == begun
    directory.close()


def test_a_store_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    """And the lock is not kept."""
    DataDirectory(tmp_path).close()
    (tmp_path / "store").rmdir()
    (tmp_path / "store").symlink_to(tmp_path / "nowhere" / "store")

    for _ in range(2):
        with pytest.raises(DataDirectoryError, match=os.strerror(17)):
            DataDirectory(tmp_path)
