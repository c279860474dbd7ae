"""The storage of one mount, against a plain dictionary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.barrier import storage as module
from core.barrier.names import PathTooLong
from core.barrier.record import RecordDamaged
from core.barrier.storage import PLAINTEXT_MAX, ListTooLong, Storage, ValueTooLarge
from core.store.keys import SCOPE_SHARED, VALUE_MAX
from tests.core.barrier.helpers import MemoryStore, examples, make_barrier

Model = dict[tuple[str, int | None], bytes]

BARRIER = make_barrier()
PREFIX = BARRIER.names.path(SCOPE_SHARED, "logical/uuid")

NAMES = st.lists(st.sampled_from(["", "a", "b", "long name"]), min_size=1, max_size=4).map("/".join)
PLACES = st.tuples(NAMES, st.none() | st.integers(0, 9))
CHANGES = st.lists(st.tuples(PLACES, st.none() | st.binary(max_size=3)), max_size=30)


def make(*names: str) -> tuple[Storage, MemoryStore]:
    """Return a storage with those names set, beside a neighbour's."""
    store = MemoryStore()
    storage = Storage(store, BARRIER, PREFIX)
    Storage(store, BARRIER, BARRIER.names.path(SCOPE_SHARED, "logical/other")).put("a", b"other")
    for name in names:
        storage.put(name, name.encode())
    return storage, store


def filled(changes: list[tuple[tuple[str, int | None], bytes | None]]) -> tuple[Storage, Model]:
    storage, _ = make()
    model: Model = {}
    for (name, number), value in changes:
        if value is None:
            storage.delete(name, number)
            model.pop((name, number), None)
        else:
            storage.put(name, value, number)
            model[name, number] = value
    return storage, model


def children(model: Model, directory: str) -> list[str]:
    found = set()
    for name, number in model:
        if name.startswith(directory):
            child, slash, _ = name[len(directory) :].partition("/")
            if slash or number is None:
                found.add(child + slash)
    return sorted(found)


def directories(model: Model) -> list[str]:
    inner = {
        name[: place + 1] for name, _ in model for place, sign in enumerate(name) if sign == "/"
    }
    return ["", "unknown/", *sorted(inner)]


@given(changes=CHANGES, place=PLACES)
@examples(40)
def test_values_are_those_of_a_dictionary(
    changes: list[tuple[tuple[str, int | None], bytes | None]], place: tuple[str, int | None]
) -> None:
    storage, model = filled(changes)

    for name, number in (place, *model):
        assert storage.get(name, number) == model.get((name, number))
        expected = sorted(n for other, n in model if other == name and n is not None)
        assert storage.numbers(name) == expected


