"""`kv` finds out which version a mount has, and prints a secret in its sections."""

import json
from typing import Any

import pytest

from server.commands.kv import Place
from tests.server.conftest import Holdfast
from tests.server.wire import Wire

WRITTEN: dict[str, Any] = {
    "created_time": "2026-01-01T00:00:00Z",
    "custom_metadata": None,
    "deletion_time": "",
    "destroyed": False,
    "version": 3,
}
PATH_AND_METADATA = """\
== Secret Path ==
secret/data/a/b

======= Metadata =======
Key                Value
---                -----
created_time       2026-01-01T00:00:00Z
custom_metadata    <nil>
deletion_time      n/a
destroyed          false
version            3
"""
DATA = """\
=== Data ===
Key    Value
---    -----
k      v
ttl    30s
"""


@pytest.fixture
def v1(wire: Wire) -> Wire:
    """A mount `secret/` of version 1."""
    mount = {"data": {"path": "secret/", "type": "kv", "options": None}}
    for path in ("secret/a/b", "secret", "secret/a"):
        wire.answer(f"GET sys/internal/ui/mounts/{path}", mount)
    return wire


@pytest.fixture
def v2(wire: Wire) -> Wire:
    """A mount `secret/` of version 2."""
    mount = {"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}
    for path in ("secret/a/b", "secret", "secret/a"):
        wire.answer(f"GET sys/internal/ui/mounts/{path}", mount)
    return wire


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place("secret/", 1, "a/b"), "secret/a/b"),
        (Place("secret/", 2, "a/b"), "secret/data/a/b"),
        (Place("secret/", 2, ""), "secret/data/"),
    ],
)
def test_a_place_knows_its_path(place: Place, expected: str) -> None:
    assert expected == place.at("data")


def test_get_of_version_2(holdfast: Holdfast, v2: Wire) -> None:
    v2.answer("GET secret/data/a/b", {"data": {"data": {"ttl": 30, "k": "v"}, "metadata": WRITTEN}})

    assert (0, f"{PATH_AND_METADATA}\n{DATA}", "") == holdfast("kv", "get", "secret/a/b")
    assert ["GET /v1/sys/internal/ui/mounts/secret/a/b", "GET /v1/secret/data/a/b"] == v2.lines


def test_get_of_version_1(holdfast: Holdfast, v1: Wire) -> None:
    v1.answer("GET secret/a/b", {"data": {"ttl": 30, "k": "v"}, "lease_duration": 60})

    assert (0, DATA, "") == holdfast("kv", "get", "secret/a/b")


@pytest.mark.parametrize("mount", ["secret", "secret/", "/secret"])
def test_a_mount_may_be_given_apart(holdfast: Holdfast, v2: Wire, mount: str) -> None:
    v2.answer("GET secret/data/a/b", {"data": {"data": {"k": "v"}, "metadata": WRITTEN}})

    assert (0, "v", "") == holdfast("kv", "get", f"-mount={mount}", "-field=k", "/a/b/")
    assert ["GET /v1/sys/internal/ui/mounts/secret", "GET /v1/secret/data/a/b"] == v2.lines


def test_get_prints_the_envelope(holdfast: Holdfast, v2: Wire) -> None:
    envelope = {"data": {"data": {"k": "v"}, "metadata": WRITTEN}, "warnings": ["w"]}
    v2.answer("GET secret/data/a/b?version=3", envelope)

    code, out, err = holdfast("kv", "get", "-version=3", "-format=json", "secret/a/b")

    assert (0, envelope, "WARNING! w\n") == (code, json.loads(out), err)


def test_get_of_a_deleted_version_shows_its_metadata(holdfast: Holdfast, v2: Wire) -> None:
    v2.answer("GET secret/data/a/b", {"data": {"data": None, "metadata": WRITTEN}}, status=404)

    assert (0, PATH_AND_METADATA, "") == holdfast("kv", "get", "secret/a/b")
    assert (2, "", "No value found at secret/data/a/b\n") == holdfast(
        "kv", "get", "-field=k", "secret/a/b"
    )


def test_get_of_nothing_ends_with_2(holdfast: Holdfast, v2: Wire) -> None:
    expected = (2, "", "No value found at secret/data/a/b\n")

    assert expected == holdfast("kv", "get", "secret/a/b")

    v2.answer("GET secret/data/a/b", {"data": None, "warnings": ["w"]}, status=404)

    assert (2, "", f"WARNING! w\n{expected[2]}") == holdfast("kv", "get", "secret/a/b")


