"""The mount table: which mount a path has, and what is left of one that is gone."""

from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engines.call import RequestError
from core.engines.kv_v1 import KvV1
from core.engines.kv_v2 import KvV2
from core.store.keys import successor
from core.store.transaction import Transaction
from core.vault import mounts as module
from core.vault.areas import mount_prefix
from core.vault.mounts import Mount, check_options, engine_of, engine_options, tuned_options
from tests.core.barrier.helpers import WALL_NS, examples
from tests.core.vault.node import Node

TOO_MUCH = "a mount has at most 16 options, with names and values of at most 256 characters"

Json: TypeAlias = Any


def enable(node: Node, path: str, **fields: Json) -> Mount:
    transaction = node.begin()
    fields.setdefault("options", {})
    mount = node.services.mounts.enable(transaction, node.wall_ns, path=path, **fields)
    node.apply(transaction)
    return mount


def disable(node: Node, path: str) -> None:
    transaction = node.begin()
    node.services.mounts.disable(transaction, path)
    node.apply(transaction)


def find(node: Node, path: str) -> tuple[str, str] | None:
    found = node.services.mounts.find(node.store, path)
    return None if found is None else (found[0].path, found[1])


def refusal_of(node: Node, path: str) -> tuple[Any, ...]:
    transaction = node.begin()
    with pytest.raises(RequestError) as refusal:
        node.services.mounts.enable(transaction, node.wall_ns, path=path, options={})
    assert {} == transaction.writes
    return refusal.value.status, *refusal.value.messages


def keys_of(node: Node, mount: Mount) -> int:
    return sum(1 for _ in node.store.iterate(mount.prefix, successor(mount.prefix)))


def test_a_mount_is_what_it_was_made_with() -> None:
    node = Node()
    made = enable(
        node,
        "secret/",
        options={"version": "2"},
        description="for all",
        default_lease_ttl_s=1,
        max_lease_ttl_s=2,
        local=True,
        seal_wrap=True,
        listing_visibility="unauth",
    )
    expected = Mount(
        "secret/",
        "kv",
        "for all",
        made.accessor,
        made.uuid,
        {"version": "2"},
        1,
        2,
        local=True,
        seal_wrap=True,
        listing_visibility="unauth",
        created_ns=WALL_NS,
        prefix=mount_prefix(node.barrier, made.uuid),
    )

    assert expected == made
    assert expected == node.services.mounts.get(node.store, "secret/")
    assert (expected, "data/a") == node.services.mounts.find(node.store, "secret/data/a")
    assert (len("kv_12345678"), "kv_") == (len(made.accessor), made.accessor[:3])
    assert node.services.mounts.get(node.store, "secre/") is None


def test_each_mount_has_names_of_its_own() -> None:
    node = Node()
    one, other = enable(node, "a/"), enable(node, "b/")

    assert one.accessor != other.accessor
    assert one.uuid != other.uuid
    assert one.prefix != other.prefix
    assert ["a/", "b/"] == [mount.path for mount in node.services.mounts.list(node.store)]


def test_a_path_belongs_to_the_mount_above_it() -> None:
    node = Node()
    enable(node, "secret/")
    enable(node, "team/a/")
    places = {
        "secret/data/a": ("secret/", "data/a"),
        "secret/": ("secret/", ""),
        "secret": ("secret/", ""),
        "secret//a": ("secret/", "/a"),
        "team/a/b": ("team/a/", "b"),
        "team/a": ("team/a/", ""),
        "team/b": None,
        "team": None,
        "secrets/a": None,
        "": None,
        "/": None,
        "/secret/a": None,
        "x/" * 2_000: None,
    }

    # Twice, as the second time they are remembered.
    assert places == {path: find(node, path) for path in places}
    assert places == {path: find(node, path) for path in places}


def test_a_mount_counts_once_it_is_applied_and_until_it_is_gone() -> None:
    node = Node()
    transaction = node.begin()
    node.services.mounts.enable(transaction, node.wall_ns, path="a/", options={})

    assert find(node, "a/b") is None
    enclosing = node.services.mounts.enclosing(transaction, "a/b")
    assert enclosing is not None
    assert "a/" == enclosing.path

    node.apply(transaction)

    assert ("a/", "b") == find(node, "a/b")

    disable(node, "a/")

    assert find(node, "a/b") is None


