"""A member's own credentials, as its directory keeps them."""

from pathlib import Path

import pytest

from net import credentials
from net.data_directory import DataDirectoryError
from tests.net.members import credentials_of


def test_what_was_saved_is_loaded_and_private(tmp_path: Path) -> None:
    own = credentials_of("a")

    credentials.save(tmp_path, own)

    assert own == credentials.load(tmp_path)
    assert 0o600 == (tmp_path / "peer.json").stat().st_mode & 0o777


def test_there_are_none_before(tmp_path: Path) -> None:
    assert credentials.load(tmp_path) is None


def test_a_file_that_means_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "peer.json").write_text("{}")

    with pytest.raises(DataDirectoryError, match=r"peer.json cannot be read"):
        credentials.load(tmp_path)
