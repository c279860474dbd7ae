"""The commands that work on any path: read, write, list, delete."""

import click

from server.arguments import build, build_strings
from server.flags import Command, flag, option
from server.json_text import encode_indented
from server.output import keys_table
from server.session import Session, require, with_session


@click.command("read", cls=Command)
@click.argument("path")
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@option("field", "Print only this field.")
@with_session
def read(session: Session, /, *, path: str, parameters: tuple[str, ...], field: str | None) -> None:
    """Read what is at a path."""
    answer = session.client.find("GET", path, parameters=build_strings(parameters))
    if answer is None or not any(answer.body.get(part) for part in ("data", "auth")):
        raise session.nothing_at(path, answer and answer.body)
    session.show_answer(answer.body, field)


@click.command("write", cls=Command)
@click.argument("path")
@click.argument("data", nargs=-1, metavar="[KEY=VALUE | @FILE | -]...")
@flag("force", "Write without data.", alias="f")
@option("field", "Print only this field of the answer.")
@with_session
def write(
    session: Session, /, *, path: str, data: tuple[str, ...], force: bool, field: str | None
) -> None:
    """Write data to a path."""
    require(data or force, "Must supply data or use -force")
    answer = session.client.request("PUT", path, build(data))
    session.show_result(answer, f"Success! Data written to: {path}", field)


@click.command("list", cls=Command)
@click.argument("path")
@with_session
def list_(session: Session, /, *, path: str) -> None:
    """List the keys below a path."""
    show_keys(session, path)


@click.command("delete", cls=Command)
@click.argument("path")
@click.argument("parameters", nargs=-1, metavar="[KEY=VALUE]...")
@with_session
def delete(session: Session, /, *, path: str, parameters: tuple[str, ...]) -> None:
    """Delete what is at a path."""
    answer = session.client.request("DELETE", path, parameters=build_strings(parameters))
    session.show_result(answer, f"Success! Data deleted (if it existed) at: {path}")


def show_keys(session: Session, /, path: str) -> None:
    """List `path` and print its keys; an empty list is a failure, as in Vault."""
    answer = session.client.find("LIST", path)
    keys = (answer.data or {}).get("keys") if answer else None
    if not answer or not keys:
        if session.format == "json":
            click.echo(encode_indented({}))
        raise session.nothing_at(path, answer and answer.body)
    session.show(keys, lambda: keys_table(keys))
    session.show_warnings(answer.body)
