"""`login` checks a token before it keeps it."""

import json
from pathlib import Path

import pytest

from server.commands.login import NOT_STORED, SHADOWED, STORED
from server.token_file import read_token
from tests.server.conftest import Holdfast
from tests.server.wire import Wire

LOOKED_UP = {
    "request_id": "r",
    "data": {
        "id": "hvs.new",
        "accessor": "acc",
        "policies": ["default", "ops"],
        "identity_policies": ["admin", "ops"],
        "meta": {"team": "a"},
        "orphan": True,
        "entity_id": "e",
        "ttl": 3600,
        "renewable": True,
    },
    "warnings": None,
}
TABLE = """\
Key                  Value
---                  -----
token                hvs.new
token_accessor       acc
token_duration       1h
token_renewable      true
token_policies       ["default" "ops"]
identity_policies    ["admin" "ops"]
policies             ["admin" "default" "ops"]
token_meta_team      a
"""


@pytest.fixture
def login(holdfast: Holdfast, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Holdfast:
    """The program on a machine where nobody has logged in, and a server that knows the token."""
    monkeypatch.delenv("VAULT_TOKEN")
    wire.answer("GET auth/token/lookup-self", LOOKED_UP)
    return holdfast


@pytest.mark.parametrize(
    ("argument", "stdin"), [("hvs.new", b""), ("token=hvs.new", b""), ("-", b"hvs.new\n")]
)
def test_a_token_is_checked_and_kept(
    login: Holdfast, wire: Wire, argument: str, stdin: bytes
) -> None:
    outcome = login("login", "-method=token", argument, stdin=stdin)

    assert (0, f"{STORED}\n{TABLE}", "") == outcome
    assert "hvs.new" == read_token()
    assert "hvs.new" == wire.asked[0].headers["X-Vault-Token"]


def test_a_token_need_not_be_kept(login: Holdfast) -> None:
    assert (0, f"{NOT_STORED}\n{TABLE}", "") == login("login", "-no-store", "hvs.new")
    assert "" == read_token()


def test_a_field_is_all_that_is_printed(login: Holdfast) -> None:
    assert (0, "acc", "") == login("login", "-field=token_accessor", "hvs.new")


def test_json_is_an_envelope(login: Holdfast) -> None:
    code, out, _ = login("login", "-format=json", "hvs.new")

    assert 0 == code
    assert {
        "request_id": "r",
        "data": None,
        "warnings": None,
        "auth": {
            "client_token": "hvs.new",
            "accessor": "acc",
            "policies": ["admin", "default", "ops"],
            "token_policies": ["default", "ops"],
            "identity_policies": ["admin", "ops"],
            "metadata": {"team": "a"},
            "orphan": True,
            "entity_id": "e",
            "lease_duration": 3600,
            "renewable": True,
        },
    } == json.loads(out)


def test_a_variable_that_would_win_is_warned_of(
    login: Holdfast, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "hvs.other")

    outcome = login("login", "hvs.new")

    assert (0, f"WARNING! {SHADOWED}\n") == (outcome.code, outcome.err)
    assert "hvs.new" == wire.asked[0].headers["X-Vault-Token"]


def test_a_bad_token_is_not_kept(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET auth/token/lookup-self", {"errors": ["permission denied"]}, status=403)

    assert 2 == holdfast("login", "hvs.bad").code
    assert "" == read_token()


@pytest.mark.parametrize("argument", ["", "token=", "-"])
def test_an_empty_token_is_refused(login: Holdfast, wire: Wire, argument: str) -> None:
    assert (1, "", "The token is empty\nSee: holdfast login -h\n") == login("login", argument)
    assert [] == wire.asked


def test_a_token_that_cannot_be_kept_is_a_local_fault(login: Holdfast, home: Path) -> None:
    (home / ".vault-token").mkdir()

    outcome = login("login", "hvs.new")

    reason = f"{home / '.vault-token'} cannot be written: Is a directory\n"
    assert (1, "", reason) == outcome


def test_another_method_is_refused(login: Holdfast, wire: Wire) -> None:
    outcome = login("login", "-method=userpass", "x")

    assert (1, "") == outcome[:2]
    assert "'userpass' is not 'token'." in outcome.err
    assert [] == wire.asked
