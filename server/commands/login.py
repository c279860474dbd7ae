"""`login`: check a token and keep it for later commands."""

import click

from server.arguments import build_strings
from server.flags import Command, flag, option
from server.reason import reason_of
from server.session import Failure, Session, require, with_session
from server.token_file import token_path, write_token

STORED = """\
Success! You are logged in. The token below is kept in ~/.vault-token and serves
every later command of this user; there is no need to log in again.
"""
NOT_STORED = """\
Success! The token below is valid. It was not stored: set VAULT_TOKEN to use it.
"""
SHADOWED = (
    "VAULT_TOKEN is set and takes precedence over the stored token: "
    "unset it, or set it to the token below."
)


@click.command("login", cls=Command)
@click.argument("token", required=False, metavar="[TOKEN | - | token=TOKEN]")
@option("method", "Way to log in.", kind=click.Choice(("token",)), default="token")
@option("field", "Print only this field, such as token.")
@flag("no-store", "Do not keep the token in ~/.vault-token.")
@with_session
def login(
    session: Session, /, *, token: str | None, method: str, field: str | None, no_store: bool
) -> None:
    """Check a token and keep it in ~/.vault-token. Without an argument, ask for it."""
    if token is not None and token.startswith(f"{method}="):
        token = build_strings((token,))[method]
    secret = session.secret(token, "Token")
    require(secret, "The token is empty")
    client = session.connect(secret)
    looked_up = client.request("GET", "auth/token/lookup-self")
    if not no_store:
        try:
            write_token(secret)
        except OSError as error:
            raise Failure(f"{token_path()} cannot be written: {reason_of(error)}") from error
        if session.environ.get("VAULT_TOKEN"):
            session.warn(SHADOWED)
    data = looked_up.data or {}
    policies, identity_policies = data.get("policies"), data.get("identity_policies")
    auth = {
        "client_token": secret,
        "accessor": data.get("accessor"),
        "policies": sorted({*(policies or ()), *(identity_policies or ())}),
        "token_policies": policies,
        "identity_policies": identity_policies,
        "metadata": data.get("meta"),
        "orphan": data.get("orphan"),
        "entity_id": data.get("entity_id"),
        "lease_duration": data.get("ttl"),
        "renewable": data.get("renewable", False),
    }
    if field is None:
        session.say(NOT_STORED if no_store else STORED)
    session.show_answer({**looked_up.body, "data": None, "auth": auth}, field)
