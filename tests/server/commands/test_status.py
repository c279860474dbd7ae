"""`status` tells a probe by its exit code, and a person by its table."""

import json
from typing import Any

import pytest

from tests.server.conftest import Holdfast
from tests.server.wire import Wire

OPEN: dict[str, Any] = {
    "type": "shamir",
    "initialized": True,
    "sealed": False,
    "t": 3,
    "n": 5,
    "progress": 0,
    "nonce": "",
    "version": "1.20.0",
    "build_date": "2026-01-01T00:00:00Z",
    "storage_type": "raft",
    "cluster_name": "main",
    "cluster_id": "c-1",
}
SEALED = {**OPEN, "sealed": True, "cluster_name": "", "cluster_id": "", "progress": 2}
LEADER: dict[str, Any] = {
    "ha_enabled": True,
    "is_self": True,
    "active_time": "2026-01-02T00:00:00Z",
    "leader_address": "https://a:8200",
    "leader_cluster_address": "https://a:8201",
    "raft_committed_index": 40,
    "raft_applied_index": 39,
}
SEAL_LINES = """\
Seal Type               shamir
Initialized             true
Sealed                  false
Total Shares            5
Threshold               3
Version                 1.20.0
Build Date              2026-01-01T00:00:00Z
Storage Type            raft
Cluster Name            main
Cluster ID              c-1
"""


def test_the_active_node(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/seal-status", OPEN)
    wire.answer("GET sys/leader", LEADER)

    assert (
        0,
        (
            "Key                     Value\n"
            "---                     -----\n"
            f"{SEAL_LINES}"
            "HA Enabled              true\n"
            "HA Cluster              https://a:8201\n"
            "HA Mode                 active\n"
            "Active Since            2026-01-02T00:00:00Z\n"
            "Raft Committed Index    40\n"
            "Raft Applied Index      39\n"
        ),
        "",
    ) == holdfast("status")


def lines(text: str) -> list[str]:
    """Return the rows of a table with single blanks."""
    return [" ".join(line.split()) for line in text.splitlines()[2:]]


def test_a_standby(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/seal-status", OPEN)
    wire.answer("GET sys/leader", {**LEADER, "is_self": False, "last_wal": 7})

    code, out, _ = holdfast("status")

    assert 0 == code
    assert [
        "HA Enabled true",
        "HA Cluster https://a:8201",
        "HA Mode standby",
        "Active Node Address https://a:8200",
        "Raft Committed Index 40",
        "Raft Applied Index 39",
        "Last WAL 7",
    ] == lines(out)[10:]


def test_a_node_without_a_leader(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/seal-status", OPEN)
    wire.answer("GET sys/leader", {"errors": ["no leader"]}, status=503)

    code, out, _ = holdfast("status")

    assert 0 == code
    assert [
        "HA Enabled true",
        "HA Cluster n/a",
        "HA Mode standby",
        "Active Node Address <none>",
    ] == lines(out)[10:]


def test_a_leader_that_just_came_to_office(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/seal-status", OPEN)
    wire.answer("GET sys/leader", {"ha_enabled": True, "is_self": True})

    assert [
        "HA Cluster n/a",
        "HA Mode active",
        "Active Since n/a",
    ] == lines(holdfast("status").out)[11:]


def test_a_node_in_memory(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/seal-status", {**OPEN, "storage_type": "inmem"})
    wire.answer("GET sys/leader", {"ha_enabled": False})

    assert "HA Enabled false" == lines(holdfast("status").out)[-1]


@pytest.mark.parametrize(("nonce", "shown"), [("", "n/a"), ("f00d", "f00d")])
def test_a_sealed_node_ends_with_2(holdfast: Holdfast, wire: Wire, nonce: str, shown: str) -> None:
    wire.answer("GET sys/seal-status", {**SEALED, "nonce": nonce, "recovery_seal": True})

    code, out, err = holdfast("status")

    assert (2, "") == (code, err)
    assert [
        "Seal Type shamir",
        "Initialized true",
        "Sealed true",
        "Total Recovery Shares 5",
        "Threshold 3",
        "Unseal Progress 2/3",
        f"Unseal Nonce {shown}",
        "Version 1.20.0",
        "Build Date 2026-01-01T00:00:00Z",
        "Storage Type raft",
        "HA Enabled true",
    ] == lines(out)
    assert ["GET /v1/sys/seal-status"] == wire.lines


def test_json_has_both_answers_in_one(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/seal-status", OPEN)
    wire.answer("GET sys/leader", LEADER)

    code, out, _ = holdfast("status", "-format=json")

    assert (0, {**OPEN, **LEADER}) == (code, json.loads(out))


def test_json_of_a_sealed_node(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/seal-status", {**SEALED, "storage_type": "inmem"})

    code, out, _ = holdfast("status", "-format=json")

    expected = {**SEALED, "storage_type": "inmem", "ha_enabled": False}
    assert (2, expected) == (code, json.loads(out))


def test_an_error_ends_with_1(
    holdfast: Holdfast, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_MAX_RETRIES", "9")
    wire.answer("GET sys/seal-status", {"errors": ["odd"]}, status=500)

    code, out, err = holdfast("status")

    assert (1, "") == (code, out)
    assert err.startswith("Error checking seal status: Error making API request.\n\nURL: GET ")
    assert 1 == len(wire.asked)
