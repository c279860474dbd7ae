"""Every command that asks a server prints one document with `-format=json`, or nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from server.cli import root
from tests.server.conftest import Holdfast
from tests.server.processes import ServerProcess, configure, free_port

NOBODY = "http://127.0.0.1:1"
GONE = "Connection refused"
LOCAL = ("server", "version", "sim", "bench")


class Case(NamedTuple):
    """One command line, and what comes of it.

    Attributes:
        command: its words.
        arguments: what stands behind them; `{name}` is what an earlier document said.
        code: its exit code.
        kind: of the one document that it prints; None if it prints nothing.
        keep: what later ones need of the document: a name for it, and the path there.
    """

    command: str
    arguments: tuple[str, ...] = ()
    code: int = 0
    kind: type | None = None
    keep: tuple[tuple[str, tuple[str | int, ...]], ...] = ()


SHARE = ("unseal_keys_b64", 0)
ONE_SHARE = ("-key-shares=1", "-key-threshold=1")

CASES = (
    Case("status", code=2, kind=dict),
    Case("operator init", ("-status",), 2, dict),
    Case("operator init", ONE_SHARE, 0, dict, (("share", SHARE), ("root", ("root_token",)))),
    Case("operator init", ("-status",), 0, dict),
    Case("operator unseal", ("{share}",), 0, dict),
    Case("status", kind=dict),
    Case("login", ("{root}",), 0, dict),
    Case("secrets enable", ("-path=secret", "-version=2", "kv")),
    Case("secrets enable", ("-path=secret", "kv"), 2),
    Case("secrets tune", ("-description=a", "secret")),
    Case("secrets list", kind=dict),
    Case("secrets list", ("-detailed",), 0, dict),
    Case("kv put", ("secret/a", "b=c"), 0, dict),
    Case("kv put", ("secret/a", "@{directory}/numbers.json"), 0, dict),
    Case("kv put", ("-cas=0", "secret/a", "b=c"), 2),
    Case("kv get", ("secret/a",), 0, dict, (("numbers", ("data", "data")),)),
    Case("kv get", ("-field=n", "secret/a"), 0, list),
    Case("kv get", ("-field=none", "secret/a"), 1),
    Case("kv get", ("secret/none",), 2),
    Case("kv patch", ("secret/a", "d=e"), 0, dict),
    Case("kv list", ("secret",), 0, list),
    Case("kv list", ("secret/none",), 2, dict),
    Case("kv delete", ("secret/a",)),
    Case("kv get", ("secret/a",), 0, dict),
    Case("kv undelete", ("-versions=3", "secret/a")),
    Case("kv destroy", ("-versions=1", "secret/a")),
    Case("kv metadata put", ("-max-versions=5", "secret/a")),
    Case("kv metadata get", ("secret/a",), 0, dict),
    Case("kv metadata delete", ("secret/a",)),
    Case("write", ("secret/data/b", "@{directory}/data.json"), 0, dict),
    Case("read", ("secret/data/b",), 0, dict),
    Case("read", ("secret/data/none",), 2),
    Case("list", ("secret/metadata",), 0, list),
    Case("delete", ("secret/data/b",)),
    Case("policy write", ("ops", "{directory}/ops.hcl")),
    Case("policy write", ("ops", "{directory}/none.hcl"), 1),
    Case("policy read", ("ops",), 0, dict),
    Case("policy read", ("none",), 2),
    Case("policy list", kind=list),
    Case("policy delete", ("ops",)),
    Case("token create", ("-policy=default",), 0, dict, (("token", ("auth", "client_token")),)),
    Case("token lookup", kind=dict),
    Case("token lookup", ("{token}",), 0, dict),
    Case("token renew", ("{token}",), 0, dict),
    Case("token revoke", ("{token}",)),
    Case("token lookup", ("{token}",), 2),
    Case("audit enable", ("file", "file_path={directory}/audit.log")),
    Case("audit list", kind=dict),
    Case("audit disable", ("file",)),
    Case("operator key-status", kind=dict),
    Case("operator rotate", kind=dict),
    Case("operator raft list-peers", kind=dict),
    Case("operator raft join", (NOBODY,), 2),
    Case("operator raft remove-peer", ("nobody",), 2),
    Case("operator step-down"),
    Case("secrets disable", ("secret",)),
    Case("operator seal"),
    Case("status", code=2, kind=dict),
)


def asking(group: click.Group = root, above: str = "") -> Iterator[str]:
    """Yield every command that asks a server, by its words."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if not above and name in LOCAL:
                continue
            if isinstance(command, click.Group):
                yield from asking(command, f"{above}{name} ")
            else:
                yield f"{above}{name}"


