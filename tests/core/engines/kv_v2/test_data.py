"""Reading, writing, patching and deleting the content of secrets."""

import pytest

from core.barrier.storage import PLAINTEXT_MAX
from core.check import InvariantBroken
from core.engines.call import Result
from core.engines.kv_v2 import KvV2
from core.engines.kv_v2.record import (
    VERSION_NUMBER_MAX,
    KeyMetadata,
    save_key,
)
from core.request import Operation
from tests.core.engines.mount import START, Mount

CAS_MISSING = "check-and-set parameter required for this call"
CAS_MISMATCH = "check-and-set parameter did not match the current version"
FIELD_FAILED = "Field validation failed: error converting input for field "
LATER = "2023-11-14T22:13:21Z"


@pytest.fixture
def mount() -> Mount:
    return Mount(KvV2())


def metadata(version: int, created: str = START, deletion: str = "") -> dict[str, object]:
    return {
        "created_time": created,
        "custom_metadata": None,
        "deletion_time": deletion,
        "destroyed": False,
        "version": version,
    }


def put(mount: Mount, value: object) -> None:
    mount.ask("update", "data/app/db", {"data": {"value": value}})


def test_write_returns_the_metadata_of_the_new_version(mount: Mount) -> None:
    assert mount.ask("update", "data/app", {"data": {"a": 1}}) == Result(metadata(1))
    mount.wall_ns += 10**9
    assert mount.ask("update", "data/app", {"data": {"a": 2}}) == Result(metadata(2, LATER))


def test_read_returns_the_latest_version_or_the_one_asked_for(mount: Mount) -> None:
    put(mount, "one")
    mount.wall_ns += 10**9
    put(mount, "two")

    second = {"data": {"value": "two"}, "metadata": metadata(2, LATER)}
    assert mount.read("data/app/db") == second
    assert mount.read("data/app/db", version="2") == second
    assert mount.read("data/app/db", version="0") == second
    assert mount.read("data/app/db", version="") == second
    assert mount.read("data/app/db", other="1") == second
    first = {"data": {"value": "one"}, "metadata": metadata(1)}
    assert mount.read("data/app/db", version="1") == first


def test_content_is_returned_as_it_was_sent(mount: Mount) -> None:
    """Numbers that no float holds come back digit by digit, and so does white space."""
    text = '{ "big": 123456789012345678901234567890, "fine": 0.10000000000000000001, "e":1E400 }'
    mount.ask("update", "data/app", '{"options": {}, "data": ' + text + "}")

    result = mount.engine.handle(mount.call("read", "data/app"))

    assert result.data is not None
    assert bytes(result.data["data"]) == text.encode()


def test_an_empty_object_is_content(mount: Mount) -> None:
    mount.ask("update", "data/app", {"data": {}})
    assert mount.read("data/app")["data"] == {}


def test_what_is_not_there_is_a_plain_404(mount: Mount) -> None:
    put(mount, "one")
    assert mount.refused("read", "data/nothing") == (404,)
    assert mount.refused("read", "data/app") == (404,)
    assert mount.refused("read", "data/") == (404,)
    assert mount.refused("read", "data/app/db/") == (404,)
    assert mount.refused("read", "data/app/db", version="2") == (404,)
    assert mount.refused("read", "subkeys/nothing") == (404,)
    assert mount.refused("patch", "data/nothing", {"data": {}}) == (404,)


def test_a_secret_with_metadata_only_has_no_content(mount: Mount) -> None:
    mount.ask("update", "metadata/app", {"max_versions": 3})
    assert mount.refused("read", "data/app") == (404,)
    assert mount.refused("patch", "data/app", {"data": {}}) == (404,)
    assert mount.ask("delete", "data/app") == Result()


@pytest.mark.parametrize("operation", ["update", "patch"])
@pytest.mark.parametrize("body", [{}, {"data": None}, {"options": {"cas": 0}}])
def test_a_write_needs_data(mount: Mount, operation: Operation, body: object) -> None:
    put(mount, "one")
    assert mount.refused(operation, "data/app/db", body) == (400, "no data provided")


@pytest.mark.parametrize("data", ["text", 1, 1.5, True, []])
def test_data_must_be_an_object(mount: Mount, data: object) -> None:
    assert mount.refused("update", "data/app", {"data": data}) == (
        400,
        FIELD_FAILED + '"data": expected an object',
    )


def test_a_version_that_is_no_number_is_refused(mount: Mount) -> None:
    put(mount, "one")
    assert mount.refused("read", "data/app/db", version="one") == (
        400,
        FIELD_FAILED + '"version": expected a whole number',
    )


