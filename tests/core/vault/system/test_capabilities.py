"""`sys/capabilities`: what a token may do, asked by itself or by others."""

from typing import Any

import pytest

from core.vault.reply import Reply
from tests.core.vault.node import Node

TEXT = """
path "secret/*" { capabilities = ["read", "list"] }
path "secret/own" { capabilities = ["update"] }
"""


def ask(node: Node, kind: str, body: dict[str, Any], token: str | None = None) -> Reply:
    return node.ask("update", f"sys/capabilities{kind}", body, token=token)


def test_three_ways_to_ask_get_one_answer() -> None:
    node = Node()
    node.policy("dev", TEXT)
    token, entry = node.token("dev")
    paths = ["secret/a", "/secret/own", "other"]
    expected = {
        "secret/a": ["list", "read"],
        "/secret/own": ["update"],
        "other": ["deny"],
    }

    for reply in (
        ask(node, "", {"paths": paths, "token": token}),
        ask(node, "-accessor", {"paths": paths, "accessor": entry.accessor}),
        ask(node, "-self", {"paths": paths}, token),
    ):
        assert reply.repeated
        assert expected == reply.data


@pytest.mark.parametrize("field", ["paths", "path"])
def test_a_single_path_is_answered_twice(field: str) -> None:
    expected = {"secret/a": ["root"], "capabilities": ["root"]}

    assert expected == ask(Node(), "-self", {field: "secret/a"}).data


def test_paths_may_stand_between_commas() -> None:
    expected = {"a": ["root"], "b": ["root"]}

    assert expected == ask(Node(), "-self", {"paths": "a, b"}).data


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("", {"paths": "a"}, "token must be supplied"),
        ("", {"paths": "a", "token": "hvs.unknown"}, "invalid token"),
        ("-accessor", {"paths": "a"}, "accessor must be supplied"),
        ("-accessor", {"paths": "a", "accessor": "unknown"}, "invalid accessor"),
        ("-self", {}, "paths must be supplied"),
        (
            "-self",
            {"paths": ["a"] * 1_001},
            (
                'Field validation failed: error converting input for field "paths": '
                "expected a list of at most 1000 texts"
            ),
        ),
    ],
)
def test_questions_without_an_answer(kind: str, body: dict[str, Any], text: str) -> None:
    assert (400, text) == Node().refused("update", f"sys/capabilities{kind}", body)


def test_a_token_that_has_expired_can_do_nothing() -> None:
    node = Node()
    token, entry = node.token("default", ttl_s=60)
    node.wall_ns += 61 * 10**9

    assert (400, "invalid token") == node.refused(
        "update", "sys/capabilities", {"paths": "a", "token": token}
    )
    assert (400, "invalid accessor") == node.refused(
        "update", "sys/capabilities-accessor", {"paths": "a", "accessor": entry.accessor}
    )
