"""`auth/token/` as clients see it, on a real node."""

from typing import Any, Final

import pytest

from core.request import Operation
from core.vault import token_paths
from core.vault.reply import Auth
from tests.core.node.single import SingleNode, decoded, errors

INVALID_ACCESSOR: Final = "1 error occurred:\n\t* invalid accessor\n\n"
MISSING_ACCESSOR: Final = "1 error occurred:\n\t* missing accessor\n\n"
READS: Final[tuple[Operation, ...]] = ("read", "update")


@pytest.fixture
def node() -> SingleNode:
    return SingleNode().open()


def create(node: SingleNode, token: str | None = None, **fields: object) -> dict[str, Any]:
    response = node.ask("update", "auth/token/create", fields, token)
    assert response.status == 200, response.body
    auth: dict[str, Any] = decoded(response)["auth"]
    return auth


def lookup(node: SingleNode, token: str) -> dict[str, Any]:
    response = node.ask("read", "auth/token/lookup-self", token=token)
    assert response.status == 200
    data: dict[str, Any] = decoded(response)["data"]
    return data


def opens(node: SingleNode, token: str) -> bool:
    return node.ask("read", "auth/token/lookup-self", token=token).status == 200


def test_a_token_has_the_shape_that_clients_expect(node: SingleNode) -> None:
    """Every key is there, with the types that strict clients demand."""
    auth = create(node, policies=["a"], ttl="1h", meta={"team": "x"}, display_name="ci job")
    data = lookup(node, auth["client_token"])

    assert auth["client_token"].startswith("hvs.")
    assert len(auth["client_token"]) == 28
    assert auth["policies"] == auth["token_policies"] == ["a", "default"]
    assert auth["lease_duration"] == 3600
    assert auth["renewable"] is True
    assert auth["orphan"] is False
    assert auth["metadata"] == {"team": "x"}
    assert data == {
        "accessor": auth["accessor"],
        "creation_time": 1_790_000_002,
        "creation_ttl": 3600,
        "display_name": "token-ci-job",
        "entity_id": "",
        "expire_time": data["expire_time"],
        "explicit_max_ttl": 0,
        "id": auth["client_token"],
        "issue_time": data["issue_time"],
        "meta": {"team": "x"},
        "num_uses": 0,
        "orphan": False,
        "path": "auth/token/create",
        "policies": ["a", "default"],
        "renewable": True,
        "ttl": 3600,
        "type": "service",
    }


def test_the_root_token_never_expires(node: SingleNode) -> None:
    """It has no time to live and no time at which it expires."""
    data = lookup(node, node.root_token)

    assert (data["ttl"], data["expire_time"], data["policies"]) == (0, None, ["root"])


def test_unknown_policies_give_a_warning(node: SingleNode) -> None:
    """The token is created all the same."""
    response = node.ask("update", "auth/token/create", {"policies": ["ghost"]})

    assert decoded(response)["warnings"] == ['Policy "ghost" does not exist']


def test_a_long_time_to_live_is_capped(node: SingleNode) -> None:
    """The maximum holds, and the caller is told."""
    response = node.ask("update", "auth/token/create", {"ttl": "10000h"})
    body = decoded(response)

    assert body["auth"]["lease_duration"] == 768 * 3600
    assert "capped" in body["warnings"][0]


def test_a_token_expires(node: SingleNode) -> None:
    """It opens nothing from then on, and its record goes."""
    auth = create(node, policies=["default"], ttl="10s")

    assert opens(node, auth["client_token"])
    node.pass_time(11)
    assert not opens(node, auth["client_token"])
    found = node.ask("update", "auth/token/lookup-accessor", {"accessor": auth["accessor"]})
    assert found.status == 400


def test_a_token_is_renewed_from_now(node: SingleNode) -> None:
    """Renewal counts from now; the limits count from when it was created."""
    auth = create(node, policies=["default"], ttl="60s", explicit_max_ttl="100s")
    token = auth["client_token"]
    node.pass_time(50)

    renewed = node.ask("update", "auth/token/renew-self", {"increment": "30s"}, token)
    assert decoded(renewed)["auth"]["lease_duration"] == 30
    capped = decoded(node.ask("update", "auth/token/renew", {"token": token, "increment": 600}))
    assert capped["auth"]["lease_duration"] == 50
    assert "capped" in capped["warnings"][0]
    by_accessor = node.ask(
        "update", "auth/token/renew-accessor", {"accessor": auth["accessor"], "increment": 5}
    )
    assert decoded(by_accessor)["auth"]["lease_duration"] == 5
    assert lookup(node, token)["last_renewal_time"] == 1_790_000_052
    node.pass_time(6)
    assert not opens(node, token)


