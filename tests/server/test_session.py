"""A session finds its token and its format, and prints in the shape that was asked for."""

from pathlib import Path

import pytest

from server.session import EXIT_LOCAL, EXIT_REMOTE, Failure, Session
from server.token_file import write_token
from tests.server.conftest import Holdfast
from tests.server.wire import Wire


def test_the_environments_token_wins(holdfast: Holdfast, wire: Wire) -> None:
    write_token("hvs.stored")

    holdfast("read", "a")

    assert "hvs.mine" == wire.asked[0].headers["X-Vault-Token"]


def test_the_stored_token_serves_otherwise(
    holdfast: Holdfast, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    write_token("hvs.stored")

    holdfast("read", "a")

    assert "hvs.stored" == wire.asked[0].headers["X-Vault-Token"]


def test_there_may_be_no_token(
    holdfast: Holdfast, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")

    holdfast("read", "a")

    assert "X-Vault-Token" not in wire.asked[0].headers


def test_a_stored_token_that_cannot_be_read_is_a_local_fault(
    holdfast: Holdfast, wire: Wire, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    (home / ".vault-token").mkdir()

    outcome = holdfast("read", "a")

    reason = f"{home / '.vault-token'} cannot be read: Is a directory\n"
    assert (EXIT_LOCAL, "", reason) == outcome
    assert [] == wire.asked


def test_acting_as_another_closes_the_connection(home: Path, wire: Wire) -> None:
    assert home.is_dir()
    with Session({"address": wire.address}, {}) as session:
        session.connect("one").find("GET", "a")
        session.connect("two").find("GET", "a")

    assert ["one", "two"] == [asked.headers["X-Vault-Token"] for asked in wire.asked]


def test_the_format_comes_from_flag_then_environment() -> None:
    assert "table" == Session({}, {"VAULT_FORMAT": ""}).format
    assert "json" == Session({}, {"VAULT_FORMAT": "json"}).format
    assert "table" == Session({"format": "table"}, {"VAULT_FORMAT": "json"}).format


def test_an_unknown_format_ends_a_command_before_it_asks(
    holdfast: Holdfast, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_FORMAT", "yaml")

    outcome = holdfast("delete", "a")

    assert (1, "", "VAULT_FORMAT must be table or json, not 'yaml'\n") == outcome
    assert [] == wire.asked


def test_settings_that_cannot_be_used_are_a_local_fault(holdfast: Holdfast) -> None:
    outcome = holdfast("read", "a", "-address=nonsense")

    message = "'nonsense' is not an address such as https://127.0.0.1:8200\n"
    assert (EXIT_LOCAL, "", message) == outcome


def test_a_refusal_is_a_remote_fault(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET a", {"errors": ["permission denied"]}, status=403)

    outcome = holdfast("read", "a", "-format=json")

    assert (EXIT_REMOTE, "") == outcome[:2]
    assert (
        "Error making API request.\n\n"
        f"URL: GET {wire.address}/v1/a\n"
        "Code: 403. Errors:\n\n"
        "* permission denied\n"
    ) == outcome.err


def test_another_exception_passes_through() -> None:
    with pytest.raises(KeyError), Session({}, {}):
        raise KeyError


@pytest.mark.parametrize("flags", [{}, {"non_interactive": True}])
def test_nobody_is_asked_without_a_terminal(holdfast: Holdfast, flags: dict[str, bool]) -> None:
    arguments = [f"-{name.replace('_', '-')}" for name in flags]

    outcome = holdfast("login", *arguments)

    assert (1, "") == outcome[:2]
    assert outcome.err.startswith("there is no terminal to ask for the Token")


def test_a_field_is_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Session({}, {}).show_field({"a": ["x", 1]}, "a")

    assert "[x 1]" == capsys.readouterr().out


def test_a_field_may_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    Session({"format": "json"}, {}).show_field({"a": "x"}, "a")

    assert '"x"\n' == capsys.readouterr().out


def test_a_field_that_is_missing_is_a_local_fault() -> None:
    with pytest.raises(Failure, match="Field 'b' not present") as caught:
        Session({}, {}).show_field({"a": 1}, "b")

    assert EXIT_LOCAL == caught.value.exit_code


def test_the_answer_to_a_write_may_be_empty(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT a")

    assert (0, "Success! Data written to: a\n", "") == holdfast("write", "a", "k=v")
    assert (0, "", "") == holdfast("write", "a", "k=v", "-format=json")
    assert (1, "", "Field 'x' not present: the answer is empty\n") == holdfast(
        "write", "a", "k=v", "-field=x"
    )


def test_warnings_go_to_standard_error(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET a", {"data": {"k": "v"}, "warnings": ["careful", "now"]})

    outcome = holdfast("read", "a", "-field=k")

    assert (0, "v", "WARNING! careful\nWARNING! now\n") == outcome