def test_only_so_many_mounts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOUND_MAX", 2)
    node = Node()
    for path in ("a/", "b/", "c/"):
        enable(node, path)

    assert [("a/", ""), ("b/", ""), ("c/", "")] == [find(node, path) for path in ("a", "b", "c")]
    assert ["c/"] == list(node.services.mounts._found)


def test_mounts_never_lie_within_each_other() -> None:
    node = Node()
    enable(node, "team/a/")

    assert (400, "path is already in use at team/a/") == refusal_of(node, "team/a/")
    assert (400, "path is already in use at team/a/") == refusal_of(node, "team/a/b/")
    assert (400, "path is already in use at team/a/") == refusal_of(node, "team/")
    enable(node, "team/ab/")
    enable(node, "tea/")


@pytest.mark.parametrize("path", ["sys/", "sys/a/", "auth/a/", "audit/", "identity/", "cubbyhole/"])
def test_paths_of_the_system_are_kept_for_it(path: str) -> None:
    node = Node()

    assert (400, f'cannot mount "{path}"') == refusal_of(node, path)
    with pytest.raises(RequestError) as refusal:
        node.services.mounts.disable(node.begin(), path)
    assert (400, f'cannot unmount "{path}"') == (refusal.value.status, *refusal.value.messages)


def test_paths_that_no_mount_can_have() -> None:
    node = Node()
    empty = "the path of a mount cannot have an empty part: "

    assert (400, f'{empty}"a//b/"') == refusal_of(node, "a//b/")
    assert (400, f'{empty}"/a/"') == refusal_of(node, "/a/")
    assert (400, f'{empty}"/"') == refusal_of(node, "/")
    assert (400, "the path of a mount is longer than 240 bytes") == refusal_of(
        node, "a" * 240 + "/"
    )
    status, text = refusal_of(node, "a/" * 60)
    assert (400, "the path of a mount is too long: ") == (status, text[:33])


def test_what_a_mount_held_is_deleted_in_slices() -> None:
    node = Node()
    before = node.count()
    mount = enable(node, "a/")
    transaction = node.begin()
    storage = node.services.mounts.storage(mount, transaction)
    for number in range(5):
        storage.put(f"name-{number}", b"value")
    node.apply(transaction)
    disable(node, "a/")
    left: list[int] = []
    for _ in range(10):
        transaction = node.begin()
        if not node.services.mounts.sweep(transaction, 2):
            break
        node.apply(transaction)
        left.append(keys_of(node, mount))

    assert [3, 1, 0] == left
    assert before == node.count()


def test_a_mount_at_the_path_of_one_that_is_gone_starts_empty() -> None:
    node = Node()
    old = enable(node, "a/")
    transaction = node.begin()
    node.services.mounts.storage(old, transaction).put("name", b"value")
    node.apply(transaction)
    disable(node, "a/")
    new = enable(node, "a/")

    assert 0 == keys_of(node, new)
    sweep = node.begin()
    assert node.services.mounts.sweep(sweep, 100)
    node.apply(sweep)
    assert ("a/", "") == find(node, "a/")
    assert not node.services.mounts.sweep(node.begin(), 100)


def test_what_is_not_there_can_be_disabled() -> None:
    node = Node()
    transaction = node.begin()
    node.services.mounts.disable(transaction, "a/")

    assert {} == transaction.writes


def test_a_sweep_does_not_make_the_table_be_read_again() -> None:
    node = Node()
    enable(node, "a/")
    enable(node, "b/")
    disable(node, "b/")
    find(node, "a/")
    sweep = node.begin()
    node.services.mounts.sweep(sweep, 100)
    node.apply(sweep)
    find(node, "missing/")

    assert ["a/"] == list(node.services.mounts._found)


