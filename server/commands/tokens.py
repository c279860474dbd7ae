"""`token`: create, look up, renew and revoke tokens."""

import click

from server.arguments import build_strings
from server.flags import Group, flag, option
from server.session import Session, require, with_session


@click.group("token", cls=Group)
def tokens() -> None:
    """Create, look up, renew and revoke tokens."""


@tokens.command("create")
@option("id", "Value of the token; needs sudo.", into="chosen_id")
@option("display-name", "Name for audit logs.")
@option("ttl", "Time to live.")
@option("explicit-max-ttl", "Age that no renewal exceeds.")
@option("period", "Make a periodic token, renewed by this much; needs sudo.")
@option("policy", "Name of a policy; repeatable.", many=True)
@option("metadata", "Metadata for audit logs, KEY=VALUE; repeatable.", many=True)
@option("use-limit", "Number of uses; 0 is no limit.", kind=int)
@flag("orphan", "Make a token without a parent.")
@flag("no-default-policy", "Leave the default policy out.")
@flag("renewable", "Let the token be renewed.", default=True)
@option("field", "Print only this field, such as token.")
@with_session
def create(
    session: Session,
    /,
    *,
    chosen_id: str | None,
    display_name: str | None,
    ttl: str | None,
    explicit_max_ttl: str | None,
    period: str | None,
    policy: tuple[str, ...],
    metadata: tuple[str, ...],
    use_limit: int | None,
    orphan: bool,
    no_default_policy: bool,
    renewable: bool,
    field: str | None,
) -> None:
    """Create a token below your own."""
    wire: dict[str, object] = {
        "id": chosen_id,
        "display_name": display_name,
        "ttl": ttl,
        "explicit_max_ttl": explicit_max_ttl,
        "period": period,
        "policies": list(policy) or None,
        "meta": build_strings(metadata) or None,
        "num_uses": use_limit,
        "no_default_policy": no_default_policy or None,
        "renewable": renewable,
    }
    body = {name: value for name, value in wire.items() if value is not None}
    path = "auth/token/create-orphan" if orphan else "auth/token/create"
    session.show_answer(session.client.request("POST", path, body).body, field)


@tokens.command("lookup")
@click.argument("token", required=False, metavar="[TOKEN | ACCESSOR]")
@flag("accessor", "The argument is an accessor.")
@option("field", "Print only this field.")
@with_session
def lookup(session: Session, /, *, token: str | None, accessor: bool, field: str | None) -> None:
    """Show what is known of a token, or of your own."""
    require(token or not accessor, "-accessor needs the accessor as an argument")
    if accessor:
        answer = session.client.request("POST", "auth/token/lookup-accessor", {"accessor": token})
    elif token:
        answer = session.client.request("POST", "auth/token/lookup", {"token": token})
    else:
        answer = session.client.request("GET", "auth/token/lookup-self")
    session.show_answer(answer.body, field)


@tokens.command("renew")
@click.argument("token", required=False, metavar="[TOKEN | ACCESSOR]")
@flag("accessor", "The argument is an accessor.")
@option("increment", "Time to live to ask for.")
@option("field", "Print only this field.")
@with_session
def renew(
    session: Session,
    /,
    *,
    token: str | None,
    accessor: bool,
    increment: str | None,
    field: str | None,
) -> None:
    """Renew a token, or your own."""
    require(token or not accessor, "-accessor needs the accessor as an argument")
    body: dict[str, str | None] = {} if increment is None else {"increment": increment}
    if accessor:
        path, body["accessor"] = "auth/token/renew-accessor", token
    elif token:
        path, body["token"] = "auth/token/renew", token
    else:
        path = "auth/token/renew-self"
    session.show_answer(session.client.request("PUT", path, body).body, field)


@tokens.command("revoke")
@click.argument("token", required=False, metavar="[TOKEN | ACCESSOR]")
@flag("accessor", "The argument is an accessor.")
@flag("self", "Revoke your own token.", into="own")
@option("mode", "orphan: leave the token's children alive.", kind=click.Choice(("orphan",)))
@with_session
def revoke(
    session: Session, /, *, token: str | None, accessor: bool, own: bool, mode: str | None
) -> None:
    """Revoke a token and its children."""
    require(own != bool(token), "Give either a token or an accessor, or -self")
    require(not (own and (accessor or mode)), "-self goes with neither -accessor nor -mode")
    require(not (accessor and mode), "-mode does not go with -accessor")
    if own:
        path, body = "auth/token/revoke-self", {}
    elif accessor:
        path, body = "auth/token/revoke-accessor", {"accessor": token}
    elif mode:
        path, body = "auth/token/revoke-orphan", {"token": token}
    else:
        path, body = "auth/token/revoke", {"token": token}
    answer = session.client.request("PUT", path, body)
    session.show_result(answer, "Success! Revoked token (if it existed)")
