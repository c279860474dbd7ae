"""The settings of a secret, the list of secrets and their removal."""

import pytest

from core.engines.call import Result
from core.engines.kv_v2 import KvV2
from core.request import Operation
from tests.core.engines.mount import START, Mount

LATER = "2023-11-14T22:13:21Z"
IGNORED = (
    '"cas_required" set to false, but is mandated by backend config. This value will be ignored.'
)


@pytest.fixture
def mount() -> Mount:
    return Mount(KvV2())


def put(mount: Mount, path: str = "app") -> None:
    mount.ask("update", "data/" + path, {"data": {"a": 1}})


def test_read_tells_all_versions(mount: Mount) -> None:
    put(mount)
    mount.wall_ns += 10**9
    put(mount)
    mount.ask("delete", "data/app")
    mount.ask("update", "destroy/app", {"versions": [1]})

    assert mount.read("metadata/app") == {
        "cas_required": False,
        "created_time": START,
        "current_version": 2,
        "custom_metadata": None,
        "delete_version_after": "0s",
        "max_versions": 0,
        "oldest_version": 0,
        "updated_time": LATER,
        "versions": {
            "1": {"created_time": START, "deletion_time": "", "destroyed": True},
            "2": {"created_time": LATER, "deletion_time": LATER, "destroyed": False},
        },
    }


def test_settings_can_come_before_the_first_version(mount: Mount) -> None:
    body = {
        "cas_required": True,
        "custom_metadata": {"owner": "payments"},
        "delete_version_after": "3h25m19s",
        "max_versions": 5,
    }
    assert mount.ask("update", "metadata/app", body) == Result()
    assert mount.read("metadata/app") == {
        **body,
        "created_time": START,
        "current_version": 0,
        "oldest_version": 0,
        "updated_time": START,
        "versions": {},
    }


@pytest.mark.parametrize("operation", ["update", "patch"])
def test_settings_that_are_not_sent_stay(mount: Mount, operation: Operation) -> None:
    mount.ask("update", "metadata/app", {"max_versions": 5, "custom_metadata": {"a": "1"}})
    mount.wall_ns += 10**9
    mount.ask(operation, "metadata/app", {"delete_version_after": 90})

    read = mount.read("metadata/app")
    assert read["max_versions"] == 5
    assert read["custom_metadata"] == {"a": "1"}
    assert read["delete_version_after"] == "1m30s"
    assert read["updated_time"] == START


def test_no_settings_make_no_secret(mount: Mount) -> None:
    assert mount.ask("update", "metadata/app", {"else": 1}) == Result()
    assert mount.refused("read", "metadata/app") == (404,)


def test_the_oldest_version_is_told_once_the_limit_is_reached(mount: Mount) -> None:
    mount.ask("update", "metadata/app", {"max_versions": 2})
    oldest = []
    for _ in range(3):
        put(mount)
        oldest.append(mount.read("metadata/app")["oldest_version"])
    assert oldest == [0, 1, 2]
    assert list(mount.read("metadata/app")["versions"]) == ["2", "3"]


def test_notes_come_with_each_version(mount: Mount) -> None:
    mount.ask("update", "metadata/app", {"custom_metadata": {"a": "1"}})
    put(mount)
    assert mount.read("data/app")["metadata"]["custom_metadata"] == {"a": "1"}


def test_patch_merges_notes_and_needs_a_secret(mount: Mount) -> None:
    assert mount.refused("patch", "metadata/app", {"max_versions": 2}) == (404,)
    put(mount)
    mount.ask("patch", "metadata/app", {"custom_metadata": {"a": "1", "b": "2"}})
    mount.ask("patch", "metadata/app", {"custom_metadata": {"b": None, "c": "3"}})
    assert mount.read("metadata/app")["custom_metadata"] == {"a": "1", "c": "3"}


def test_a_mandate_of_the_mount_outlives_a_secrets_wish(mount: Mount) -> None:
    mount.ask("update", "config", {"cas_required": True})
    assert mount.ask("update", "metadata/app", {"cas_required": False}) == Result(
        warnings=(IGNORED,)
    )
    assert mount.ask("patch", "metadata/app", {"cas_required": "0"}) == Result(warnings=(IGNORED,))
    assert mount.ask("update", "metadata/app", {"cas_required": True}) == Result()


@pytest.mark.parametrize("path", ["config", "metadata/app"])
@pytest.mark.parametrize("count", [-1, 2_049])
def test_max_versions_has_bounds(mount: Mount, path: str, count: int) -> None:
    assert mount.refused("update", path, {"max_versions": count}) == (
        400,
        "max_versions must be between 0 and 2048",
    )
    assert mount.ask("update", path, {"max_versions": 2_048}) == Result()


def test_a_secret_cannot_forbid_deletion_times(mount: Mount) -> None:
    assert mount.refused("update", "metadata/app", {"delete_version_after": "-1s"}) == (
        400,
        "delete_version_after must not be negative",
    )


def test_list_tells_secrets_and_folders(mount: Mount) -> None:
    for path in ("b", "a/one", "a/two/deep", "a", "c"):
        put(mount, path)
    assert mount.ask("list", "metadata/") == Result({"keys": ["a", "a/", "b", "c"]})
    assert mount.ask("list", "metadata/a/") == Result({"keys": ["one", "two/"]})


def test_a_list_of_nothing_is_a_404(mount: Mount) -> None:
    assert mount.refused("list", "metadata/") == (404,)
    put(mount)
    assert mount.refused("list", "metadata/app/") == (404,)


def test_delete_removes_everything(mount: Mount) -> None:
    put(mount)
    put(mount)
    put(mount, "app/below")
    mount.ask("update", "destroy/app", {"versions": [1]})
    assert mount.ask("delete", "metadata/app") == Result()

    assert mount.refused("read", "metadata/app") == (404,)
    assert mount.refused("read", "data/app") == (404,)
    assert mount.storage.numbers("data/app") == []
    assert mount.ask("list", "metadata/") == Result({"keys": ["app/"]})
    assert mount.ask("delete", "metadata/app") == Result()
    put(mount)
    assert mount.read("data/app")["metadata"]["version"] == 1
