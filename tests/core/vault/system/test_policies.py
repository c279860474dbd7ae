"""`sys/policies/acl` and `sys/policy`: two spellings of one store."""

import base64
from typing import Any

import pytest

from core.vault.policies import TEXT_BYTES_MAX
from core.vault.policy import DEFAULT_POLICY
from tests.core.vault.node import Node

TEXT = 'path "secret/*" { capabilities = ["read"] }'


def written(name: str = "a", text: str = TEXT) -> Node:
    node = Node()
    node.write(f"sys/policies/acl/{name}", {"policy": text})
    return node


def test_a_policy_is_read_as_it_was_written() -> None:
    node = written("Team/A")

    assert {"name": "team/a", "policy": TEXT} == node.read("sys/policies/acl/team/a")
    assert {"name": "team/a", "policy": TEXT} == node.read("sys/policies/acl/TEAM/a")
    assert not node.ask("read", "sys/policies/acl/team/a").repeated


def test_the_older_path_calls_the_text_rules() -> None:
    node = Node()
    node.write("sys/policy/a", {"rules": TEXT})
    reply = node.ask("read", "sys/policy/a")

    assert reply.repeated
    assert {"name": "a", "rules": TEXT} == reply.data
    assert {"name": "a", "policy": TEXT} == node.read("sys/policies/acl/a")


def test_names_are_listed_with_root_at_the_end() -> None:
    node = written("zoo")
    node.policy("default", DEFAULT_POLICY)
    names = ["default", "zoo", "root"]

    assert {"keys": names} == node.read("sys/policies/acl", operation="list")
    for operation in ("read", "list"):
        reply = node.ask(operation, "sys/policy")

        assert reply.repeated
        assert {"keys": names, "policies": names} == reply.data


def test_root_has_no_text() -> None:
    node = Node()

    assert {"name": "root", "policy": ""} == node.read("sys/policies/acl/root")
    assert {"name": "root", "rules": ""} == node.read("sys/policy/root")


@pytest.mark.parametrize("family", ["sys/policies/acl", "sys/policy"])
def test_a_policy_that_is_not_there(family: str) -> None:
    assert (404,) == Node().refused("read", f"{family}/a")


@pytest.mark.parametrize(
    "sent",
    [
        base64.b64encode(TEXT.encode()).decode(),
        base64.encodebytes((TEXT + "\n# " + "x" * 100).encode()).decode(),
    ],
)
def test_base64_text_is_decoded(sent: str) -> None:
    text = written(text=sent).read("sys/policies/acl/a")["policy"]

    assert text.startswith(TEXT)


@pytest.mark.parametrize("text", ["abcd", "/w=="])
def test_base64_text_of_anything_else_is_no_policy(text: str) -> None:
    status, message = Node().refused("update", "sys/policies/acl/a", {"policy": text})

    assert (400, "failed to parse policy: ") == (status, message[:24])


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("a", {}, "'policy' parameter not supplied or empty"),
        ("a", {"policy": ""}, "'policy' parameter not supplied or empty"),
        ("Root", {"policy": TEXT}, 'cannot update "root" policy'),
        ("response-wrapping", {"policy": TEXT}, 'cannot update "response-wrapping" policy'),
        ("a" * 300, {"policy": TEXT}, "a path segment is longer than 239 bytes"),
        (
            "a",
            {"policy": "#" * (TEXT_BYTES_MAX + 1)},
            f"the policy is longer than {TEXT_BYTES_MAX} bytes",
        ),
        (
            "a",
            {"policy": []},
            'Field validation failed: error converting input for field "policy": expected a text',
        ),
    ],
)
def test_what_cannot_be_written(name: str, body: dict[str, Any], text: str) -> None:
    assert (400, text) == Node().refused("update", f"sys/policies/acl/{name}", body)


def test_a_policy_is_deleted_whether_it_is_there_or_not() -> None:
    node = written()
    for path in ("sys/policies/acl/A", "sys/policy/a"):
        assert node.ask("delete", path).data is None

        assert {"keys": ["root"]} == node.read("sys/policies/acl", operation="list")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("root", 'cannot delete "root" policy'),
        ("response-wrapping", 'cannot delete "response-wrapping" policy'),
        ("default", "cannot delete default policy"),
    ],
)
def test_what_cannot_be_deleted(name: str, text: str) -> None:
    assert (400, text) == Node().refused("delete", f"sys/policies/acl/{name}")
    assert (400, text) == Node().refused("delete", f"sys/policy/{name}")
