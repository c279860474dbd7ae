"""`policy`: write, read, list and delete ACL policies."""

import click

from server.arguments import read_file, read_stdin
from server.flags import Group
from server.session import Session, with_session


@click.group("policy", cls=Group)
def policy() -> None:
    """Write, read, list and delete policies."""


@policy.command("write")
@click.argument("name")
@click.argument("source", metavar="FILE | -")
@with_session
def write(session: Session, /, *, name: str, source: str) -> None:
    """Write a policy from a file, or from standard input."""
    text = read_stdin() if source == "-" else read_file(source)
    answer = session.client.request("PUT", f"sys/policies/acl/{name}", {"policy": text})
    session.show_result(answer, f"Success! Uploaded policy: {name}")


@policy.command("read")
@click.argument("name")
@with_session
def read(session: Session, /, *, name: str) -> None:
    """Print the text of a policy."""
    answer = session.client.find("GET", f"sys/policies/acl/{name}")
    text = (answer.data or {}).get("policy") if answer else None
    if text is None:
        raise session.nothing_at(f"sys/policies/acl/{name}")
    session.show({"policy": text}, str(text).strip)


@policy.command("list")
@with_session
def list_(session: Session) -> None:
    """Print the names of all policies."""
    names = (session.client.request("LIST", "sys/policies/acl").data or {}).get("keys") or []
    session.show(names, lambda: "\n".join(names))


@policy.command("delete")
@click.argument("name")
@with_session
def delete(session: Session, /, *, name: str) -> None:
    """Delete a policy."""
    answer = session.client.request("DELETE", f"sys/policies/acl/{name}")
    session.show_result(answer, f"Success! Deleted policy: {name}")
