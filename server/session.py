"""One invocation of a command: its flags and environment, its client, and what it prints.

Owns the join between the command line and the wire. Command modules ask it for a client and
hand it what came back; it picks the output format and turns failures into messages and exit
codes. Knows nothing of any single command.
"""

import os
import sys
from collections.abc import Callable, Mapping
from functools import update_wrapper
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, Self

import click

from server.arguments import ArgumentError, read_stdin
from server.client import Answer, Client, ClientError
from server.environment import client_settings
from server.json_text import encode_indented
from server.output import envelope_fields, envelope_pairs, pairs_table, render_value
from server.reason import reason_of
from server.token_file import read_token, token_path

EXIT_LOCAL = 1
"""The command line or this machine is at fault."""
EXIT_REMOTE = 2
"""The server refused, was not there, or has nothing there."""

_P = ParamSpec("_P")


class Failure(click.ClickException):
    """Ends a command with a message on standard error."""

    def __init__(self, message: str, exit_code: int = EXIT_LOCAL) -> None:
        super().__init__(message)
        # click keeps the code on the class, as it knows no exception with codes of its own.
        self.exit_code = exit_code  # type: ignore[misc]


class Session:
    """What a command works with."""

    def __init__(self, flags: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """Take the client flags that were given, by parameter name, and the environment."""
        self.flags = flags
        self.environ = environ
        # Known before anything is sent: a command must not change a server and then fail here.
        self.format = _format(flags.get("format") or environ.get("VAULT_FORMAT") or "table")
        self._client: Client | None = None

    def __enter__(self) -> Self:
        """Return this session; leaving closes the connection."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection, and turn a failure into one that click can show."""
        if self._client is not None:
            self._client.close()
        if isinstance(error, ClientError):
            code = EXIT_REMOTE if error.remote else EXIT_LOCAL
            raise Failure(str(error), code) from error
        if isinstance(error, ArgumentError):
            raise Failure(str(error)) from error

    @property
    def client(self) -> Client:
        """The client, acting as the user's own token."""
        return self._client or self.connect(self._own_token())

    def connect(self, token: str) -> Client:
        """Act as `token` from now on, and return the client."""
        if self._client is not None:
            self._client.close()
        self._client = Client(client_settings(self.flags, self.environ, token))
        return self._client

    def _own_token(self) -> str:
        token = self.environ.get("VAULT_TOKEN", "")
        if token:
            return token
        try:
            return read_token()
        except (OSError, ValueError) as error:
            reason = f"{token_path()} cannot be read: {reason_of(error)}"
            raise Failure(reason) from error

    def prompt(self, text: str) -> str:
        """Ask for a secret on the terminal, without echo."""
        if self.flags.get("non_interactive") or not sys.stdin.isatty():
            raise Failure(f"there is no terminal to ask for the {text}; give it, or - to read it")
        answer: str = click.prompt(f"{text} (will be hidden)", hide_input=True, err=True)
        return answer.strip()

    def secret(self, argument: str | None, text: str) -> str:
        """Return a secret argument, from standard input if it is `-`, or ask for it."""
        if argument is None:
            return self.prompt(text)
        return read_stdin().strip() if argument == "-" else argument

    def say(self, text: str) -> None:
        """Print a sentence for people; `-format=json` leaves it out."""
        if self.format == "table":
            click.echo(text)

    def warn(self, text: str) -> None:
        """Print a warning on standard error."""
        click.echo(f"WARNING! {text}", err=True)

    def show(self, document: object, render: Callable[[], str]) -> None:
        """Print `document` as JSON, or the table that `render` makes."""
        click.echo(encode_indented(document) if self.format == "json" else render())

    def show_answer(self, body: Mapping[str, Any], field: str | None = None) -> None:
        """Print an envelope, or one field of it, and its warnings."""
        if field is None:
            self.show(body, lambda: pairs_table(envelope_pairs(body)))
        else:
            self.show_field(envelope_fields(body), field)
        self.show_warnings(body)

    def show_field(self, fields: Mapping[str, object], name: str) -> None:
        """Print one field alone, with a line end only for a terminal."""
        if name not in fields:
            raise Failure(f"Field {name!r} not present in the answer")
        value = fields[name]
        text = encode_indented(value) if self.format == "json" else render_value(value)
        click.echo(text, nl=self.format == "json" or sys.stdout.isatty())

    def show_warnings(self, body: Mapping[str, Any]) -> None:
        """Print the warnings that came with an answer."""
        for warning in body.get("warnings") or ():
            self.warn(str(warning))

    def show_result(self, answer: Answer, success: str, field: str | None = None) -> None:
        """Print the answer to a write: its content, or that it succeeded if there is none."""
        if answer.body:
            self.show_answer(answer.body, field)
        elif field is not None:
            raise Failure(f"Field {field!r} not present: the answer is empty")
        else:
            self.say(success)

    def nothing_at(self, path: str, body: Mapping[str, Any] | None = None) -> Failure:
        """Return the failure that says so."""
        self.show_warnings(body or {})
        return Failure(f"No value found at {path}", EXIT_REMOTE)


def _format(name: str) -> Literal["table", "json"]:
    if name not in ("table", "json"):
        raise Failure(f"VAULT_FORMAT must be table or json, not {name!r}")
    return "json" if name == "json" else "table"


def with_session(
    function: Callable[Concatenate[Session, _P], None],
) -> Callable[_P, None]:
    """Give a command a session as its first argument, and close it afterwards."""

    def command(*args: _P.args, **kwargs: _P.kwargs) -> None:
        with Session(click.get_current_context().obj, os.environ) as session:
            function(session, *args, **kwargs)

    return update_wrapper(command, function)


def require(condition: object, message: str) -> None:
    """End the command with a usage message unless `condition` holds."""
    if not condition:
        raise click.UsageError(message)
