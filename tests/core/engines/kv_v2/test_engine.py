"""Which paths there are, who may write and what exists."""

import pytest

from core.engines.call import UNSUPPORTED_OPERATION, Result
from core.engines.kv_v2 import KvV2
from core.request import Operation
from tests.core.engines.mount import Mount


@pytest.fixture
def mount() -> Mount:
    return Mount(KvV2())


@pytest.mark.parametrize(
    ("operation", "path", "right"),
    [
        ("read", "app/db", "secret/data/app/db"),
        ("update", "app/db", "secret/data/app/db"),
        ("patch", "app", "secret/data/app"),
        ("delete", "app", "secret/data/app"),
        ("list", "app/", "secret/metadata/app/"),
        ("list", "", "secret/metadata/"),
        ("read", "", "secret/data/"),
    ],
)
def test_paths_of_version_1_are_told_the_right_one(
    mount: Mount, operation: Operation, path: str, right: str
) -> None:
    warning = f"Invalid path for a versioned K/V secrets engine; for this operation use {right}"
    assert mount.ask(operation, path) == Result(status=404, warnings=(warning,))


@pytest.mark.parametrize("path", ["data", "metadata", "delete", "undelete", "destroy", "subkeys"])
def test_roots_are_no_secrets(mount: Mount, path: str) -> None:
    warning = "Non-listing operations on the root of a K/V v2 mount are not supported."
    assert mount.ask("read", path) == Result(status=404, warnings=(warning,))


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("list", "data/app/"),
        ("read", "delete/app"),
        ("delete", "destroy/app"),
        ("update", "subkeys/app"),
        ("help", "data/app"),
        ("help", "app"),
    ],
)
def test_other_operations_are_not_supported(mount: Mount, operation: Operation, path: str) -> None:
    assert mount.refused(operation, path) == (405, UNSUPPORTED_OPERATION)


@pytest.mark.parametrize("path", ["data/", "data/app/", "metadata/"])
@pytest.mark.parametrize("operation", ["update", "patch", "delete"])
def test_a_write_needs_a_path(mount: Mount, operation: Operation, path: str) -> None:
    assert mount.refused(operation, path, {"data": {}}) == (400, "missing path")


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        ("read", "data/app", False),
        ("list", "metadata/", False),
        ("help", "data/app", False),
        ("update", "data/app", True),
        ("patch", "data/app", True),
        ("delete", "data/app", True),
        ("update", "destroy/app", True),
        ("delete", "metadata/app", True),
        ("update", "config", True),
        ("delete", "config", False),
        ("update", "subkeys/app", False),
        ("update", "app/db", False),
        ("update", "app", False),
        ("update", "data", False),
    ],
)
def test_may_write(operation: Operation, path: str, expected: object) -> None:
    assert KvV2().may_write(operation, path) is expected


def test_a_secret_exists_while_it_has_metadata(mount: Mount) -> None:
    def exists(path: str) -> bool:
        return mount.engine.exists(mount.call("update", path))

    assert [exists("data/app"), exists("metadata/app")] == [False, False]
    mount.ask("update", "data/app", {"data": {}})
    mount.ask("delete", "data/app")
    assert [exists("data/app"), exists("metadata/app")] == [True, True]
    assert [exists("config"), exists("delete/app"), exists("app/db")] == [True, True, True]
