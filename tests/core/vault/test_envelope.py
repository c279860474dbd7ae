"""Answers as JSON text."""

from typing import Any

import msgspec
import pytest

from core.engines.call import RequestError, Result
from core.request import Response
from core.vault.envelope import failure, refuse, succeed
from core.vault.reply import Auth, Reply

EMPTY: dict[str, Any] = {
    "request_id": "id",
    "lease_id": "",
    "renewable": False,
    "lease_duration": 0,
    "data": None,
    "wrap_info": None,
    "warnings": None,
    "auth": None,
    "mount_type": "kv",
}
AUTH = Auth(
    "token", "accessor", ("a", "b"), {"k": "v"}, 60, renewable=True, orphan=False, num_uses=3
)


def decoded(response: Response) -> Any:  # noqa: ANN401 -- any JSON value
    return msgspec.json.decode(response.body)


@pytest.mark.parametrize(
    ("result", "changes"),
    [
        (Result(data={"a": 1}), {"data": {"a": 1}}),
        (Result(data={}), {"data": {}}),
        (Result(data={"a": 1}, lease_duration_s=7), {"data": {"a": 1}, "lease_duration": 7}),
        (Result(warnings=("w",)), {"warnings": ["w"]}),
        (Reply(data={"a": 1}), {"data": {"a": 1}}),
        (Reply(data={"a": 1, "data": 2}, repeated=True), {"data": {"a": 1, "data": 2}, "a": 1}),
        (Reply(data={"auth": 1}, repeated=True), {"data": {"auth": 1}}),
        (Reply(data={}, repeated=True), {"data": {}}),
    ],
)
def test_an_envelope_has_all_its_keys(result: Result, changes: dict[str, Any]) -> None:
    """In Vault's order, and a line of its own."""
    response = succeed(result, "id", "kv")

    assert (response.status, response.body[-2:]) == (200, b"}\n")
    assert decoded(response) == {**EMPTY, **changes}
    assert list(decoded(response))[: len(EMPTY)] == list(EMPTY)


def test_a_token_stands_in_auth() -> None:
    """With all that clients look for."""
    assert decoded(succeed(Reply(auth=AUTH), "id", "token"))["auth"] == {
        "client_token": "token",
        "accessor": "accessor",
        "policies": ["a", "b"],
        "token_policies": ["a", "b"],
        "metadata": {"k": "v"},
        "lease_duration": 60,
        "renewable": True,
        "entity_id": "",
        "token_type": "service",
        "orphan": False,
        "mfa_requirement": None,
        "num_uses": 3,
    }


def test_nothing_to_say_is_no_content() -> None:
    """Unless the status says otherwise; a bare body has no envelope."""
    assert succeed(Result(), "id", "kv") == Response(204)
    assert succeed(Result(status=404), "id", "kv") == Response(404, b'{"errors":[]}\n')
    assert succeed(Reply(data={"a": 1}, bare=True), "id", "kv") == Response(200, b'{"a":1}\n')


def test_a_refusal_has_vaults_shape() -> None:
    """Data and warnings only where there are any."""
    assert decoded(failure(400, "one", "two")) == {"errors": ["one", "two"]}
    assert failure(503, headers={"Retry-After": "1"}).headers == {"Retry-After": "1"}
    refused = refuse(RequestError(404, data={"a": None}, warnings=("w",)))
    assert refused.status == 404
    assert decoded(refused) == {"errors": [], "data": {"a": None}, "warnings": ["w"]}
