"""`operator raft` shows, adds and removes members."""

import json
from pathlib import Path
from typing import Any

import pytest

from server import client
from server.commands.raft import JOIN_RETRIES_MAX
from tests.server.conftest import Holdfast
from tests.server.wire import Wire

CONFIGURATION: dict[str, Any] = {
    "data": {
        "config": {
            "index": 4,
            "servers": [
                {"node_id": "a", "address": "10.0.0.1:8201", "leader": True, "voter": True},
                {"node_id": "b2", "address": "10.0.0.2:8201", "leader": False, "voter": False},
            ],
        }
    }
}


def test_list_peers(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/storage/raft/configuration", CONFIGURATION)

    assert (
        0,
        (
            "Node    Address          State       Voter\n"
            "----    -------          -----       -----\n"
            "a       10.0.0.1:8201    leader      true\n"
            "b2      10.0.0.2:8201    follower    false\n"
        ),
        "",
    ) == holdfast("operator", "raft", "list-peers")


def test_list_peers_as_json_is_the_envelope(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET sys/storage/raft/configuration", CONFIGURATION)

    code, out, _ = holdfast("operator", "raft", "list-peers", "-format=json")

    assert (0, CONFIGURATION) == (code, json.loads(out))


def test_join(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("POST sys/storage/raft/join", {"joined": True})

    expected = (0, "Key       Value\n---       -----\nJoined    true\n", "")
    assert expected == holdfast("operator", "raft", "join", "https://10.0.0.1:8200")
    assert {"leader_api_addr": "https://10.0.0.1:8200", "retry": False} == wire.asked[0].body


def test_join_takes_certificates(holdfast: Holdfast, wire: Wire, tmp_path: Path) -> None:
    wire.answer("POST sys/storage/raft/join", {"joined": False})
    (tmp_path / "ca.pem").write_text("CA\n")

    code, out, _ = holdfast(
        "operator",
        "raft",
        "join",
        "-retry",
        f"-leader-ca-cert=@{tmp_path}/ca.pem",
        "-leader-client-cert=CERT",
        "-leader-client-key=KEY",
        "-format=json",
        "https://a",
    )

    assert (0, {"joined": False}) == (code, json.loads(out))
    assert {
        "leader_api_addr": "https://a",
        "retry": True,
        "leader_ca_cert": "CA\n",
        "leader_client_cert": "CERT",
        "leader_client_key": "KEY",
    } == wire.asked[0].body


def test_join_goes_on_trying(
    holdfast: Holdfast, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's cluster has no leader at first."""
    monkeypatch.setattr(client, "RETRY_WAITS_S", (0.0,))
    refusal = {"errors": ["failed to join: it answered 503"]}
    for _ in range(JOIN_RETRIES_MAX):
        wire.answer("POST sys/storage/raft/join", refusal, status=500)
    wire.answer("POST sys/storage/raft/join", {"joined": True})

    assert 0 == holdfast("operator", "raft", "join", "-retry", "https://10.0.0.1:8200").code
    assert JOIN_RETRIES_MAX + 1 == len(wire.asked)
    assert {"leader_api_addr": "https://10.0.0.1:8200", "retry": True} == wire.asked[-1].body


def test_join_is_tried_as_often_as_any_request_otherwise(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("POST sys/storage/raft/join", {"errors": ["failed to join"]}, status=500)

    assert 2 == holdfast("operator", "raft", "join", "https://10.0.0.1:8200").code
    assert 1 == len(wire.asked)


def test_remove_peer(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("POST sys/storage/raft/remove-peer")

    assert (0, "Peer removed successfully!\n", "") == holdfast(
        "operator", "raft", "remove-peer", "b2"
    )
    assert {"server_id": "b2"} == wire.asked[0].body