def test_a_periodic_token_lives_as_long_as_it_is_renewed(node: SingleNode) -> None:
    """Each renewal is for its period."""
    token = create(node, policies=["default"], period="30s")["client_token"]
    for _ in range(3):
        node.pass_time(20)
        renewed = node.ask("update", "auth/token/renew-self", token=token)
        assert decoded(renewed)["auth"]["lease_duration"] == 30

    assert lookup(node, token)["period"] == 30


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("renew", {"token": "nonsense"}, 400, "token not found"),
        ("renew", {}, 400, "missing token ID"),
        ("renew-accessor", {"accessor": "nonsense"}, 400, INVALID_ACCESSOR),
        ("renew-accessor", {}, 400, MISSING_ACCESSOR),
        ("renew-self", {"increment": []}, 400, "lease is not renewable"),
        ("lookup", {"token": "nonsense"}, 403, "bad token"),
        ("lookup-accessor", {"accessor": "nonsense"}, 400, INVALID_ACCESSOR),
        ("lookup-accessor", {"accessor": "a/b"}, 400, INVALID_ACCESSOR),
        ("lookup-accessor", {}, 400, MISSING_ACCESSOR),
        ("revoke", {}, 400, "missing token ID"),
        ("revoke-accessor", {}, 400, MISSING_ACCESSOR),
        ("revoke-orphan", {}, 400, "missing token ID"),
        ("revoke-orphan", {"token": "nonsense"}, 400, "token to revoke not found"),
        ("create", {"type": "batch"}, 400, "batch tokens are not supported"),
        ("create", {"type": "other"}, 400, "invalid 'token_type' value"),
        ("create", {"entity_alias": "a"}, 400, "'entity_alias' is only allowed in combination"),
        ("create", {"policies": 5}, 400, "policies must be a list"),
        ("create", {"policies": ["response-wrapping"]}, 400, "cannot assign policy"),
        ("create", {"ttl": "soon"}, 400, "ttl must be a duration"),
        ("create", {"ttl": -1}, 400, "ttl must be positive"),
        ("create", {"num_uses": -1}, 400, "number of uses cannot be negative"),
        ("create", {"num_uses": 1 << 32}, 400, "num_uses must be a whole number"),
        ("create", {"meta": {"a": "b" * 513}}, 400, "meta is an object"),
        ("create", {"meta": {"a": []}}, 400, "Field validation failed"),
        ("create", {"display_name": 5}, 400, "display_name is a text"),
        ("create", {"id": "hvs.mine"}, 400, "custom token ID cannot have the prefix"),
        ("create", {"id": "a.b"}, 400, "custom token ID cannot contain"),
        ("create", {"id": 7}, 400, "a token id is a text"),
    ],
)
def test_bad_requests_are_refused(
    node: SingleNode, path: str, body: dict[str, Any], status: int, text: str
) -> None:
    """Each has its status and says what is wrong."""
    response = node.ask("update", f"auth/token/{path}", body)

    assert response.status == status
    assert errors(response)[0].startswith(text)


def test_a_bad_increment_is_refused(node: SingleNode) -> None:
    """It is looked at when the token is renewable."""
    token = create(node, policies=["default"])["client_token"]
    response = node.ask("update", "auth/token/renew-self", {"increment": "soon"}, token)

    assert (response.status, errors(response)) == (400, ["increment must be a duration"])


def test_a_token_that_reached_its_maximum_cannot_be_renewed(node: SingleNode) -> None:
    """Nothing is left to grant."""
    token = create(node, policies=["default"], ttl="10s", explicit_max_ttl="10s")["client_token"]
    node.pass_time(9.9)
    response = node.ask("update", "auth/token/renew-self", token=token)

    assert (response.status, errors(response)) == (400, ["past the max TTL, cannot renew"])


def grant(node: SingleNode, *paths: str) -> None:
    rules = "\n".join(
        f'path "{path}" {{ capabilities = ["create", "update", "read"] }}' for path in paths
    )
    response = node.ask("update", "sys/policies/acl/maker", {"policy": rules})
    assert response.status == 204


