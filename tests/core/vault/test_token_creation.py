"""What `auth/token/create` grants, refuses and says besides."""

from typing import Any

import pytest

from core.engines.call import collected
from core.request import Operation
from core.vault.token_creation import (
    DISPLAY_NAME_LENGTH_MAX,
    METADATA_KEY_LENGTH_MAX,
    METADATA_KEYS_MAX,
    METADATA_VALUE_LENGTH_MAX,
    POLICIES_MAX,
    POLICY_NAME_LENGTH_MAX,
    USES_MAX,
)
from core.vault.tokens import GENERATIONS_MAX, TOKEN_LENGTH_MAX
from tests.core.node.single import SingleNode, decoded, errors

MAKER = """
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/create-orphan" { capabilities = ["update"] }
"""
BOSS = 'path "auth/token/create" { capabilities = ["update", "sudo"] }'


@pytest.fixture
def node() -> SingleNode:
    node = SingleNode().open()
    for name, text in (("maker", MAKER), ("boss", BOSS)):
        assert 204 == node.ask("update", f"sys/policies/acl/{name}", {"policy": text}).status
    return node


def created(
    node: SingleNode,
    token: str | None = None,
    **fields: Any,  # noqa: ANN401 -- any JSON value
) -> dict[str, Any]:
    """Return the body of an answer that hands out a token."""
    response = node.ask("update", "auth/token/create", fields, token)
    assert 200 == response.status, response.body
    return decoded(response)


def create(
    node: SingleNode,
    token: str | None = None,
    **fields: Any,  # noqa: ANN401 -- any JSON value
) -> dict[str, Any]:
    auth: dict[str, Any] = created(node, token, **fields)["auth"]
    return auth


def held_by(
    node: SingleNode,
    *policies: str,
    **fields: Any,  # noqa: ANN401 -- any JSON value
) -> str:
    """Create a token with these policies and no other."""
    token: str = create(node, policies=policies, no_default_policy=True, **fields)["client_token"]
    return token


def refusal(
    node: SingleNode,
    token: str | None = None,
    **fields: Any,  # noqa: ANN401 -- any JSON value
) -> str:
    response = node.ask("update", "auth/token/create", fields, token)
    assert 400 == response.status, response.body
    return errors(response)[0]


# -- policies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (["Maker", " maker ", "", "OTHER"], ["default", "maker", "other"]),
        ("maker, other,", ["default", "maker", "other"]),
        ([], ["root"]),
        ("", ["root"]),
        (" ", ["root"]),
        (None, ["root"]),
        ([""], ["default"]),
        (",", ["default"]),
        (["other", "root"], ["root"]),
    ],
)
def test_policies_are_tidied(node: SingleNode, asked: object, granted: list[str]) -> None:
    assert granted == create(node, policies=asked)["policies"]


def test_nobody_without_sudo_adds_default_to_what_the_caller_has(node: SingleNode) -> None:
    maker = held_by(node, "maker")
    with_default = create(node, policies=["maker"])["client_token"]

    assert ["maker"] == create(node, maker)["policies"]
    assert ["maker"] == create(node, maker, policies=["maker"])["policies"]
    assert "child policies must be subset of parent" == refusal(node, maker, policies=["default"])
    assert [] == create(node, maker, policies=[""])["policies"]
    assert ["default"] == create(node, with_default, policies=[""])["policies"]
    assert ["default", "maker"] == create(node, with_default)["policies"]
    assert ["default", "maker"] == create(node, with_default, policies=["maker"])["policies"]


def test_with_sudo_any_policy_but_root_may_be_given(node: SingleNode) -> None:
    boss = held_by(node, "boss")

    assert ["default", "other"] == create(node, boss, policies=["other"])["policies"]
    assert ["other"] == create(node, boss, policies=["other"], no_default_policy=1)["policies"]
    assert refusal(node, boss, policies=["root"]).startswith("root tokens may not be created")


def test_default_is_left_out_even_where_it_was_asked_for(node: SingleNode) -> None:
    auth = create(node, policies=["a", "default"], no_default_policy="true")

    assert ["a"] == auth["policies"]