def test_get_of_a_field_that_is_missing_ends_with_1(holdfast: Holdfast, v1: Wire) -> None:
    v1.answer("GET secret/a/b", {"data": {"k": "v"}})

    assert (1, "", "Field 'x' not present in the answer\n") == holdfast(
        "kv", "get", "-field=x", "secret/a/b"
    )


def test_put_into_version_2(holdfast: Holdfast, v2: Wire) -> None:
    v2.answer("PUT secret/data/a/b", {"data": WRITTEN, "warnings": ["w"]})

    outcome = holdfast("kv", "put", "secret/a/b", "k=v", "n=@/dev/null")

    assert (0, PATH_AND_METADATA, "WARNING! w\n") == outcome
    assert {"data": {"k": "v", "n": ""}, "options": {}} == v2.asked[-1].body


def test_put_with_check_and_set(holdfast: Holdfast, v2: Wire) -> None:
    v2.answer("PUT secret/data/a/b", {"data": WRITTEN})

    outcome = holdfast("kv", "put", "-cas=0", "-field=version", "secret/a/b", "-", stdin=b'{"n":1}')

    assert (0, "3", "") == outcome
    assert {"data": {"n": 1}, "options": {"cas": 0}} == v2.asked[-1].body


def test_put_prints_the_envelope(holdfast: Holdfast, v2: Wire) -> None:
    v2.answer("PUT secret/data/a/b", {"data": WRITTEN, "request_id": "r"})

    code, out, _ = holdfast("kv", "put", "-format=json", "secret/a/b", "k=v")

    assert (0, {"data": WRITTEN, "request_id": "r"}) == (code, json.loads(out))


def test_put_into_version_1(holdfast: Holdfast, v1: Wire) -> None:
    v1.answer("PUT secret/a/b")

    outcome = holdfast("kv", "put", "secret/a/b", "k=v")

    assert (0, "Success! Data written to: secret/a/b\n", "") == outcome
    assert {"k": "v"} == v1.asked[-1].body


def test_patch(holdfast: Holdfast, v2: Wire) -> None:
    v2.answer("PATCH secret/data/a/b", {"data": WRITTEN})

    outcome = holdfast("kv", "patch", "-cas=2", "secret/a/b", "k=v")

    assert (0, PATH_AND_METADATA, "") == outcome
    assert {"data": {"k": "v"}, "options": {"cas": 2}} == v2.asked[-1].body


@pytest.mark.parametrize(
    "arguments", [["secret/a"], ["-mount=secret", "a"], ["-mount", "secret", "a/"]]
)
def test_list_of_version_2(holdfast: Holdfast, v2: Wire, arguments: list[str]) -> None:
    v2.answer("LIST secret/metadata/a/", {"data": {"keys": ["b"]}})

    assert (0, "Keys\n----\nb\n", "") == holdfast("kv", "list", *arguments)


@pytest.mark.parametrize("arguments", [["secret"], ["secret/"], ["-mount=secret"]])
def test_list_of_a_whole_mount(holdfast: Holdfast, v2: Wire, arguments: list[str]) -> None:
    v2.answer("LIST secret/metadata/", {"data": {"keys": ["a/"]}})

    assert (0, "Keys\n----\na/\n", "") == holdfast("kv", "list", *arguments)


def test_list_of_version_1(holdfast: Holdfast, v1: Wire) -> None:
    v1.answer("LIST secret/a/", {"data": {"keys": ["b"]}})

    assert (0, "Keys\n----\nb\n", "") == holdfast("kv", "list", "secret/a")


@pytest.mark.parametrize(
    ("arguments", "line", "body"),
    [
        (["delete"], "DELETE secret/data/a/b", None),
        (["delete", "-versions=1,2"], "POST secret/delete/a/b", {"versions": [1, 2]}),
        (
            ["undelete", "-versions=1", "-versions=3"],
            "POST secret/undelete/a/b",
            {"versions": [1, 3]},
        ),
        (["destroy", "-versions=2"], "POST secret/destroy/a/b", {"versions": [2]}),
        (["metadata", "delete"], "DELETE secret/metadata/a/b", None),
    ],
)
def test_deletions(
    holdfast: Holdfast, v2: Wire, arguments: list[str], line: str, body: object
) -> None:
    v2.answer(line)

    code, out, err = holdfast("kv", *arguments, "secret/a/b")

    assert (0, "") == (code, err)
    assert out.startswith("Success! ")
    assert out.endswith(f": {line.partition(' ')[2]}\n")
    assert body == v2.asked[-1].body


def test_delete_in_version_1(holdfast: Holdfast, v1: Wire) -> None:
    v1.answer("DELETE secret/a/b")

    assert (0, "Success! Data deleted (if it existed) at: secret/a/b\n", "") == holdfast(
        "kv", "delete", "secret/a/b"
    )


