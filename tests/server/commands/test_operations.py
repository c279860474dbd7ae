"""`operator` initialises, unseals, seals and runs a cluster."""

import json
from typing import Any

import pytest

from tests.server.commands.test_status import LEADER, OPEN, SEALED
from tests.server.conftest import Holdfast
from tests.server.wire import Wire

KEYS: dict[str, Any] = {
    "keys": ["61", "62"],
    "keys_base64": ["YQ==", "Yg=="],
    "root_token": "hvs.r",
}
KEY_STATUS: dict[str, Any] = {"term": 2, "install_time": "2026-01-01T00:00:00Z", "encryptions": 7}
KEY_STATUS_LINES = """\
Key Term            2
Install Time        2026-01-01T00:00:00Z
Encryption Count    7
"""


def test_init_prints_keys_and_token(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/init", KEYS)

    code, out, err = holdfast("operator", "init", "-key-shares=2", "-key-threshold", "2")

    assert (0, "") == (code, err)
    assert [
        "Unseal Key 1: YQ==",
        "Unseal Key 2: Yg==",
        "",
        "Initial Root Token: hvs.r",
        "",
        "The cluster is initialized with 2 unseal keys, any 2 of which open it. They are",
    ] == out.splitlines()[:6]
    assert {"secret_shares": 2, "secret_threshold": 2} == wire.asked[0].body


def test_init_makes_five_keys_and_asks_for_three(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/init", KEYS)

    code, out, _ = holdfast("operator", "init", "-format=json")

    assert {"secret_shares": 5, "secret_threshold": 3} == wire.asked[0].body
    assert 0 == code
    assert {
        "unseal_keys_b64": ["YQ==", "Yg=="],
        "unseal_keys_hex": ["61", "62"],
        "unseal_shares": 5,
        "unseal_threshold": 3,
        "recovery_keys_b64": [],
        "recovery_keys_hex": [],
        "recovery_keys_shares": 0,
        "recovery_keys_threshold": 0,
        "root_token": "hvs.r",
    } == json.loads(out)


@pytest.mark.parametrize(
    ("initialized", "expected"),
    [(True, (0, "The cluster is initialized\n")), (False, (2, "The cluster is not initialized\n"))],
)
def test_init_only_tells(
    holdfast: Holdfast, wire: Wire, *, initialized: bool, expected: tuple[int, str]
) -> None:
    wire.answer("GET sys/init", {"initialized": initialized})

    assert (*expected, "") == holdfast("operator", "init", "-status")
    assert {"Initialized": initialized} == json.loads(
        holdfast("operator", "init", "-status", "-format=json").out
    )


def test_unseal_shows_the_progress(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/unseal", {**SEALED, "nonce": "f00d"})

    code, out, err = holdfast("operator", "unseal", "YQ==")

    assert (0, "") == (code, err)
    assert "Unseal Progress    2/3\nUnseal Nonce       f00d\n" in out
    assert {"key": "YQ=="} == wire.asked[0].body


def test_unseal_shows_the_cluster_when_it_is_done(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/unseal", {**OPEN, "warnings": ["w"]})
    wire.answer("GET sys/leader", LEADER)

    code, out, err = holdfast("operator", "unseal", "-", "-format=json", stdin=b"YQ==\n")

    assert (0, "WARNING! w\n") == (code, err)
    assert {**OPEN, **LEADER, "warnings": ["w"]} == json.loads(out)
    assert {"key": "YQ=="} == wire.asked[0].body


JOINER: dict[str, Any] = {**SEALED, "initialized": False, "progress": 0}


def test_unseal_says_that_a_node_joins_with_the_last_key(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/unseal", JOINER)

    code, out, _ = holdfast("operator", "unseal", "YQ==")

    assert 0 == code
    assert out.endswith("unseals once it has been let in: holdfast status\n")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["YQ=="], {**JOINER, "progress": 1}),
        (["YQ=="], SEALED),
        (["-reset"], JOINER),
        (["-format=json", "YQ=="], JOINER),
    ],
)
def test_unseal_says_so_only_then(
    holdfast: Holdfast, wire: Wire, arguments: list[str], status: dict[str, Any]
) -> None:
    wire.answer("PUT sys/unseal", status)

    assert "let in" not in holdfast("operator", "unseal", *arguments).out


def test_unseal_may_start_again(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/unseal", SEALED)

    assert 0 == holdfast("operator", "unseal", "-reset").code
    assert {"reset": True} == wire.asked[0].body


def test_unseal_resets_without_a_key(holdfast: Holdfast, wire: Wire) -> None:
    expected = (1, "", "-reset takes no key\nSee: holdfast operator unseal -h\n")

    assert expected == holdfast("operator", "unseal", "-reset", "YQ==")
    assert [] == wire.asked


def test_seal(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/seal")

    assert (0, "Success! The node is sealed.\n", "") == holdfast("operator", "seal")


def test_step_down(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/step-down")

    success = f"Success! Stepped down: {wire.address}\n"
    assert (0, success, "") == holdfast("operator", "step-down")


@pytest.mark.parametrize("body", [KEY_STATUS, {"data": KEY_STATUS, **KEY_STATUS}])
def test_key_status(holdfast: Holdfast, wire: Wire, body: dict[str, Any]) -> None:
    wire.answer("GET sys/key-status", body)

    assert (0, KEY_STATUS_LINES, "") == holdfast("operator", "key-status")
    assert body == json.loads(holdfast("operator", "key-status", "-format=json").out)


def test_rotate(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("POST sys/rotate")
    wire.answer("GET sys/key-status", {"data": KEY_STATUS})

    success = f"Success! Rotated key\n\n{KEY_STATUS_LINES}"
    assert (0, success, "") == holdfast("operator", "rotate")