@given(changes=CHANGES, limit=st.integers(1, 4))
@examples(40)
def test_listings_are_those_of_a_dictionary(
    changes: list[tuple[tuple[str, int | None], bytes | None]], limit: int
) -> None:
    storage, model = filled(changes)

    for directory in directories(model):
        expected = children(model, directory)
        assert storage.list(directory) == expected
        paged: list[str] = []
        after = None
        for _ in range(-(-len(expected) // limit)):
            page = storage.list_page(directory, after, limit)
            paged += page
            after = page[-1]
        assert sorted(paged) == expected
        assert storage.list_page(directory, after, limit) == []


@given(changes=CHANGES, limit=st.integers(1, 5))
@examples(40)
def test_slices_remove_everything_and_no_more(
    changes: list[tuple[tuple[str, int | None], bytes | None]], limit: int
) -> None:
    storage, model = filled(changes)
    slices = max(1, -(-len(model) // limit))

    assert [storage.delete_some(limit) for _ in range(slices)] == [True] * (slices - 1) + [False]
    assert storage.list("") == []
    assert all(storage.get(name, number) is None for name, number in model)


def test_slices_leave_the_neighbours() -> None:
    storage, store = make("a", "b", "b/c")
    storage.put("b", b"one", 1)
    before = len(store.values)

    assert storage.below("b").delete_some(10) is False
    assert len(store.values) == before - 1
    assert storage.list("") == ["a", "b"]
    assert storage.numbers("b") == [1]


def test_name_may_be_value_directory_and_numbered_at_once() -> None:
    storage, _ = make("a", "a/b")
    storage.put("a", b"seven", 7)
    storage.put("only numbered", b"one", 1)

    assert storage.list("") == ["a", "a/"]
    assert storage.list("a/") == ["b"]
    assert storage.get("a", 7) == b"seven"
    assert storage.numbers("a") == [7]
    assert storage.get("only numbered") is None


def test_numbers_come_in_order_over_their_whole_range() -> None:
    storage, _ = make("a/b")
    numbers = [2**32 - 1, 0, 256, 255, 1]
    for number in numbers:
        storage.put("a", b"value", number)

    assert storage.numbers("a") == sorted(numbers)
    with pytest.raises(OverflowError):
        storage.put("a", b"value", 2**32)


def test_names_sort_by_code_point() -> None:
    storage, _ = make("b", "a/x", "a", "a-b", "B", "ä", "\U0001f511")

    assert storage.list("") == ["B", "a", "a-b", "a/", "b", "ä", "\U0001f511"]


def test_page_goes_on_behind_a_child_that_is_gone() -> None:
    storage, _ = make("a", "b/x", "c", "d/y")
    order = storage.list_page("", None, 4)
    for place, child in enumerate(order):
        storage.delete({"a": "a", "b/": "b/x", "c": "c", "d/": "d/y"}[child])

        assert storage.list_page("", child, 4) == order[place + 1 :]


def test_below_is_the_same_place_seen_from_further_down() -> None:
    storage, _ = make("a/b/c")
    below = storage.below("a").below("b")

    below.put("d", b"deep")

    assert storage.get("a/b/d") == b"deep"
    assert below.list("") == ["c", "d"]
    assert below.get("c") == b"a/b/c"


def test_list_passes_over_what_is_below_a_child() -> None:
    storage, store = make(*(f"a/{number}" for number in range(300)), "b")
    for number in range(300):
        storage.put("b", b"value", number)
    store.steps = 0

    assert storage.list("") == ["a/", "b"]
    assert store.steps <= 12


@pytest.mark.parametrize(("versions", "seeks"), [(0, 1), (1, 1), (3, 1), (4, 11), (5, 11)])
def test_list_seeks_only_past_many_versions(versions: int, seeks: int) -> None:
    names = [f"name {number}" for number in range(10)]
    storage, store = make(*names)
    for name in names:
        for number in range(versions):
            storage.put(name, b"value", number)
    store.seeks = 0

    assert storage.list("") == names
    assert store.seeks == seeks


def test_largest_value_fits_the_store_and_one_byte_more_is_refused() -> None:
    storage, store = make()
    storage.put("a", bytes(PLAINTEXT_MAX))

    assert max(len(value) for value in store.values.values()) == VALUE_MAX
    with pytest.raises(ValueTooLarge, match=str(PLAINTEXT_MAX)):
        storage.put("b", bytes(PLAINTEXT_MAX + 1))
    assert storage.list("") == ["a"]


def test_path_that_is_too_long_is_refused_by_each_method() -> None:
    storage, store = make()
    before = dict(store.values)
    name = "a" * 600
    with pytest.raises(PathTooLong):
        storage.get(name)
    with pytest.raises(PathTooLong):
        storage.put(name, b"value")
    with pytest.raises(PathTooLong):
        storage.list(name + "/")
    with pytest.raises(PathTooLong):
        storage.list_page("", name, 1)
    assert store.values == before


def test_nothing_in_the_store_can_be_read() -> None:
    _, store = make("planted directory/planted name")
    everything = b"".join(key + value for key, value in store.values.items())

    assert b"planted" not in everything


def test_records_cannot_change_places() -> None:
    storage, store = make("a", "b")
    key_a = BARRIER.names.path(PREFIX, "a")
    key_b = BARRIER.names.path(PREFIX, "b")

    store.put(key_a, store.values[key_b])

    with pytest.raises(RecordDamaged):
        storage.get("a")


def test_foreign_key_in_a_directory_is_damage() -> None:
    storage, store = make("a")
    store.put(PREFIX + b"\x20" + bytes(32), b"value")

    with pytest.raises(RecordDamaged):
        storage.list("")


def test_a_directory_that_is_too_large_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_MAX", 3)
    storage, _ = make("d/a", "d/b", "d/b/c")
    assert ["a", "b", "b/"] == storage.list("d/")
    storage.put("d/c", b"")

    with pytest.raises(ListTooLong, match="more than 3 names"):
        storage.list("d/")
    assert ["a", "b", "b/", "c"] == sorted(storage.list_page("d/", None, 9))