METADATA: dict[str, Any] = {
    "max_versions": 0,
    "custom_metadata": {"team": "a"},
    "versions": {
        "10": {"created_time": "t10", "deletion_time": "", "destroyed": False},
        "9": {"created_time": "t9", "deletion_time": "t10", "destroyed": True},
    },
}


def test_metadata_get(holdfast: Holdfast, v2: Wire) -> None:
    v2.answer("GET secret/metadata/a/b", {"data": METADATA, "warnings": ["w"]})

    assert (
        0,
        (
            "== Metadata Path ==\n"
            "secret/metadata/a/b\n"
            "\n"
            "======= Metadata =======\n"
            "Key                Value\n"
            "---                -----\n"
            "custom_metadata    map[team:a]\n"
            "max_versions       0\n"
            "\n"
            "===== Version 9 =====\n"
            "Key              Value\n"
            "---              -----\n"
            "created_time     t9\n"
            "deletion_time    t10\n"
            "destroyed        true\n"
            "\n"
            "===== Version 10 =====\n"
            "Key              Value\n"
            "---              -----\n"
            "created_time     t10\n"
            "deletion_time    n/a\n"
            "destroyed        false\n"
        ),
        "WARNING! w\n",
    ) == holdfast("kv", "metadata", "get", "secret/a/b")


def test_metadata_get_of_a_field_and_of_nothing(holdfast: Holdfast, v2: Wire) -> None:
    message = "No value found at secret/metadata/a/b\n"

    assert (2, "", message) == holdfast("kv", "metadata", "get", "secret/a/b")

    v2.answer("GET secret/metadata/a/b", {"data": METADATA})

    assert (0, "0", "") == holdfast("kv", "metadata", "get", "-field=max_versions", "secret/a/b")


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ([], {}),
        (
            [
                "-max-versions=5",
                "-cas-required",
                "-delete-version-after=24h",
                "-custom-metadata=team=a",
                "-custom-metadata=b=c",
            ],
            {
                "max_versions": 5,
                "cas_required": True,
                "delete_version_after": "24h",
                "custom_metadata": {"team": "a", "b": "c"},
            },
        ),
        (["-cas-required=false"], {"cas_required": False}),
    ],
)
def test_metadata_put(holdfast: Holdfast, v2: Wire, arguments: list[str], body: object) -> None:
    v2.answer("POST secret/metadata/a/b")

    success = "Success! Data written to: secret/metadata/a/b\n"
    assert (0, success, "") == holdfast("kv", "metadata", "put", *arguments, "secret/a/b")
    assert body == v2.asked[-1].body


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "-version=1"], "-version needs a mount with KV version 2"),
        (["put", "-cas=1"], "-cas needs a mount with KV version 2"),
        (["delete", "-versions=1"], "-versions needs a mount with KV version 2"),
        (["patch"], "secret/ is not a mount with KV version 2"),
        (["destroy", "-versions=1"], "secret/ is not a mount with KV version 2"),
        (["metadata", "get"], "secret/ is not a mount with KV version 2"),
    ],
)
def test_version_1_has_no_versions(
    holdfast: Holdfast, v1: Wire, arguments: list[str], message: str
) -> None:
    data = ["k=v"] if arguments[0] in ("put", "patch") else []

    outcome = holdfast("kv", *arguments, "secret/a/b", *data)

    assert (1, "") == outcome[:2]
    assert outcome.err.startswith(f"{message}\n")
    assert 1 == len(v1.asked)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["undelete", "secret/a/b"], "Give the versions with -versions"),
        (["destroy", "-versions=1,x", "secret/a/b"], "'1,x' is not a list of versions such as 1,2"),
        (["destroy", "-versions=", "secret/a/b"], "'' is not a list of versions such as 1,2"),
        (["get", "/"], "The path is empty"),
        (["list"], "The path is empty"),
        (["put", "secret/a"], "Missing argument 'KEY=VALUE... | @FILE | -'."),
    ],
)
def test_mistakes_are_found_before_anything_is_asked(
    holdfast: Holdfast, wire: Wire, arguments: list[str], message: str
) -> None:
    outcome = holdfast("kv", *arguments)

    assert (1, "") == outcome[:2]
    assert outcome.err.startswith(f"{message}\n")
    assert [] == wire.asked


def test_a_mount_that_may_not_be_seen_is_a_remote_fault(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer(
        "GET sys/internal/ui/mounts/secret/a",
        {"errors": ["preflight capability check returned 403"]},
        status=403,
    )

    outcome = holdfast("kv", "get", "secret/a")

    assert 2 == outcome.code
    assert "* preflight capability check returned 403" in outcome.err