def test_check_and_set_names_the_version_to_replace(mount: Mount) -> None:
    def write(cas: object) -> Result:
        return mount.ask("update", "data/app", {"data": {}, "options": {"cas": cas}})

    def refused(cas: object) -> tuple[object, ...]:
        return mount.refused("update", "data/app", {"data": {}, "options": {"cas": cas}})

    assert refused(1) == (400, CAS_MISMATCH)
    assert write(0) == Result(metadata(1))
    assert refused(0) == (400, CAS_MISMATCH)
    assert refused(-1) == (400, CAS_MISMATCH)
    assert write("1") == Result(metadata(2))
    assert refused(1) == (400, CAS_MISMATCH)
    assert refused("soon") == (400, "error parsing check-and-set parameter")
    assert refused([]) == (400, "error parsing check-and-set parameter")


def test_check_and_set_after_a_soft_deletion_still_counts_the_version(mount: Mount) -> None:
    put(mount, "one")
    mount.ask("delete", "data/app/db")
    body = {"data": {}, "options": {"cas": 0}}
    assert mount.refused("update", "data/app/db", body) == (400, CAS_MISMATCH)


@pytest.mark.parametrize("path", ["config", "metadata/app"])
def test_mount_and_secret_may_require_check_and_set(mount: Mount, path: str) -> None:
    mount.ask("update", path, {"cas_required": True})
    assert mount.refused("update", "data/app", {"data": {}}) == (400, CAS_MISSING)
    assert mount.refused("update", "data/app", {"data": {}, "options": {}}) == (400, CAS_MISSING)
    body = {"data": {}, "options": {"cas": 0}}
    assert mount.ask("update", "data/app", body) == Result(metadata(1))
    assert mount.refused("patch", "data/app", {"data": {}}) == (400, CAS_MISSING)


@pytest.mark.parametrize("options", ["cas", "", [], False, 0])
def test_options_must_be_an_object(mount: Mount, options: object) -> None:
    assert mount.refused("update", "data/app", {"data": {}, "options": options}) == (
        400,
        FIELD_FAILED + '"options": expected an object',
    )


def test_a_deleted_version_is_a_404_with_its_metadata(mount: Mount) -> None:
    put(mount, "one")
    mount.wall_ns += 10**9
    assert mount.ask("delete", "data/app/db") == Result()

    gone = metadata(1, deletion=LATER)
    # The clock has not moved since: what is deleted now is gone now.
    assert mount.ask("read", "data/app/db") == Result({"data": None, "metadata": gone}, status=404)
    assert mount.ask("read", "subkeys/app/db") == Result(
        {"subkeys": None, "metadata": gone}, status=404
    )
    assert mount.ask("patch", "data/app/db", {"data": {}}) == Result(gone, status=404)


def test_a_deletion_changes_nothing_that_is_deleted_or_absent(mount: Mount) -> None:
    put(mount, "one")
    mount.ask("delete", "data/app/db")
    writes = mount.writer.writes
    mount.wall_ns += 10**9
    assert mount.ask("delete", "data/app/db") == Result()
    assert mount.ask("delete", "data/nothing") == Result()
    assert mount.writer.writes == writes


def test_a_write_after_a_deletion_adds_a_live_version(mount: Mount) -> None:
    put(mount, "one")
    mount.ask("delete", "data/app/db")
    put(mount, "two")
    assert mount.read("data/app/db") == {"data": {"value": "two"}, "metadata": metadata(2)}


def test_patch_merges_into_the_latest_version(mount: Mount) -> None:
    mount.ask("update", "data/app", '{"data": {"keep": 1.10, "drop": 1, "in": {"a": 1, "b": 2}}}')
    body = {"data": {"drop": None, "in": {"a": None, "c": 3}}, "options": {"cas": 1}}
    assert mount.ask("patch", "data/app", body) == Result(metadata(2))

    result = mount.engine.handle(mount.call("read", "data/app"))
    assert result.data is not None
    assert bytes(result.data["data"]) == b'{"keep":1.10,"in":{"b":2,"c":3}}'
    assert mount.read("data/app", version="1")["data"]["drop"] == 1
    assert mount.refused("patch", "data/app", body) == (400, CAS_MISMATCH)


def test_a_patch_leaves_numbers_as_they_were_written(mount: Mount) -> None:
    """What is patched in, and what is there already."""
    mount.ask("update", "data/app", '{"data": {"in": {"a": 1e400, "b": 1.10}}}')
    mount.ask("patch", "data/app", '{"data": {"in": {"c": -1E9999}}}')

    result = mount.engine.handle(mount.call("read", "data/app"))
    assert result.data is not None
    assert bytes(result.data["data"]) == b'{"in":{"a":1e400,"b":1.10,"c":-1E9999}}'


