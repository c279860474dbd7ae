"""A base that was damaged anywhere is whole, or set aside, after a few starts; never wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.store.base import BaseMeta
from net.base_directory import BaseDirectory
from tests.house.source import ROOT
from tests.net import damaging
from tests.net.small_disk import quick_disk

STAYS_WHOLE = "meta page 0 byte 0"
"""Nothing is there that means anything."""
SET_ASIDE = {"cut to 0", "cut to 4096", "cut in the middle", "without the last byte"}


def test_a_base_that_is_older_than_it_was_is_set_aside(tmp_path: Path) -> None:
    """Of two meta pages LMDB may take the former, if the latter one is damaged."""
    path = tmp_path / "store"
    damaging.make(path)
    (path / "suspect").unlink()
    (path / "current").write_text('{"generation":1,"index":10,"void_through":3}')

    for _ in range(2):
        directory = BaseDirectory(path, damaging.STAMP)
        assert BaseMeta(void_through=3) == directory.base.meta
        directory.close(whole=True)
    assert (path / "damaged" / "data.mdb").exists()


@pytest.mark.slow
@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_damage_is_noticed_at_the_latest_at_the_next_start(ended: str) -> None:
    """Also if looking at it ends the process by a signal, as LMDB's assertions do."""
    with quick_disk() as directory:
        program = (sys.executable, "-m", "tests.net.damaging", str(directory), ended)
        done = subprocess.run(program, cwd=ROOT, capture_output=True, check=True)
    outcomes: dict[str, str] = json.loads(done.stdout)

    assert {"whole", "aside"} == set(outcomes.values())
    assert "whole" == outcomes[STAYS_WHOLE]
    assert {"aside"} == {outcomes[damage] for damage in SET_ASIDE}