def test_the_table_has_all_commands() -> None:
    assert sorted({case.command for case in CASES}) == sorted(asking())


def arguments_of(command: str) -> tuple[str, ...]:
    """Return some that a command can do with."""
    return next(case.arguments for case in CASES if case.command == command)


def documents(text: str) -> list[Any]:
    """Return the JSON documents that a text consists of."""
    found = []
    while text := text.strip():
        document, end = json.JSONDecoder().raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


@pytest.mark.slow
def test_each_prints_one_document_or_nothing(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And what went wrong on standard error."""
    numbers = '{"n": [1.10, 1e400, 12345678901234567890123]}'
    (tmp_path / "numbers.json").write_text(numbers)
    (tmp_path / "data.json").write_text('{"data": {"a": 1}}')
    (tmp_path / "ops.hcl").write_text('path "a" { capabilities = ["read"] }')
    port = free_port()
    file = configure(tmp_path, port)
    server = ServerProcess(port, f"-config={file}", log=tmp_path / "log")
    monkeypatch.setenv("VAULT_ADDR", server.url)
    # The first write after an election may have to wait for it.
    monkeypatch.setenv("VAULT_MAX_RETRIES", "3")
    monkeypatch.delenv("VAULT_TOKEN")
    known = {"directory": str(tmp_path)}
    try:
        for case in CASES:
            arguments = [argument.format(**known) for argument in case.arguments]
            outcome = holdfast(*case.command.split(), "-format=json", *arguments)
            printed = documents(outcome.out)

            assert (case, case.code) == (case, outcome.code), outcome.err
            assert (case, [case.kind] if case.kind else []) == (case, list(map(type, printed)))
            complaint = outcome.err if not outcome.err.startswith("WARNING! ") else ""
            if case.code == 0:
                assert (case, "") == (case, complaint)
            elif case.kind is None:
                assert (case, "") != (case, complaint)
            for name, path in case.keep:
                value = printed[0]
                for part in path:
                    value = value[part]
                known[name] = value if isinstance(value, str) else outcome.out
    finally:
        server.kill()

    assert "1.10,\n" in known["numbers"]
    assert "1e400,\n" in known["numbers"]


@pytest.mark.parametrize("command", sorted(asking()))
def test_none_prints_a_document_if_nobody_answers(
    command: str, holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The exit code is 2, but for `status`, where that means sealed."""
    (tmp_path / "ops.hcl").write_text("")
    (tmp_path / "data.json").write_text("{}")
    monkeypatch.setenv("VAULT_ADDR", NOBODY)
    known = {"directory": str(tmp_path), "share": "a", "root": "b", "token": "c"}
    arguments = [argument.format(**known) for argument in arguments_of(command)]
    outcome = holdfast(*command.split(), "-format=json", *arguments)

    assert (1 if command == "status" else 2, "") == (outcome.code, outcome.out)
    assert GONE in outcome.err
    assert "Errno" not in outcome.err


@pytest.mark.parametrize("command", sorted(asking()))
def test_another_format_is_refused(
    command: str, holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked, by flag as by variable."""
    monkeypatch.setenv("VAULT_ADDR", NOBODY)
    by_flag = holdfast(*command.split(), "-format=yaml")
    monkeypatch.setenv("VAULT_FORMAT", "yaml")
    by_variable = holdfast(*command.split(), *arguments_of(command))

    told = "Invalid value for -format: 'yaml' is not one of 'table', 'json'."
    assert (1, "", f"{told}\nSee: holdfast {command} -h\n") == by_flag
    assert (1, "", "VAULT_FORMAT must be table or json, not 'yaml'\n") == by_variable


@pytest.mark.parametrize("command", sorted(asking()))
def test_a_flag_that_is_unknown_is_a_mistake(command: str, holdfast: Holdfast) -> None:
    told = f"No such option '-unheard-of'.\nSee: holdfast {command} -h\n"

    assert (1, "", told) == holdfast(*command.split(), "-format=json", "-unheard-of")
