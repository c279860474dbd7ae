"""Named records: kept sealed, found on the way to a path, refused when they are of no use."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.barrier.names import PATH_KEY_MAX, PathTooLong
from core.barrier.record import RecordDamaged
from core.store.keys import SCOPE_SHARED, SEALED_MIN
from core.vault.catalog import Catalog
from tests.core.barrier.helpers import MemoryStore, examples, make_barrier

LONG = "x" * 300
DEEP = "/".join("x" * 40)


class Note(msgspec.Struct, frozen=True, array_like=True):
    text: str


class Other(msgspec.Struct, frozen=True, array_like=True):
    number: int


class Shelf:
    """A catalog with its store."""

    def __init__(self) -> None:
        self.barrier = make_barrier()
        self.store = MemoryStore()
        self.prefix = self.barrier.names.path(SCOPE_SHARED, "notes")
        self.notes = Catalog(self.barrier, self.prefix, Note)

    def put(self, *names: str) -> None:
        for name in names:
            self.notes.put(self.store, name, Note(name))

    def nearest(self, path: str) -> str | None:
        note = self.notes.nearest(self.store, path)
        return None if note is None else note.text


def test_a_record_is_found_by_its_name_until_it_is_deleted() -> None:
    shelf = Shelf()
    shelf.put("a", "a/b")

    assert Note("a") == shelf.notes.get(shelf.store, "a")
    assert Note("a/b") == shelf.notes.get(shelf.store, "a/b")
    assert shelf.notes.get(shelf.store, "b") is None

    shelf.notes.delete(shelf.store, "a")

    assert shelf.notes.get(shelf.store, "a") is None
    assert [Note("a/b")] == list(shelf.notes.records(shelf.store))


def test_neither_name_nor_record_can_be_read_in_the_store() -> None:
    shelf = Shelf()
    shelf.put("marker")

    stored = b"".join(key + value for key, value in shelf.store.values.items())

    assert b"marker" not in stored


@pytest.mark.parametrize("name", [LONG, DEEP])
def test_a_name_that_fits_into_no_key_is_never_there(name: str) -> None:
    shelf = Shelf()

    assert shelf.notes.get(shelf.store, name) is None
    assert shelf.notes.nearest(shelf.store, name) is None
    with pytest.raises(PathTooLong):
        shelf.put(name)


def test_the_first_record_on_the_way_is_the_nearest() -> None:
    shelf = Shelf()
    shelf.put("a", "b/c")

    assert "a" == shelf.nearest("a")
    assert "a" == shelf.nearest("a/b/c")
    assert "b/c" == shelf.nearest("b/c/d")
    assert [None] * 4 == [shelf.nearest(path) for path in ("b", "ab", "b/d", "")]


def test_looking_for_a_path_takes_single_keys() -> None:
    shelf = Shelf()
    shelf.put("a/b")
    shelf.store.seeks = 0

    assert shelf.nearest("x/y/z") is None
    assert 0 == shelf.store.seeks


class CountingStore(MemoryStore):
    """Counts the keys that are asked for."""

    asked = 0

    def get(self, key: bytes) -> bytes | None:
        self.asked += 1
        return super().get(key)


def test_a_long_path_takes_no_more_look_ups_than_a_key_has_segments() -> None:
    store = CountingStore()

    assert Shelf().notes.nearest(store, "a/" * 10_000) is None
    assert 0 < store.asked <= PATH_KEY_MAX // SEALED_MIN


def test_what_lies_below_a_name_includes_the_name() -> None:
    shelf = Shelf()
    shelf.put("a", "a/b", "a/b/c", "ab", "b")

    below = sorted(note.text for note in shelf.notes.below(shelf.store, "a"))

    assert ["a", "a/b", "a/b/c"] == below


def test_a_record_of_another_kind_or_version_is_damage() -> None:
    shelf = Shelf()
    other = Catalog(shelf.barrier, shelf.prefix, Other)
    other.put(shelf.store, "a", Other(1))
    key = shelf.notes.key("b")
    shelf.store.put(key, shelf.barrier.seal(key, b"\x02"))

    with pytest.raises(RecordDamaged, match="cannot be read"):
        shelf.notes.get(shelf.store, "a")
    with pytest.raises(RecordDamaged, match="a version that is not known here"):
        shelf.notes.get(shelf.store, "b")


paths = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=4).map("/".join)


@examples(100)
@given(names=st.lists(paths, max_size=5), path=paths)
def test_the_nearest_is_the_shortest_name_on_the_way(names: list[str], path: str) -> None:
    shelf = Shelf()
    shelf.put(*names)

    on_the_way = [name for name in names if f"{path}/".startswith(f"{name}/")]

    assert min(on_the_way, key=len, default=None) == shelf.nearest(path)
