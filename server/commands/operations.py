"""`operator`: initialise, unseal, seal and run a cluster."""

from typing import Any

import click

from server.commands.raft import raft
from server.commands.status import show_seal_status
from server.flags import Group, flag, option
from server.output import plain_pairs
from server.session import Session, require, with_session

EXIT_NOT_INITIALIZED = 2

INITIALIZED = """\

The cluster is initialized with {shares} unseal keys, any {threshold} of which open it. They are
shown only now, and nobody can recover them: hand each to another person. Every
node starts sealed, and needs {threshold} of them: holdfast operator unseal\
"""

JOINING = """
These keys are all that is needed. The node now proves to its cluster that it has them, and
unseals once it has been let in: holdfast status\
"""


@click.group("operator", cls=Group)
def operator() -> None:
    """Initialise, unseal, seal and run a cluster."""


operator.add_command(raft)


@operator.command("init")
@option("key-shares", "Number of unseal keys.", kind=click.IntRange(1, 255), default=5)
@option("key-threshold", "Number of them that unseal.", kind=click.IntRange(1, 255), default=3)
@flag("status", "Only tell: exit with 0 if initialized, 2 if not.")
@with_session
def init(session: Session, /, *, key_shares: int, key_threshold: int, status: bool) -> None:
    """Initialise a new cluster and print its unseal keys and root token."""
    if status:
        _show_initialized(session)
        return
    body = {"secret_shares": key_shares, "secret_threshold": key_threshold}
    answer = session.client.request("PUT", "sys/init", body).body
    document = {
        "unseal_keys_b64": answer.get("keys_base64") or [],
        "unseal_keys_hex": answer.get("keys") or [],
        "unseal_shares": key_shares,
        "unseal_threshold": key_threshold,
        "recovery_keys_b64": answer.get("recovery_keys_base64") or [],
        "recovery_keys_hex": answer.get("recovery_keys") or [],
        "recovery_keys_shares": 0,
        "recovery_keys_threshold": 0,
        "root_token": answer.get("root_token"),
    }
    session.show(document, lambda: _init_text(document))


def _init_text(document: dict[str, Any]) -> str:
    keys = document["unseal_keys_b64"]
    lines = [f"Unseal Key {number}: {key}" for number, key in enumerate(keys, start=1)]
    counts = {"shares": document["unseal_shares"], "threshold": document["unseal_threshold"]}
    lines += ["", f"Initial Root Token: {document['root_token']}", INITIALIZED.format(**counts)]
    return "\n".join(lines)


def _show_initialized(session: Session) -> None:
    initialized = bool(session.client.request("GET", "sys/init").body.get("initialized"))
    negation = "" if initialized else "not "
    session.show({"Initialized": initialized}, lambda: f"The cluster is {negation}initialized")
    if not initialized:
        raise click.exceptions.Exit(EXIT_NOT_INITIALIZED)


@operator.command("unseal")
@click.argument("key", required=False, metavar="[KEY | -]")
@flag("reset", "Forget the keys that were given so far.")
@with_session
def unseal(session: Session, /, *, key: str | None, reset: bool) -> None:
    """Give a node one unseal key. Without an argument, ask for it."""
    require(not (reset and key), "-reset takes no key")
    body = {"reset": True} if reset else {"key": session.secret(key, "Unseal Key")}
    status = show_seal_status(session, session.client.request("PUT", "sys/unseal", body).body)
    if not reset and _is_joining(status):
        session.say(JOINING)


def _is_joining(status: dict[str, Any]) -> bool:
    """Tell whether a node that has nothing to open yet has taken the last key it needs."""
    return bool(status.get("sealed")) and not (status.get("initialized") or status.get("progress"))


@operator.command("seal")
@with_session
def seal(session: Session) -> None:
    """Seal the node."""
    answer = session.client.request("PUT", "sys/seal")
    session.show_result(answer, "Success! The node is sealed.")


@operator.command("step-down")
@with_session
def step_down(session: Session) -> None:
    """Make the leader hand its office to another node."""
    answer = session.client.request("PUT", "sys/step-down")
    session.show_result(answer, f"Success! Stepped down: {session.client.settings.address}")


@operator.command("key-status")
@with_session
def key_status(session: Session) -> None:
    """Show which encryption key is in use."""
    _show_key_status(session, "")


@operator.command("rotate")
@with_session
def rotate(session: Session) -> None:
    """Encrypt all that is written from now on with a new key."""
    session.client.request("POST", "sys/rotate")
    _show_key_status(session, "Success! Rotated key\n\n")


def _show_key_status(session: Session, /, introduction: str) -> None:
    body = session.client.request("GET", "sys/key-status").body
    data = body.get("data") or body
    pairs = [
        ("Key Term", data.get("term")),
        ("Install Time", data.get("install_time")),
        ("Encryption Count", data.get("encryptions")),
    ]
    session.show(body, lambda: introduction + plain_pairs(pairs))