def test_what_a_token_without_sudo_may_create(node: SingleNode) -> None:
    """Fewer policies than its own, never root, no id, no period, no orphan by body."""
    grant(node, "auth/token/create", "auth/token/create-orphan")
    maker = create(node, policies=["maker", "other"])["client_token"]

    def refused(**fields: object) -> str:
        response = node.ask("update", "auth/token/create", fields, maker)
        assert response.status == 400
        return errors(response)[0]

    assert create(node, maker, policies=["other"])["policies"] == ["default", "other"]
    assert create(node, maker)["policies"] == ["default", "maker", "other"]
    assert "subset" in refused(policies=["third"])
    assert "subset" in refused(policies=["root"])
    assert "sudo" in refused(id="mine")
    assert "sudo" in refused(period="1h")
    assert "sudo" in refused(no_parent=True)
    orphan = node.ask("update", "auth/token/create-orphan", {"policies": "other"}, maker)
    assert decoded(orphan)["auth"]["orphan"] is True


def test_root_may_choose_an_id_and_no_parent(node: SingleNode) -> None:
    """A chosen id is not to be had twice."""
    auth = create(node, id="chosen", no_parent=True, no_default_policy=True, policies=["a"])

    assert (auth["client_token"], auth["orphan"], auth["policies"]) == ("chosen", True, ["a"])
    again = node.ask("update", "auth/token/create", {"id": "chosen"})
    assert errors(again) == ["cannot create a token with a duplicate ID"]


def test_an_expiring_root_token_makes_no_lasting_one(node: SingleNode) -> None:
    """Else it would outlive itself."""
    token = create(node, policies=["root"], ttl="1h")["client_token"]
    response = node.ask("update", "auth/token/create", {"policies": ["root"]}, token)

    assert "expiring root tokens" in errors(response)[0]


def test_a_use_limited_token_is_used_that_often(node: SingleNode) -> None:
    """Denied requests count too; it has no children."""
    token = create(node, policies=["default"], num_uses=3)["client_token"]

    assert lookup(node, token)["num_uses"] == 2
    assert node.ask("read", "secret/none", token=token).status == 403
    created = node.ask("update", "auth/token/create", {}, token)
    assert created.status in (400, 403)
    assert not opens(node, token)


def test_revoking_takes_the_children_along(node: SingleNode) -> None:
    """Children of children too; other tokens stay."""
    grant(node, "auth/token/create")
    parent = create(node, policies=["maker"])
    child = create(node, parent["client_token"])
    grandchild = create(node, child["client_token"])
    other = create(node, policies=["default"])
    response = node.ask("update", "auth/token/revoke", {"token": parent["client_token"]})

    assert response.status == 204
    assert not any(opens(node, auth["client_token"]) for auth in (parent, child, grandchild))
    assert opens(node, other["client_token"])
    assert node.ask("update", "auth/token/revoke", {"token": "nonsense"}).status == 204


def test_revoke_orphan_leaves_the_children(node: SingleNode) -> None:
    """They become orphans."""
    grant(node, "auth/token/create")
    parent = create(node, policies=["maker"])
    child = create(node, parent["client_token"])
    response = node.ask("update", "auth/token/revoke-orphan", {"token": parent["client_token"]})

    assert response.status == 204
    assert not opens(node, parent["client_token"])
    assert lookup(node, child["client_token"])["orphan"] is True


def test_a_token_may_revoke_itself_and_others_by_accessor(node: SingleNode) -> None:
    """Both end it at once."""
    first = create(node, policies=["default"])
    second = create(node, policies=["default"])

    assert node.ask("update", "auth/token/revoke-self", token=first["client_token"]).status == 204
    body = {"accessor": second["accessor"]}
    assert node.ask("update", "auth/token/revoke-accessor", body).status == 204
    assert not opens(node, first["client_token"])
    assert not opens(node, second["client_token"])


def test_lookup_by_token_and_by_accessor(node: SingleNode) -> None:
    """Who has only the accessor does not learn the token."""
    auth = create(node, policies=["default"])
    by_token = node.ask("update", "auth/token/lookup", {"token": auth["client_token"]})
    by_accessor = node.ask("update", "auth/token/lookup-accessor", {"accessor": auth["accessor"]})

    assert decoded(by_token)["data"]["id"] == auth["client_token"]
    assert decoded(by_accessor)["data"]["id"] == ""
    assert auth["accessor"] in decoded(node.ask("list", "auth/token/accessors/"))["data"]["keys"]


