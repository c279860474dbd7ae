"""Init, unseal, seal, status and health of one real node."""

import base64
from typing import Any

import msgspec
import pytest

from core.raft.configuration import Configuration, Member
from tests.core.node.single import SingleNode, decoded, errors


def status(node: SingleNode) -> dict[str, Any]:
    return decoded(node.ask("read", "sys/seal-status"))


def test_a_fresh_node_is_uninitialised() -> None:
    """It says so in every way that clients ask."""
    node = SingleNode()

    assert decoded(node.ask("read", "sys/init")) == {"initialized": False}
    assert node.ask("read", "sys/health").status == 501
    assert node.ask("read", "sys/leader").status == 503
    assert (status(node)["initialized"], status(node)["sealed"]) == (False, True)
    assert node.ask("read", "secret/data/a", token="t").status == 503
    assert errors(node.ask("update", "sys/unseal", {"key": "00"})) == [
        "server is not yet initialized"
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "invalid seal configuration: shares must be at least one"),
        (
            {"secret_shares": 5, "secret_threshold": 1},
            "invalid seal configuration: threshold must be greater than one for multiple shares",
        ),
        ({"secret_shares": "5"}, "secret_shares and secret_threshold must be whole numbers"),
        ({"secret_shares": 1, "pgp_keys": ["x"]}, "pgp_keys is not supported"),
    ],
)
def test_a_bad_initialisation_is_refused(body: dict[str, Any], text: str) -> None:
    """Nothing has begun then."""
    node = SingleNode()

    assert errors(node.ask("update", "sys/init", body)) == [text]
    assert decoded(node.ask("read", "sys/init")) == {"initialized": False}


@pytest.mark.parametrize("lost", ["base", "seal"])
def test_a_member_that_lost_its_state_is_no_new_cluster(lost: str) -> None:
    """It waits for its peers; a new seal would be written over theirs."""
    node = SingleNode()
    raft = node.node.raft
    if lost == "base":
        raft.snapshot_floor = 7
    else:
        raft.configuration = Configuration(
            ("n1", "n2"), members={name: Member(name, "a:1", "http://a") for name in ("n1", "n2")}
        )
    response = node.ask("update", "sys/init", {"secret_shares": 1, "secret_threshold": 1})

    assert (response.status, errors(response)) == (400, ["Vault is already initialized"])
    assert not raft.electable


def test_three_of_five_shares_open_a_node() -> None:
    """Progress and nonce are shown; hex and base64 are taken; a repeated share counts once."""
    node = SingleNode()
    body = decoded(node.ask("update", "sys/init", {"secret_shares": 5, "secret_threshold": 3}))
    first, second, third = body["keys"][:3]

    shown = decoded(node.ask("update", "sys/unseal", {"key": first}))
    assert (shown["progress"], shown["t"], shown["n"]) == (1, 3, 5)
    assert shown["nonce"] != ""
    assert decoded(node.ask("update", "sys/unseal", {"key": first}))["progress"] == 1
    assert decoded(node.ask("update", "sys/unseal", {"reset": True}))["progress"] == 0
    for share in (first, second):
        node.ask("update", "sys/unseal", {"key": share})
    last = base64.b64encode(bytes.fromhex(third)).decode()
    opened = decoded(node.ask("update", "sys/unseal", {"key": last}))
    assert (opened["sealed"], opened["progress"]) == (False, 0)
    assert opened["cluster_id"] != ""
    assert decoded(node.ask("update", "sys/unseal", {"key": last}))["sealed"] is False
    assert node.ask("update", "sys/init", {"secret_shares": 1}).status == 400


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (None, "'key' must be specified"),
        ("?!", "'key' must be a valid hex or base64 string"),
        ("00", "unseal failed: key is shorter"),
        ("11" * 32, "unseal failed: "),
    ],
)
def test_a_bad_share_is_refused(key: str | None, text: str) -> None:
    """The node stays sealed."""
    node = SingleNode()
    node.ask("update", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    response = node.ask("update", "sys/unseal", {"key": key})

    assert response.status == 400
    assert errors(response)[0].startswith(text)
    assert status(node)["sealed"] is True
    assert node.ask("read", "sys/health").status == 503


def test_an_open_leader_says_so() -> None:
    """Health, leader and status agree."""
    node = SingleNode().open()
    health = node.ask("read", "sys/health")
    leader = decoded(node.ask("read", "sys/leader"))

    assert health.status == 200
    assert decoded(health)["standby"] is False
    assert decoded(health)["performance_standby"] is False
    assert leader["is_self"] is True
    assert leader["leader_address"] == "http://127.0.0.1:8200"
    assert leader["active_time"].startswith("2026-")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"activecode": "299"}, 299),
        ({"sealedcode": "299"}, 200),
        ({"activecode": "soon"}, 400),
        ({"sealedcode": "9999"}, 400),
        ({"standbyok": "true"}, 200),
    ],
)
def test_health_codes_can_be_chosen(parameters: dict[str, str], expected: int) -> None:
    """Probes that only know 2xx lean on it."""
    node = SingleNode().open()

    assert node.ask("read", "sys/health", parameters=parameters).status == expected


