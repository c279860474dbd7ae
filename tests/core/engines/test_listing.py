"""Lists and their pages."""

import pytest

from core.barrier import storage
from core.barrier.names import PathTooLong
from core.barrier.storage import LIST_MAX
from core.engines.call import RequestError
from core.engines.kv_v1 import KvV1
from core.engines.listing import names
from tests.core.engines.mount import Mount


@pytest.fixture(name="mount")
def five_names() -> Mount:
    mount = Mount(KvV1())
    for name in ("e", "a", "c/x", "c", "b"):
        mount.storage.put(f"d/{name}", b"{}")
    return mount


def refused(mount: Mount, **parameters: str) -> tuple[object, ...]:
    with pytest.raises(RequestError) as refusal:
        names(mount.storage, "d/", parameters)
    return refusal.value.status, *refusal.value.messages


def test_without_parameters_it_is_all_of_them_sorted(mount: Mount) -> None:
    assert names(mount.storage, "d/", {}) == ["a", "b", "c", "c/", "e"]
    assert names(mount.storage, "d/", {"limit": "", "after": ""}) == ["a", "b", "c", "c/", "e"]
    assert names(mount.storage, "nowhere/", {}) == []


@pytest.mark.parametrize("limit", range(1, 7))
def test_going_on_behind_the_last_name_gives_each_once(mount: Mount, limit: int) -> None:
    """In the order of the store, which is the same each time."""
    found: list[str] = []
    for _ in range(6):
        page = names(mount.storage, "d/", {"limit": str(limit), "after": "".join(found[-1:])})
        found += page
        assert len(page) <= limit
        if len(page) < limit:
            break

    assert sorted(found) == ["a", "b", "c", "c/", "e"]
    assert found == names(mount.storage, "d/", {"limit": "9"})


def test_the_rest_behind_a_name_needs_no_limit(mount: Mount) -> None:
    found = names(mount.storage, "d/", {"limit": "5"})

    assert found[2:] == names(mount.storage, "d/", {"after": found[1]})
    assert [] == names(mount.storage, "d/", {"after": found[-1]})


@pytest.mark.parametrize("limit", ["x", "-1", "1.5", "50001", "9" * 5000, "\u0663\u00b2"])
def test_a_limit_that_is_none_is_refused(mount: Mount, limit: str) -> None:
    """A shorter page than was asked for would be taken for the last one."""
    assert refused(mount, limit=limit) == (400, "limit must be a whole number of at most 50000")


def test_behind_a_name_that_cannot_be_there_is_nothing(mount: Mount) -> None:
    with pytest.raises(PathTooLong):
        names(mount.storage, "d/", {"after": "x" * 300})


def test_too_many_for_one_answer_are_refused(mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LIST_MAX", 4)

    expected = "there are more than 4 names; ask for pages by `limit` and `after`"
    assert refused(mount) == (400, expected)


@pytest.mark.slow
def test_more_than_fit_into_one_answer_are_asked_for_in_pages() -> None:
    mount = Mount(KvV1())
    for number in range(LIST_MAX):
        mount.storage.put(f"d/{number}", b"")
    assert len(names(mount.storage, "d/", {})) == LIST_MAX
    mount.storage.put("d/more", b"")

    assert refused(mount) == (
        400,
        "there are more than 50000 names; ask for pages by `limit` and `after`",
    )
    first = names(mount.storage, "d/", {"limit": str(LIST_MAX)})
    assert len(first) == LIST_MAX
    assert len(names(mount.storage, "d/", {"after": first[-1]})) == 1