def test_each_policy_that_is_not_there_is_warned_of(node: SingleNode) -> None:
    body = created(node, policies=["ghost", "maker", "x" * POLICY_NAME_LENGTH_MAX], ttl="9999h")
    capped, *missing = body["warnings"]

    assert "value is capped accordingly" in capped
    assert [
        'Policy "ghost" does not exist',
        f'Policy "{"x" * POLICY_NAME_LENGTH_MAX}" does not exist',
    ] == missing


# -- times ------------------------------------------------------------------------------------


def test_an_expiring_root_token(node: SingleNode) -> None:
    """It makes others that expire, in whatever way."""
    root = create(node, ttl="1h")["client_token"]

    assert "expiring root tokens cannot create non-expiring root tokens" == refusal(node, root)
    assert [60, 50, 40] == [
        create(node, root, **fields)["lease_duration"]
        for fields in ({"ttl": 60}, {"period": "50s"}, {"explicit_max_ttl": "40"})
    ]
    assert 30 == create(node, root, lease="30s")["lease_duration"]


def test_a_token_for_ever_is_not_renewable(node: SingleNode) -> None:
    auth = create(node, renewable=True)

    assert (False, 0) == (auth["renewable"], auth["lease_duration"])


@pytest.mark.parametrize(
    ("asked", "granted"), [(None, True), ("", True), (True, True), ("false", False), (0, False)]
)
def test_others_are_renewable_unless_told_otherwise(
    node: SingleNode, asked: object, granted: bool
) -> None:
    assert granted == create(node, policies=["a"], renewable=asked)["renewable"]


def test_a_renewal_does_not_change_how_long_it_was_created_for(node: SingleNode) -> None:
    token = create(node, policies=["default"], ttl="60s")["client_token"]
    for increment, granted in ((90, 90), (None, 90), ("", 90), ("45s", 45)):
        response = node.ask("update", "auth/token/renew-self", {"increment": increment}, token)

        assert granted == decoded(response)["auth"]["lease_duration"]
    data = decoded(node.ask("read", "auth/token/lookup-self", token=token))["data"]
    assert (60, 45) == (data["creation_ttl"], data["ttl"])


def test_the_last_use_renews_nothing(node: SingleNode) -> None:
    """The token has gone by then, and must not come back."""
    auth = create(node, policies=["default"], ttl="60s", num_uses=1)
    response = node.ask("update", "auth/token/renew-self", token=auth["client_token"])

    assert (400, ["lease is not renewable"]) == (response.status, errors(response))
    keys = decoded(node.ask("list", "auth/token/accessors/"))["data"]["keys"]
    assert auth["accessor"] not in keys


def test_the_last_use_may_be_to_look_or_to_revoke(node: SingleNode) -> None:
    def spent(operation: Operation, path: str) -> int:
        token = create(node, policies=["default"], num_uses=1)["client_token"]
        status = node.ask(operation, path, token=token).status
        assert 403 == node.ask("read", "auth/token/lookup-self", token=token).status
        return status

    assert [200, 204] == [
        spent("read", "auth/token/lookup-self"),
        spent("update", "auth/token/revoke-self"),
    ]


# -- trees ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.covering
def test_a_tree_is_not_deeper_than_its_bound(node: SingleNode) -> None:
    token: str | None = None
    for _ in range(GENERATIONS_MAX - 1):
        token = create(node, token)["client_token"]

    text = f"a tree of tokens has at most {GENERATIONS_MAX} generations"
    assert text == refusal(node, token)
    assert create(node, token, no_parent=True)["orphan"] is True


def test_a_token_whose_uses_are_counted_creates_none(node: SingleNode) -> None:
    for uses in (1, 2):
        token = held_by(node, "maker", num_uses=uses)

        assert "restricted use token cannot generate child tokens" == refusal(node, token)


def test_an_id_is_not_to_be_had_while_its_former_children_go(node: SingleNode) -> None:
    """They would be children of the new token."""
    chosen = held_by(node, "maker", id="chosen")
    for _ in range(node.settings.requests.sweep_max):
        create(node, chosen)
    node.ask("update", "auth/token/revoke", {"token": chosen})

    assert "cannot create a token with a duplicate ID" == refusal(node, id="chosen")
    node.pass_time(5)
    assert "chosen" == create(node, id="chosen")["client_token"]


