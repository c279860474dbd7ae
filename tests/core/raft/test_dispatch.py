"""Consensus as a whole: every script in `scripts` happens exactly as it is written."""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.core.raft import script

SCRIPTS: Final = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path) -> None:
    script.verify(path, rewrite=os.environ.get("REWRITE_SCRIPTS") == "1")


def test_a_script_with_another_outcome_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text("cluster a\n    a: leader\n")

    with pytest.raises(AssertionError):
        script.verify(path, rewrite=False)


def test_traces_are_written_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "new.txt"
    path.write_text("# Alone.\ncluster a\n    a: anything\n")

    script.verify(path, rewrite=True)

    expected = (
        "# Alone.\ncluster a\n    a: follower term 1 vote - last 1.1 commit 1\n    a: members a\n"
    )
    assert expected == path.read_text()
