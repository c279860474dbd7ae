"""A whole node over a disk that forgets: it always starts, and nothing promised is lost.

And no sync can be left out anywhere in `net`: without any one of them something would be lost.
"""

import ast
import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.house.source import ROOT
from tests.net.forgetful_tree import LOSSES, Place, crashes, known, write_out
from tests.net.promises import (
    BROKEN,
    DATA,
    LOG,
    NODE,
    STORAGE,
    Story,
    Told,
    append,
    flush,
    second_lives,
    told,
)
from tests.net.recorder import Recorder
from tests.net.small_disk import quick_disk
from tests.net.storage import living

SYNCS: Final = frozenset(
    {
        "fsync",
        "fdatasync",
        "sync",
        "sync_data",
        "sync_names",
        "sync_parent",
        "sync_directory",
        "_sync_name",
    }
)
"""Functions that do nothing but sync, or have it done."""
EXPECTED: Final = {
    ("net/base_directory.py", "sync_directory"): 1,
    ("net/durably.py", "_sync_name"): 3,
    ("net/durably.py", "fsync"): 2,
    ("net/durably.py", "sync_directory"): 2,
    ("net/file_log.py", "sync"): 2,
    ("net/lmdb_base.py", "sync_directory"): 1,
    ("net/wal_files.py", "fdatasync"): 1,
    ("net/wal_files.py", "fsync"): 1,
    ("net/wal_files.py", "sync"): 2,
    ("net/wal_files.py", "sync_data"): 1,
    ("net/wal_files.py", "sync_directory"): 2,
    ("net/wal_files.py", "sync_names"): 3,
    ("net/wal_files.py", "sync_parent"): 1,
}
"""How often each of them is called in each file."""
STORIES: Final = {"storage": STORAGE, "log": LOG, "node": NODE}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in `net` that asks for a sync, and its file."""
    for file in sorted((ROOT / "net").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and called(node) in SYNCS:
                yield file.relative_to(ROOT).as_posix(), node


def syncs() -> list[Place]:
    """Return the places of these calls."""
    return [(file, call.lineno) for file, call in calls()]


def called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def test_these_are_all_the_syncs() -> None:
    """One that goes missing is missed here, were it only needed once in a thousand crashes."""
    assert EXPECTED == Counter((file, called(call)) for file, call in calls())


class Library:
    """Stories, each told when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count()
        self._first: list[Told] = []
        self._second: list[Told] = []

    def first_lives(self) -> list[Told]:
        """Return each story as it begins."""
        if not self._first:
            self._first = [self.tell(story) for story in STORIES.values()]
        return self._first

    def tell(self, story: Story) -> Told:
        """Return one more story as it begins."""
        return trio.run(told, story, self._fresh())

    def second_lives(self) -> list[Told]:
        """Return how the log and the storage go on, wherever they were interrupted."""
        if not self._second:
            for one in self.first_lives():
                if one.story is not NODE:
                    place = self._fresh()
                    place.mkdir()
                    self._second += trio.run(all_second_lives, one, place)
        return self._second

    def look(self, one: Told, deaf: Place | None = None, losses: int = LOSSES) -> int:
        """Start on all that a crash may have left, return on how many; raises one of `BROKEN`."""
        return trio.run(self._look, one, deaf, losses)

    async def _look(self, one: Told, deaf: Place | None, losses: int) -> int:
        looked = 0
        for left, facts in crashes(one.journal, deaf, losses, one.since):
            place = self._fresh()
            write_out(left, place)
            await one.story.check(place / DATA, known(facts))
            shutil.rmtree(place)
            looked += 1
        return looked

    def _fresh(self) -> Path:
        return self._directory / f"{next(self._numbers)}"


async def all_second_lives(first: Told, directory: Path) -> list[Told]:
    return [each async for each in second_lives(first, directory)]


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    with quick_disk() as directory:
        yield Library(directory)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(STORIES)), ids=list(STORIES))
def test_killed_at_every_point_nothing_promised_is_lost(library: Library, number: int) -> None:
    assert library.look(library.first_lives()[number]) > 0


@pytest.mark.parametrize(
    "stride",
    [
        pytest.param(11, marks=pytest.mark.slow, id="some"),
        pytest.param(1, marks=pytest.mark.soak, id="all"),
    ],
)
def test_killed_again_in_a_second_life_nothing_promised_is_lost(
    library: Library, stride: int
) -> None:
    for one in library.second_lives()[::stride]:
        assert library.look(one) > 0


async def cut_too_early(path: Path, recorder: Recorder) -> None:
    """Have the log cut without waiting for the flush that makes it needless."""
    async with living(path) as life:
        await append(life, recorder, 1, 4)
        await recorder.beside(flush(life, recorder, 3), life.drop(4))


def test_what_does_not_wait_for_the_other_thread_is_looked_at_in_any_order(
    library: Library,
) -> None:
    """The base comes first in the journal, and all is well; the log might have been first."""
    hasty = library.tell(STORAGE._replace(begin=cut_too_early))

    with pytest.raises(BROKEN):
        library.look(hasty)


@pytest.mark.slow
@pytest.mark.parametrize("place", syncs(), ids=lambda place: "{}:{}".format(*place))
def test_no_sync_can_be_left_out(library: Library, place: Place) -> None:
    def look_until_lost() -> None:
        for lives in (library.first_lives, library.second_lives):
            for one in lives():
                library.look(one, place)

    with pytest.raises(BROKEN):
        look_until_lost()
