"""What users note on a secret, and its limits."""

import pytest

from core.engines.kv_v2 import KvV2
from core.request import Operation
from tests.core.engines.mount import Mount

FIELD_FAILED = "Field validation failed: error converting input for field "
FAILED = "custom_metadata validation failed: "


@pytest.fixture
def mount() -> Mount:
    return Mount(KvV2())


def noted(mount: Mount) -> object:
    return mount.read("metadata/app")["custom_metadata"]


def test_values_become_text(mount: Mount) -> None:
    sent = '{"a": "x", "b": 7, "c": 1.50, "d": true, "e": false, "f": 1e2}'
    mount.ask("update", "metadata/app", '{"custom_metadata": ' + sent + "}")
    assert noted(mount) == {"a": "x", "b": "7", "c": "1.50", "d": "1", "e": "0", "f": "1e2"}


def test_update_replaces_and_patch_merges(mount: Mount) -> None:
    mount.ask("update", "metadata/app", {"custom_metadata": {"a": "1", "b": "2"}})
    mount.ask("update", "metadata/app", {"custom_metadata": {"c": "3"}})
    assert noted(mount) == {"c": "3"}
    mount.ask("patch", "metadata/app", {"custom_metadata": {"c": "4", "d": "5", "e": None}})
    assert noted(mount) == {"c": "4", "d": "5"}
    mount.ask("patch", "metadata/app", {"custom_metadata": {}})
    assert noted(mount) == {"c": "4", "d": "5"}
    mount.ask("patch", "metadata/app", {"custom_metadata": {"c": None, "d": None}})
    assert noted(mount) is None


@pytest.mark.parametrize(
    ("operation", "nothing"), [("update", None), ("update", {}), ("patch", None)]
)
def test_nothing_removes_all(mount: Mount, operation: Operation, nothing: object) -> None:
    mount.ask("update", "metadata/app", {"custom_metadata": {"a": "1"}})
    mount.ask(operation, "metadata/app", {"custom_metadata": nothing})
    assert noted(mount) is None


def test_limits_are_inclusive(mount: Mount) -> None:
    notes = {f"{number:02}" + "k" * 126: "v" * 512 for number in range(64)}
    mount.ask("update", "metadata/app", {"custom_metadata": notes})
    assert noted(mount) == notes


def test_too_many_keys_are_refused(mount: Mount) -> None:
    refusal = (400, FAILED + "payload must contain at most 64 keys, provided 65")
    notes = {str(number): "v" for number in range(65)}
    assert mount.refused("update", "metadata/app", {"custom_metadata": notes}) == refusal
    del notes["64"]
    mount.ask("update", "metadata/app", {"custom_metadata": notes})
    body = {"custom_metadata": {"one more": "v"}}
    assert mount.refused("patch", "metadata/app", body) == refusal


def test_lengths_are_counted_in_bytes(mount: Mount) -> None:
    notes = {"é" * 64: "é" * 256, "é" * 65: "v", "long": "é" * 257, "": "v", "empty": ""}
    assert mount.refused("update", "metadata/app", {"custom_metadata": notes}) == (
        400,
        FAILED + f"the length of key '{'é' * 65}' must be 1 to 128 bytes",
        FAILED + "the length of the value of key 'long' must be 1 to 512 bytes",
        FAILED + "the length of key '' must be 1 to 128 bytes",
        FAILED + "the length of the value of key 'empty' must be 1 to 512 bytes",
    )


def test_unprintable_characters_are_refused(mount: Mount) -> None:
    assert mount.refused("update", "metadata/app", {"custom_metadata": {"a\n": "b\0"}}) == (
        400,
        FAILED + "key 'a\\n' contains unprintable characters",
        FAILED + "the value of key 'a\\n' contains unprintable characters",
    )


def test_null_is_no_value(mount: Mount) -> None:
    assert mount.refused("update", "metadata/app", {"custom_metadata": {"a": None}}) == (
        400,
        FAILED + "the length of the value of key 'a' must be 1 to 512 bytes",
    )


@pytest.mark.parametrize("value", [[], {}, {"b": "c"}])
def test_values_must_be_simple(mount: Mount, value: object) -> None:
    assert mount.refused("update", "metadata/app", {"custom_metadata": {"a": value}}) == (
        400,
        FAILED + "the value of key 'a' must be text",
    )


def test_notes_must_be_an_object(mount: Mount) -> None:
    assert mount.refused("update", "metadata/app", {"custom_metadata": "a=1"}) == (
        400,
        FIELD_FAILED + '"custom_metadata": expected an object',
    )
