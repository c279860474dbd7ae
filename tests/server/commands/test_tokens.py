"""`token` asks for the right path with the right body."""

import json
from typing import Any

import pytest

from tests.server.conftest import Holdfast
from tests.server.wire import Wire

ENVELOPE: dict[str, Any] = {
    "lease_duration": 0,
    "data": None,
    "warnings": ["Policy x does not exist"],
    "auth": {
        "client_token": "hvs.new",
        "accessor": "acc",
        "policies": ["default", "x"],
        "token_policies": ["default", "x"],
        "metadata": None,
        "lease_duration": 3600,
        "renewable": True,
    },
}
TABLE = """\
Key                  Value
---                  -----
token                hvs.new
token_accessor       acc
token_duration       1h
token_renewable      true
token_policies       ["default" "x"]
identity_policies    []
policies             ["default" "x"]
"""
WARNING = "WARNING! Policy x does not exist\n"


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        ([], "create", {"renewable": True}),
        (["-orphan"], "create-orphan", {"renewable": True}),
        (
            [
                "-id=hvs.x",
                "-display-name=ci",
                "-ttl=1h30m",
                "-explicit-max-ttl=24h",
                "-period",
                "60",
                "-policy=a",
                "-policy=b",
                "-metadata=team=core",
                "-metadata=host=x",
                "-use-limit=3",
                "-no-default-policy",
                "-renewable=false",
            ],
            "create",
            {
                "id": "hvs.x",
                "display_name": "ci",
                "ttl": "1h30m",
                "explicit_max_ttl": "24h",
                "period": "60",
                "policies": ["a", "b"],
                "meta": {"team": "core", "host": "x"},
                "num_uses": 3,
                "no_default_policy": True,
                "renewable": False,
            },
        ),
    ],
)
def test_create(
    holdfast: Holdfast, wire: Wire, arguments: list[str], path: str, body: object
) -> None:
    wire.answer(f"POST auth/token/{path}", ENVELOPE)

    assert (0, TABLE, WARNING) == holdfast("token", "create", *arguments)
    assert [body] == [asked.body for asked in wire.asked]


def test_create_as_json_and_as_a_field(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("POST auth/token/create", ENVELOPE)

    code, out, _ = holdfast("token", "create", "-format=json")

    assert (0, ENVELOPE) == (code, json.loads(out))
    assert (0, "hvs.new", WARNING) == holdfast("token", "create", "-field=token")


def test_create_refuses_metadata_that_is_no_pair(holdfast: Holdfast, wire: Wire) -> None:
    assert (1, "", "'x' is not key=value\n") == holdfast("token", "create", "-metadata=x")
    assert [] == wire.asked


@pytest.mark.parametrize(
    ("arguments", "line", "body"),
    [
        ([], "GET auth/token/lookup-self", None),
        (["hvs.x"], "POST auth/token/lookup", {"token": "hvs.x"}),
        (["-accessor", "acc"], "POST auth/token/lookup-accessor", {"accessor": "acc"}),
    ],
)
def test_lookup(
    holdfast: Holdfast, wire: Wire, arguments: list[str], line: str, body: object
) -> None:
    wire.answer(line, {"data": {"ttl": 90, "policies": ["root"], "meta": None}})

    assert (
        0,
        (
            "Key         Value\n"
            "---         -----\n"
            "meta        <nil>\n"
            "policies    [root]\n"
            "ttl         1m30s\n"
        ),
        "",
    ) == holdfast("token", "lookup", *arguments)
    assert (0, "90", "") == holdfast("token", "lookup", *arguments, "-field=ttl")
    assert [body, body] == [asked.body for asked in wire.asked]


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        ([], "renew-self", {}),
        (["-increment=30m"], "renew-self", {"increment": "30m"}),
        (["hvs.x", "-increment=0"], "renew", {"increment": "0", "token": "hvs.x"}),
        (["-accessor", "acc"], "renew-accessor", {"accessor": "acc"}),
    ],
)
def test_renew(
    holdfast: Holdfast, wire: Wire, arguments: list[str], path: str, body: object
) -> None:
    wire.answer(f"PUT auth/token/{path}", ENVELOPE)

    assert (0, "3600", WARNING) == holdfast("token", "renew", "-field=token_duration", *arguments)
    assert [body] == [asked.body for asked in wire.asked]


@pytest.mark.parametrize(
    ("arguments", "path", "body"),
    [
        (["-self"], "revoke-self", {}),
        (["hvs.x"], "revoke", {"token": "hvs.x"}),
        (["-mode=orphan", "hvs.x"], "revoke-orphan", {"token": "hvs.x"}),
        (["-accessor", "acc"], "revoke-accessor", {"accessor": "acc"}),
    ],
)
def test_revoke(
    holdfast: Holdfast, wire: Wire, arguments: list[str], path: str, body: object
) -> None:
    wire.answer(f"PUT auth/token/{path}")

    success = "Success! Revoked token (if it existed)\n"
    assert (0, success, "") == holdfast("token", "revoke", *arguments)
    assert [body] == [asked.body for asked in wire.asked]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lookup", "-accessor"], "-accessor needs the accessor as an argument"),
        (["renew", "-accessor"], "-accessor needs the accessor as an argument"),
        (["revoke"], "Give either a token or an accessor, or -self"),
        (["revoke", "-self", "x"], "Give either a token or an accessor, or -self"),
        (["revoke", "-self", "-accessor"], "-self goes with neither -accessor nor -mode"),
        (["revoke", "-self", "-mode=orphan"], "-self goes with neither -accessor nor -mode"),
        (["revoke", "-accessor", "-mode=orphan", "x"], "-mode does not go with -accessor"),
    ],
)
def test_mistakes(holdfast: Holdfast, wire: Wire, arguments: list[str], message: str) -> None:
    expected = f"{message}\nSee: holdfast token {arguments[0]} -h\n"

    assert (1, "", expected) == holdfast("token", *arguments)
    assert [] == wire.asked