@pytest.mark.parametrize(
    ("kind", "options", "expected", "engine"),
    [
        ("kv", {}, {}, KvV1),
        ("kv", {"version": "1"}, {"version": "1"}, KvV1),
        ("kv", {"version": "2"}, {"version": "2"}, KvV2),
        ("kv-v1", {}, {"version": "1"}, KvV1),
        ("kv-v2", {}, {"version": "2"}, KvV2),
        ("kv-v2", {"version": "2"}, {"version": "2"}, KvV2),
        ("generic", {}, {"version": "1"}, KvV1),
    ],
)
def test_types_and_versions_of_kv(
    kind: str, options: dict[str, str], expected: dict[str, str], engine: type
) -> None:
    mount = enable(Node(), "a/", options=engine_options(kind, options))

    assert expected == mount.options
    assert engine is type(engine_of(mount))


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("pki", {}, "plugin not found in the catalog: pki"),
        ("kv", {"version": "3"}, "invalid version of a kv mount: 3"),
        ("kv", dict.fromkeys(map(str, range(17)), "a"), TOO_MUCH),
        ("kv", {"a": "b" * 257}, TOO_MUCH),
        ("kv", {"a" * 257: "b"}, TOO_MUCH),
        ("kv-v2", {"version": "1"}, "type kv-v2 cannot have version 1"),
        ("generic", {"version": "2"}, "type generic cannot have version 2"),
    ],
)
def test_types_and_options_that_do_not_exist(kind: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(RequestError) as refusal:
        engine_options(kind, options)
    assert (400, text) == (refusal.value.status, *refusal.value.messages)


@pytest.mark.parametrize("options", [{}, {"version": "2"}, {"type": "kv-v2", "version": "2"}])
def test_options_pass(options: dict[str, str]) -> None:
    """Those of the client's own, too: Terraform's users have some."""
    assert check_options(options) is None  # type: ignore[func-returns-value]  # it only raises
    assert engine_options("kv-v2", options) == {**options, "version": "2"}


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({}, {"version": "2", "a": "b"}),
        ({"a": "c", "d": "e"}, {"version": "2", "a": "c", "d": "e"}),
        ({"a": "", "f": ""}, {"version": "2"}),
        ({"version": ""}, {"a": "b"}),
    ],
)
def test_options_are_changed_one_by_one(changes: dict[str, str], after: dict[str, str]) -> None:
    assert tuned_options({"version": "2", "a": "b"}, changes) == after


def test_options_cannot_be_changed_to_what_they_could_not_be() -> None:
    with pytest.raises(RequestError):
        tuned_options({"version": "2"}, {"version": "3"})


def test_builtin_mounts_are_alike_on_all_nodes_of_a_cluster() -> None:
    node = Node()
    builtin = node.services.mounts.builtin
    other = module.Mounts(node.barrier, node.store, node.entropy)

    assert ["sys/", "auth/token/"] == list(builtin)
    assert builtin == other.builtin
    assert builtin["sys/"].accessor.startswith("system_")
    assert builtin["auth/token/"].accessor.startswith("auth_token_")
    assert [36, 36] == [len(mount.uuid) for mount in builtin.values()]


@examples(60)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["enable", "disable"]),
            st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join),
        ),
        max_size=12,
    ),
    path=st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map("/".join),
)
def test_the_table_is_a_list_of_paths(steps: list[tuple[str, str]], path: str) -> None:
    """A plain list that is searched from end to end says the same as the table."""
    node = Node()
    expected: list[str] = []
    for verb, name in steps:
        mount = f"{name}/"
        if verb == "disable":
            disable(node, mount)
            expected = [each for each in expected if each != mount]
        elif any(each.startswith(mount) or mount.startswith(each) for each in expected):
            assert 400 == refusal_of(node, mount)[0]
        else:
            enable(node, mount)
            expected.append(mount)
        above = [each for each in expected if f"{path}/".startswith(each)]
        place = (above[0], path[len(above[0]) :]) if above else None
        assert place == find(node, path)
    assert sorted(expected) == [mount.path for mount in node.services.mounts.list(node.store)]
    while True:
        sweep: Transaction = node.begin()
        if not node.services.mounts.sweep(sweep, 100):
            break
        node.apply(sweep)
    assert len(expected) == sum(1 for _ in node.services.mounts._table.records(node.store))
