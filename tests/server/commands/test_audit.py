"""`audit` enables, lists and disables devices."""

import json
from typing import Any

import pytest

from tests.server.conftest import Holdfast
from tests.server.wire import Wire

DEVICES: dict[str, Any] = {
    "file/": {
        "type": "file",
        "description": "",
        "local": True,
        "options": {"mode": "0600", "file_path": "/a.log"},
    },
    "b/": {"type": "file", "description": "second"},
}


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (
            ["file", "file_path=/a.log", "mode=0600"],
            "file",
            {
                "type": "file",
                "description": "",
                "options": {"file_path": "/a.log", "mode": "0600"},
            },
        ),
        (
            ["-path=b/", "-description=second", "file"],
            "b",
            {"type": "file", "description": "second", "options": {}},
        ),
    ],
)
def test_enable(
    holdfast: Holdfast, wire: Wire, arguments: list[str], path: str, body: object
) -> None:
    wire.answer(f"PUT sys/audit/{path}")

    success = f"Success! Enabled the file audit device at: {path}/\n"
    assert (0, success, "") == holdfast("audit", "enable", *arguments)
    assert body == wire.asked[0].body


def test_list(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/audit", {"data": DEVICES})

    assert (
        0,
        (
            "Path     Type    Description\n"
            "----     ----    -----------\n"
            "b/       file    second\n"
            "file/    file    n/a\n"
        ),
        "",
    ) == holdfast("audit", "list")


def test_list_in_detail(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/audit", {"data": DEVICES})

    assert (
        "Path     Type    Description    Replication    Options\n"
        "----     ----    -----------    -----------    -------\n"
        "b/       file    second         replicated\n"
        "file/    file    n/a            local          file_path=/a.log mode=0600\n"
    ) == holdfast("audit", "list", "-detailed").out


def test_list_as_json_is_the_data(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/audit", {"data": DEVICES})

    assert DEVICES == json.loads(holdfast("audit", "list", "-format=json").out)


def test_there_may_be_none(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/audit", {"data": {}})

    assert (0, "No audit devices are enabled.\n", "") == holdfast("audit", "list")
    assert (0, "{}\n", "") == holdfast("audit", "list", "-format=json")


def test_disable(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("DELETE sys/audit/b")

    success = "Success! Disabled audit device (if it was enabled) at: b/\n"
    assert (0, success, "") == holdfast("audit", "disable", "b/")


def test_a_path_is_needed(holdfast: Holdfast, wire: Wire) -> None:
    expected = (1, "", "The path is empty\nSee: holdfast audit disable -h\n")

    assert expected == holdfast("audit", "disable", "/")
    assert [] == wire.asked
