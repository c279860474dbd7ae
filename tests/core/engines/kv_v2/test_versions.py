"""Deleting, undeleting and destroying versions by number."""

import pytest

from core.engines.call import Result
from core.engines.kv_v2 import KvV2
from tests.core.engines.mount import Mount

LATER = "2023-11-14T22:13:21Z"


@pytest.fixture
def mount() -> Mount:
    """A secret with three versions."""
    mount = Mount(KvV2())
    for number in (1, 2, 3):
        mount.ask("update", "data/app", {"data": {"value": number}})
    mount.wall_ns += 10**9
    return mount


def statuses(mount: Mount) -> list[int]:
    return [mount.ask("read", "data/app", version=str(number)).status for number in (1, 2, 3)]


def test_versions_are_deleted_and_come_back(mount: Mount) -> None:
    assert mount.ask("update", "delete/app", {"versions": [1, 3, 9, -1]}) == Result()
    assert statuses(mount) == [404, 200, 404]
    assert mount.ask("update", "undelete/app", {"versions": "3, 9"}) == Result()
    assert statuses(mount) == [404, 200, 200]
    assert mount.read("data/app")["metadata"]["deletion_time"] == ""


def test_destroyed_versions_stay_away(mount: Mount) -> None:
    assert mount.ask("update", "destroy/app", {"versions": ["1", 3, 3, 9]}) == Result()
    assert mount.storage.numbers("data/app") == [2]
    assert mount.ask("update", "undelete/app", {"versions": [1, 3]}) == Result()
    assert statuses(mount) == [404, 200, 404]
    described = mount.ask("read", "data/app")
    assert described.data is not None
    assert described.data["metadata"]["destroyed"] is True


def test_a_deleted_version_can_be_destroyed(mount: Mount) -> None:
    mount.ask("update", "delete/app", {"versions": 2})
    mount.ask("update", "destroy/app", {"versions": 2})
    described = mount.ask("read", "data/app", version="2")
    assert described.status == 404
    assert described.data is not None
    assert described.data["metadata"]["deletion_time"] == LATER
    assert described.data["metadata"]["destroyed"] is True


def test_an_undeleted_version_ends_as_if_written_now(mount: Mount) -> None:
    mount.ask("update", "delete/app", {"versions": [3]})
    mount.ask("update", "config", {"delete_version_after": 60})
    mount.ask("update", "undelete/app", {"versions": [3]})
    assert mount.read("data/app")["metadata"]["deletion_time"] == "2023-11-14T22:14:21Z"


@pytest.mark.parametrize("path", ["delete/app", "undelete/app", "destroy/app"])
def test_nothing_to_do_writes_nothing(mount: Mount, path: str) -> None:
    mount.ask("update", "destroy/app", {"versions": [1]})
    writes = mount.writer.writes
    assert mount.ask("update", path, {"versions": [1, 9]}) == Result()
    assert mount.ask("update", path.replace("app", "nothing"), {"versions": [1]}) == Result()
    assert mount.writer.writes == writes


def test_versions_must_be_named(mount: Mount) -> None:
    bodies: list[dict[str, object]]
    bodies = [{}, {"versions": []}, {"versions": None}, {"versions": ""}]
    for body in bodies:
        refused = mount.refused("update", "delete/app", body)
        assert refused == (400, "No version number provided")
        refused = mount.refused("update", "undelete/app", body)
        assert refused == (400, "No version number provided")
        refused = mount.refused("update", "destroy/app", body)
        assert refused == (400, "no version number provided")
