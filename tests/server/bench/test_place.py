"""A benchmark leaves nothing behind, and says where it can't work."""

from pathlib import Path

import pytest

from server.bench.place import disk_condition, workplace
from server.bench.settings import BenchError, Settings


def settings(directory: Path) -> Settings:
    return Settings(directory=str(directory), say=print)


def test_a_workplace_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    with workplace(settings(tmp_path)) as directory:
        (directory / "file").write_text("left")
        assert directory.parent == tmp_path
    assert [] == list(tmp_path.iterdir())


def test_a_workplace_that_can_not_be(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchError, match=r"in .*/none: No such file or directory$"),
        workplace(settings(tmp_path / "none")),
    ):
        raise AssertionError


@pytest.mark.slow
def test_the_disk_is_told(tmp_path: Path) -> None:
    assert disk_condition(tmp_path).startswith("fdatasync of 4 KiB ")