# -- fields -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (None, "token"),
        ("", "token"),
        ("ci", "token-ci"),
        ("Build 7/x", "token-Build-7-x"),
        ("trailing!", "token-trailing"),
        ("\u00e9t\u00e9", "token--t"),
        ("x" * DISPLAY_NAME_LENGTH_MAX, "token-" + "x" * DISPLAY_NAME_LENGTH_MAX),
    ],
)
def test_display_names(node: SingleNode, asked: str | None, shown: str) -> None:
    token = create(node, display_name=asked)["client_token"]
    data = decoded(node.ask("read", "auth/token/lookup-self", token=token))["data"]

    assert shown == data["display_name"]


def test_fields_at_their_limits(node: SingleNode) -> None:
    meta = {
        f"{key}".ljust(METADATA_KEY_LENGTH_MAX, "x"): "y" * METADATA_VALUE_LENGTH_MAX
        for key in range(METADATA_KEYS_MAX)
    }
    policies = [f"{place}".ljust(POLICY_NAME_LENGTH_MAX, "x") for place in range(POLICIES_MAX)]
    auth = create(
        node,
        id="!" * TOKEN_LENGTH_MAX,
        meta=meta,
        policies=policies,
        num_uses=str(USES_MAX),
        type="service",
    )

    assert ("!" * TOKEN_LENGTH_MAX, meta, USES_MAX) == (
        auth["client_token"],
        auth["metadata"],
        auth["num_uses"],
    )
    assert sorted([*policies, "default"]) == auth["policies"]
    assert 200 == node.ask("update", "auth/token/lookup", {"token": "!" * TOKEN_LENGTH_MAX}).status


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"policies": ["x" * (POLICY_NAME_LENGTH_MAX + 1)]}, "policies must be a list"),
        ({"policies": ["x"] * (POLICIES_MAX + 1)}, "policies must be a list"),
        ({"policies": "x," * (POLICIES_MAX + 1)}, "policies must be a list"),
        ({"policies": [1]}, "policies must be a list"),
        ({"policies": ["A", "Response-Wrapping"]}, "cannot assign policy"),
        ({"meta": {"a" * (METADATA_KEY_LENGTH_MAX + 1): ""}}, "meta is an object"),
        ({"meta": {"a": "b" * (METADATA_VALUE_LENGTH_MAX + 1)}}, "meta is an object"),
        ({"meta": {str(n): "" for n in range(METADATA_KEYS_MAX + 1)}}, "meta is an object"),
        ({"meta": []}, "Field validation failed"),
        ({"num_uses": USES_MAX + 1}, "num_uses must be"),
        ({"num_uses": "9" * 5000}, "num_uses must be"),
        ({"num_uses": True}, "num_uses must be"),
        ({"num_uses": "\u0661"}, "num_uses must be"),
        ({"display_name": "x" * (DISPLAY_NAME_LENGTH_MAX + 1)}, "display_name is a text"),
        ({"id": "x" * (TOKEN_LENGTH_MAX + 1)}, "a token id is a text"),
        ({"id": "a b"}, "a token id is a text"),
        ({"id": "cl\u00e9"}, "a token id is a text"),
        ({"id": "line\n"}, "a token id is a text"),
        ({"id": "s.old"}, "custom token ID cannot have the prefix"),
        ({"id": "a/b"}, "custom token ID cannot contain"),
        ({"period": True}, "period must be a duration"),
        ({"explicit_max_ttl": {}}, "explicit_max_ttl must be a duration"),
        ({"type": {"a": 1}}, "invalid 'token_type' value"),
        ({"no_parent": "maybe"}, "Field validation failed"),
        ({"no_default_policy": [], "policies": ["a"]}, "Field validation failed"),
        ({"renewable": "maybe", "ttl": 5}, "Field validation failed"),
    ],
)
def test_what_is_beyond_them_is_refused(
    node: SingleNode, fields: dict[str, Any], text: str
) -> None:
    assert refusal(node, **fields).startswith(text)


@pytest.mark.parametrize("accessor", ["\U0001f511" * 24, "x" * 5000, "a\u0000b"])
def test_an_odd_accessor_is_unknown(node: SingleNode, accessor: str) -> None:
    """Such a name would not fit into a key."""
    response = node.ask("update", "auth/token/lookup-accessor", {"accessor": accessor})

    assert (400, [collected("invalid accessor")]) == (response.status, errors(response))