def test_a_large_tree_opens_nothing_at_once_and_is_swept(node: SingleNode) -> None:
    """More tokens than one transaction removes are finished by sweeps."""
    grant(node, "auth/token/create")
    parent = create(node, policies=["maker"])
    children = [create(node, parent["client_token"])["client_token"] for _ in range(300)]
    node.ask("update", "auth/token/revoke", {"token": parent["client_token"]})

    assert not any(opens(node, child) for child in children)
    node.pass_time(5)
    keys = decoded(node.ask("list", "auth/token/accessors/"))["data"]["keys"]
    assert len(keys) == 1


def test_who_names_no_token_looks_up_the_own(node: SingleNode) -> None:
    """By either method."""
    for operation in READS:
        data = decoded(node.ask(operation, "auth/token/lookup"))["data"]

        assert data["id"] == node.root_token


@pytest.mark.parametrize("increment", [True, [], "1h1h1"])
def test_an_increment_is_a_duration(node: SingleNode, increment: object) -> None:
    """Nothing else is."""
    token = create(node, policies=["default"])["client_token"]
    response = node.ask("update", "auth/token/renew-self", {"increment": increment}, token)

    assert (response.status, errors(response)) == (400, ["increment must be a duration"])


def test_a_negative_increment_asks_for_nothing(node: SingleNode) -> None:
    """The token is renewed for as long as before."""
    token = create(node, policies=["default"], ttl=60)["client_token"]
    response = node.ask("update", "auth/token/renew-self", {"increment": -5}, token)

    assert decoded(response)["auth"]["lease_duration"] == 60


def test_too_many_children_are_not_made_orphans(
    node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token stays, too."""
    monkeypatch.setattr(token_paths, "ORPHANED_AT_ONCE_MAX", 1)
    parent = create(node)["client_token"]
    children = [create(node, parent)["client_token"] for _ in range(2)]
    response = node.ask("update", "auth/token/revoke-orphan", {"token": parent})

    assert (response.status, errors(response)) == (
        400,
        ["the token has more than 1 children; revoke some first"],
    )
    assert all(opens(node, token) for token in (parent, *children))


def test_revoking_what_is_not_there_is_no_error(node: SingleNode) -> None:
    """By accessor there is a warning, as whoever asks may have mistaken something else for one."""
    unknown = node.ask("update", "auth/token/revoke-accessor", {"accessor": "nonsense"})

    assert (unknown.status, decoded(unknown)["warnings"]) == (
        200,
        ["No token found with this accessor"],
    )
    assert node.ask("update", "auth/token/revoke", {"token": "nonsense"}).status == 204


def test_a_read_names_its_token_in_the_query_string(node: SingleNode) -> None:
    """To answer with the caller's own token instead would mislead."""
    token = create(node, policies=["default"])["client_token"]

    found = node.ask("read", "auth/token/lookup", parameters={"token": token})
    unknown = node.ask("read", "auth/token/lookup", parameters={"token": "nonsense"})

    assert decoded(found)["data"]["id"] == token
    assert (unknown.status, errors(unknown)) == (403, ["bad token"])


def test_metadata_may_be_numbers(node: SingleNode) -> None:
    """They become text."""
    assert create(node, meta={"a": 5, "b": True})["metadata"] == {"a": "5", "b": "true"}


def test_accessors_come_in_pages(node: SingleNode) -> None:
    for _ in range(4):
        create(node, policies=["default"])
    everything = decoded(node.ask("list", "auth/token/accessors/"))["data"]["keys"]
    path = "auth/token/accessors/"
    first = decoded(node.ask("list", path, parameters={"limit": "3"}))["data"]["keys"]
    behind = {"limit": "3", "after": first[-1]}
    second = decoded(node.ask("list", path, parameters=behind))["data"]["keys"]

    assert (3, 2) == (len(first), len(second))
    assert everything == sorted(first + second)
    assert node.ask("list", path, parameters={"after": "x" * 300}).status == 400


def test_a_token_that_is_handed_out_is_not_shown() -> None:
    """What is printed by mistake reaches logs."""
    auth = Auth("hvs.marker", "accessor", ("a",), None, 5, renewable=True, orphan=True, num_uses=0)

    assert repr(auth) == "Auth(policies=('a',))"
