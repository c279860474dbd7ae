"""The settings of a mount."""

import pytest

from core.engines.call import UNSUPPORTED_OPERATION, Result
from core.engines.kv_v2 import KvV2
from tests.core.engines.mount import Mount


@pytest.fixture
def mount() -> Mount:
    return Mount(KvV2())


def test_defaults(mount: Mount) -> None:
    assert mount.read("config") == {
        "cas_required": False,
        "delete_version_after": "0s",
        "max_versions": 0,
    }


def test_settings_that_are_not_sent_stay(mount: Mount) -> None:
    assert mount.ask("update", "config", {"max_versions": "7"}) == Result()
    assert mount.ask("update", "config", {"cas_required": "true"}) == Result()
    assert mount.ask("update", "config", {"delete_version_after": "36h"}) == Result()
    assert mount.ask("update", "config", {"else": 1}) == Result()
    assert mount.read("config") == {
        "cas_required": True,
        "delete_version_after": "36h0m0s",
        "max_versions": 7,
    }


def test_any_negative_time_forbids_and_zero_resets(mount: Mount) -> None:
    mount.ask("update", "config", {"delete_version_after": -90})
    assert mount.read("config")["delete_version_after"] == "-1s"
    mount.ask("update", "config", {"delete_version_after": "0"})
    assert mount.read("config")["delete_version_after"] == "0s"


def test_no_settings_write_nothing(mount: Mount) -> None:
    mount.ask("update", "config", {})
    assert mount.writer.values == {}


def test_other_operations_are_not_supported(mount: Mount) -> None:
    assert mount.refused("delete", "config") == (405, UNSUPPORTED_OPERATION)
    assert mount.refused("patch", "config", {}) == (405, UNSUPPORTED_OPERATION)
