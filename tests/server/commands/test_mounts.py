"""`secrets` enables, lists, tunes and disables engines."""

import json
from typing import Any

import pytest

from tests.server.conftest import Holdfast
from tests.server.wire import Wire

MOUNTS: dict[str, Any] = {
    "sys/": {"type": "system", "accessor": "system_1", "description": "", "uuid": "u-1"},
    "secret/": {
        "type": "kv",
        "accessor": "kv_1",
        "description": "team secrets",
        "uuid": "u-2",
        "local": True,
        "seal_wrap": False,
        "options": {"version": "2"},
        "config": {"default_lease_ttl": 3600, "max_lease_ttl": 0, "force_no_cache": True},
    },
}


@pytest.mark.parametrize(
    ("arguments", "mount", "body"),
    [
        (["kv"], "kv", {"type": "kv", "config": {}}),
        (["-path=/a/b/", "kv-v2"], "a/b", {"type": "kv-v2", "config": {}}),
        (
            [
                "kv",
                "-path=secret",
                "-version=2",
                "-description=team secrets",
                "-default-lease-ttl=1h",
                "-max-lease-ttl=24h",
            ],
            "secret",
            {
                "type": "kv",
                "description": "team secrets",
                "options": {"version": "2"},
                "config": {"default_lease_ttl": "1h", "max_lease_ttl": "24h"},
            },
        ),
    ],
)
def test_enable(
    holdfast: Holdfast, wire: Wire, arguments: list[str], mount: str, body: dict[str, object]
) -> None:
    wire.answer(f"POST sys/mounts/{mount}")

    success = f"Success! Enabled the {body['type']} secrets engine at: {mount}/\n"
    assert (0, success, "") == holdfast("secrets", "enable", *arguments)
    assert body == wire.asked[0].body


def test_list(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/mounts", {"data": MOUNTS, **MOUNTS})

    assert (
        0,
        (
            "Path       Type      Accessor    Description\n"
            "----       ----      --------    -----------\n"
            "secret/    kv        kv_1        team secrets\n"
            "sys/       system    system_1    n/a\n"
        ),
        "",
    ) == holdfast("secrets", "list")


def test_list_in_detail(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/mounts", {"data": MOUNTS})

    code, out, _ = holdfast("secrets", "list", "-detailed")

    rows = [[cell for cell in line.split("  ") if cell] for line in out.splitlines()]
    assert 0 == code
    assert [
        ["Path", "secret/", "sys/"],
        ["Plugin", "kv", "system"],
        ["Accessor", "kv_1", "system_1"],
        ["Default TTL", "1h", "system"],
        ["Max TTL", "system", "system"],
        ["Force No Cache", "true", "false"],
        ["Replication", "local", "replicated"],
        ["Seal Wrap", "false", "false"],
        ["Options", "map[version:2]", "map[]"],
        ["Description", "team secrets", "n/a"],
        ["UUID", "u-2", "u-1"],
    ] == [
        [cell.strip() for cell in column] for column in zip(rows[0], rows[2], rows[3], strict=True)
    ]


def test_list_as_json_is_the_data(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/mounts", {"data": MOUNTS})

    assert MOUNTS == json.loads(holdfast("secrets", "list", "-format=json").out)


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["-default-lease-ttl=30m"], {"default_lease_ttl": "30m"}),
        (["-max-lease-ttl=1h"], {"max_lease_ttl": "1h"}),
        (["-description="], {"description": ""}),
    ],
)
def test_tune(
    holdfast: Holdfast, wire: Wire, arguments: list[str], body: dict[str, object]
) -> None:
    wire.answer("POST sys/mounts/secret/tune")

    success = "Success! Tuned the secrets engine at: secret/\n"
    assert (0, success, "") == holdfast("secrets", "tune", *arguments, "secret/")
    assert body == wire.asked[0].body


def test_disable(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("DELETE sys/mounts/secret")

    success = "Success! Disabled the secrets engine (if it existed) at: secret/\n"
    assert (0, success, "") == holdfast("secrets", "disable", "secret/")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["enable", "-path=/", "kv"], "The path is empty"),
        (["disable", "/"], "The path is empty"),
        (
            ["tune", "secret"],
            "Nothing to change: give -default-lease-ttl, -max-lease-ttl or -description",
        ),
        (["enable", "-version=3", "kv"], "Invalid value for -version: 3 is not in the range"),
    ],
)
def test_mistakes(holdfast: Holdfast, wire: Wire, arguments: list[str], message: str) -> None:
    outcome = holdfast("secrets", *arguments)

    assert (1, "") == outcome[:2]
    assert outcome.err.startswith(message)
    assert [] == wire.asked
