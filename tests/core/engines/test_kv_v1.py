"""KV version 1."""

import pytest

from core.barrier.storage import PLAINTEXT_MAX
from core.engines.call import UNSUPPORTED_OPERATION, Result
from core.engines.kv_v1 import KvV1
from core.request import Operation
from tests.core.engines.mount import Mount

DEFAULT_S = 2_764_800
MAX_S = 10_000_000


@pytest.fixture
def mount() -> Mount:
    return Mount(KvV1(), default_lease_ttl_s=DEFAULT_S, max_lease_ttl_s=MAX_S)


def test_an_object_is_kept(mount: Mount) -> None:
    assert mount.ask("update", "app/db", {"user": "app", "on": True}) == Result()
    assert mount.ask("read", "app/db") == Result(
        {"user": "app", "on": True}, lease_duration_s=DEFAULT_S
    )
    mount.ask("update", "app/db", {"user": "other"})
    assert mount.read("app/db") == {"user": "other"}


def test_numbers_come_back_as_they_were_sent(mount: Mount) -> None:
    """Those that no float holds, too, even where a duration may stand."""
    mount.ask("update", "app", '{"a": 1.10, "b": -0, "ttl": 1e400, "c": {"d": [1.0, 1E9999]}}')
    result = mount.engine.handle(mount.call("read", "app"))
    assert result.data is not None
    assert [bytes(value) for value in result.data.values()] == [
        b"1.10",
        b"-0",
        b"1e400",
        b'{"d": [1.0, 1E9999]}',
    ]
    assert result.lease_duration_s == DEFAULT_S


@pytest.mark.parametrize(
    ("content", "lease_s"),
    [
        ({"ttl": 60}, 60),
        ({"ttl": "1h"}, 3_600),
        ({"lease": "90"}, 90),
        ({"ttl": "30s", "lease": "1h"}, 30),
        ({"ttl": 1.5}, 1),
        ({"ttl": "soon", "lease": "1h"}, DEFAULT_S),
        ({"ttl": ""}, DEFAULT_S),
        ({"ttl": None}, DEFAULT_S),
        ({"ttl": []}, DEFAULT_S),
        ({"ttl": -5}, DEFAULT_S),
        ({"ttl": MAX_S + 1}, MAX_S),
        ({"other": 1}, DEFAULT_S),
    ],
)
def test_an_object_may_say_how_long_it_is_good_for(
    mount: Mount, content: dict[str, object], lease_s: int
) -> None:
    mount.ask("update", "app", content)
    assert mount.ask("read", "app") == Result(content, lease_duration_s=lease_s)


def test_the_maximum_also_bounds_the_default() -> None:
    mount = Mount(KvV1(), default_lease_ttl_s=9, max_lease_ttl_s=5)
    mount.ask("update", "app", {"a": 1})
    assert mount.ask("read", "app").lease_duration_s == 5


def test_what_is_not_there_is_a_plain_404(mount: Mount) -> None:
    assert mount.refused("read", "app") == (404,)
    assert mount.refused("read", "") == (404,)
    assert mount.refused("list", "") == (404,)


def test_list_tells_objects_and_folders(mount: Mount) -> None:
    for path in ("b", "a/one", "a"):
        mount.ask("update", path, {"x": 1})
    assert mount.ask("list", "") == Result({"keys": ["a", "a/", "b"]})
    assert mount.ask("list", "a/") == Result({"keys": ["one"]})


def test_delete(mount: Mount) -> None:
    mount.ask("update", "app", {"x": 1})
    assert mount.ask("delete", "app") == Result()
    assert mount.refused("read", "app") == (404,)
    assert mount.ask("delete", "app") == Result()


def test_empty_objects_and_paths_are_refused(mount: Mount) -> None:
    assert mount.refused("update", "app", {}) == (400, "missing data fields")
    assert mount.refused("update", "", {"a": 1}) == (400, "missing path")
    assert mount.refused("update", "app/", {"a": 1}) == (400, "missing path")


def test_other_operations_are_not_supported(mount: Mount) -> None:
    assert mount.refused("patch", "app", {"a": 1}) == (405, UNSUPPORTED_OPERATION)
    assert mount.refused("help", "app") == (405, UNSUPPORTED_OPERATION)


def test_what_does_not_fit_is_refused(mount: Mount) -> None:
    assert mount.refused("update", "app", {"a": "x" * PLAINTEXT_MAX}) == (
        413,
        f"the value is longer than {PLAINTEXT_MAX} bytes",
    )
    long = "x" * 240
    refusal = (400, "a path segment is longer than 239 bytes")
    assert mount.refused("update", long, {"a": 1}) == refusal
    assert not mount.engine.exists(mount.call("update", long))


def test_exists(mount: Mount) -> None:
    assert not mount.engine.exists(mount.call("update", "app"))
    mount.ask("update", "app", {"a": 1})
    assert mount.engine.exists(mount.call("update", "app"))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("read", False), ("list", False), ("patch", False), ("update", True), ("delete", True)],
)
def test_may_write(operation: Operation, expected: object) -> None:
    assert KvV1().may_write(operation, "app") is expected