def test_a_node_without_a_leader_is_no_healthy_standby() -> None:
    """`standbyok` does not cover it, a code of its own does."""
    node = SingleNode().open()
    node.ask("update", "sys/step-down")

    assert node.ask("read", "sys/health", parameters={"standbyok": "1"}).status == 474
    assert node.ask("read", "sys/health", parameters={"haunhealthycode": "204"}).status == 204


def test_sealing_forgets_the_keys() -> None:
    """Only the shares open it again, and what was stored is there."""
    node = SingleNode().open()
    node.ask("update", "sys/mounts/secret", {"type": "kv-v2"})
    node.ask("update", "secret/data/a", {"data": {"b": 1}})

    assert node.ask("update", "sys/seal").status == 204
    assert status(node)["sealed"] is True
    assert node.ask("read", "secret/data/a").status == 503
    node.unseal()
    assert decoded(node.ask("read", "secret/data/a"))["data"]["data"] == {"b": 1}


def test_keys_rotate_and_old_records_still_open() -> None:
    """A new term seals; the old one goes on opening."""
    node = SingleNode().open()
    node.ask("update", "sys/mounts/secret", {"type": "kv-v2"})
    node.ask("update", "secret/data/a", {"data": {"b": 1}})

    assert node.ask("update", "sys/rotate").status == 204
    node.ask("update", "secret/data/c", {"data": {"d": 2}})
    assert decoded(node.ask("read", "sys/key-status"))["data"]["term"] == 2
    assert decoded(node.ask("read", "secret/data/a"))["data"]["data"] == {"b": 1}
    assert decoded(node.ask("read", "secret/data/c"))["data"]["data"] == {"d": 2}


@pytest.mark.parametrize("path", ["sys/seal-status", "sys/health", "sys/leader"])
def test_methods_out_of_place_are_refused(path: str) -> None:
    """As anywhere else."""
    assert SingleNode().ask("delete", path).status == 405


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "failed to parse JSON input"),
        (b"[]", "failed to parse JSON input"),
        (b"[" * 100_000, "failed to parse JSON input"),
        (b'{"a":' * 501 + b"1" + b"}" * 501, "JSON input exceeds the depth limit"),
        (b'{"a":"' + b"x" * 1_048_577 + b'"}', "JSON input exceeds the string limit"),
        (
            msgspec.json.encode({"a": [0] * 10_001}),
            "JSON input exceeds the limit of 10000 entries",
        ),
        (
            msgspec.json.encode({"a": {str(n): n for n in range(10_001)}}),
            "JSON input exceeds the limit of 10000 entries",
        ),
    ],
)
def test_odd_bodies_are_refused(body: bytes, text: str) -> None:
    """With 400 and Vault's shape."""
    node = SingleNode().open()
    response = node.ask("update", "sys/policies/acl/a", body)

    assert response.status == 400
    assert errors(response)[0].startswith(text)


def test_paths_that_nobody_serves() -> None:
    """Without the right to know, 403; with it, 404 and why."""
    node = SingleNode().open()

    assert node.ask("read", "nowhere/a", token="none").status == 403
    assert errors(node.ask("read", "nowhere/a")) == [
        'no handler for route "nowhere/a". route entry not found.'
    ]
    assert node.ask("read", "sys/nowhere").status == 404
    assert node.ask("patch", "sys/mounts").status == 405
    assert errors(node.ask("update", "sys/policies/acl/")) == [
        "cannot write to a path ending in '/'"
    ]


def test_an_audit_device_must_be_writable_when_it_is_enabled() -> None:
    """A path that can't be written to would block everything."""
    node = SingleNode().open()
    node.unwritable = ["/bad"]
    body = {"type": "file", "options": {"file_path": "/bad"}}
    refused = node.ask("update", "sys/audit/file", body)
    assert refused.status == 400
    assert decoded(node.ask("read", "sys/audit"))["data"] == {}

    body = {"type": "file", "options": {"file_path": "/good"}}
    assert node.ask("update", "sys/audit/file", body).status == 204
    node.ask("read", "sys/mounts")
    (text,) = node.audit.values()
    kinds = [msgspec.json.decode(line)["type"] for line in text.splitlines()]
    assert kinds == ["response", "request", "response"]

    node.unwritable = ["/bad", "/good"]
    assert node.ask("update", "sys/policies/acl/a", {"policy": ""}).status == 500
    node.unwritable = []
    assert node.ask("read", "sys/policies/acl/a").status == 404