def test_subkeys_tell_the_form_and_no_value(mount: Mount) -> None:
    mount.ask("update", "data/app", {"data": {"a": "secret", "b": {"c": {"d": "secret"}}}})

    everything = {"a": None, "b": {"c": {"d": None}}}
    assert mount.read("subkeys/app") == {"subkeys": everything, "metadata": metadata(1)}
    assert mount.read("subkeys/app", depth="0")["subkeys"] == everything
    assert mount.read("subkeys/app", depth="1")["subkeys"] == {"a": None, "b": None}
    assert mount.read("subkeys/app", depth="2")["subkeys"] == {"a": None, "b": {"c": None}}
    put(mount, "one")
    assert mount.read("subkeys/app", version="1")["subkeys"] == everything
    assert mount.refused("read", "subkeys/app", version="2") == (404,)


def test_versions_beyond_the_limit_are_removed(mount: Mount) -> None:
    for number in range(12):
        put(mount, number)

    assert mount.refused("read", "data/app/db", version="2") == (404,)
    assert mount.read("data/app/db", version="3")["data"] == {"value": 2}
    assert mount.storage.numbers("data/app/db") == list(range(3, 13))


def test_the_larger_of_both_limits_counts(mount: Mount) -> None:
    mount.ask("update", "config", {"max_versions": 2})
    for number in range(4):
        put(mount, number)
    assert mount.storage.numbers("data/app/db") == [3, 4]

    mount.ask("update", "metadata/app/db", {"max_versions": 3})
    put(mount, 4)
    put(mount, 5)
    assert mount.storage.numbers("data/app/db") == [4, 5, 6]

    mount.ask("update", "metadata/app/db", {"max_versions": 1})
    put(mount, 6)
    assert mount.storage.numbers("data/app/db") == [6, 7]


def test_versions_end_after_the_shorter_of_both_times(mount: Mount) -> None:
    mount.ask("update", "config", {"delete_version_after": "1h"})
    put(mount, "one")
    assert mount.read("data/app/db")["metadata"]["deletion_time"] == "2023-11-14T23:13:20Z"
    mount.ask("update", "metadata/app/db", {"delete_version_after": "1s"})
    put(mount, "two")

    assert mount.read("data/app/db") == {
        "data": {"value": "two"},
        "metadata": metadata(2, deletion=LATER),
    }
    mount.wall_ns += 10**9
    assert mount.ask("read", "data/app/db").status == 404
    assert mount.read("data/app/db", version="1")["data"] == {"value": "one"}


def test_a_mount_can_keep_its_secrets_from_ending(mount: Mount) -> None:
    mount.ask("update", "metadata/app/db", {"delete_version_after": "1s"})
    mount.ask("update", "config", {"delete_version_after": "-1s"})
    put(mount, "one")
    assert mount.read("data/app/db")["metadata"] == metadata(1)


def test_content_that_is_too_large_is_refused(mount: Mount) -> None:
    filling = PLAINTEXT_MAX - len('{"a":""}')
    mount.ask("update", "data/app", {"data": {"a": "x" * filling}})

    refusal = (413, f"the value is longer than {PLAINTEXT_MAX} bytes")
    assert mount.refused("update", "data/app", {"data": {"a": "x" * (filling + 1)}}) == refusal
    assert mount.refused("patch", "data/app", {"data": {"b": 1}}) == refusal
    assert mount.read("data/app")["metadata"] == metadata(1)


def test_a_path_that_is_too_long_is_refused(mount: Mount) -> None:
    refusal = (400, "a path segment is longer than 239 bytes")
    path = "data/" + "x" * 240
    assert mount.refused("update", path, {"data": {}}) == refusal
    assert mount.refused("read", path) == refusal
    assert not mount.engine.exists(mount.call("update", path))


def test_version_numbers_can_run_out(mount: Mount) -> None:
    key = KeyMetadata(0, 0, current=VERSION_NUMBER_MAX, oldest=VERSION_NUMBER_MAX)
    key.rows = bytearray(17)
    save_key(mount.storage, "data/app", key)
    assert mount.refused("update", "data/app", {"data": {}}) == (
        400,
        "the secret has no version numbers left; delete its metadata",
    )


def test_a_live_version_without_content_breaks_an_invariant(mount: Mount) -> None:
    put(mount, "one")
    mount.storage.delete("data/app/db", 1)
    with pytest.raises(InvariantBroken, match="a live version of a secret has no content"):
        mount.ask("read", "data/app/db")
