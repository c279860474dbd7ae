"""`operator raft`: the members of a cluster."""

from typing import Any, Final

import click

from server.arguments import read_file
from server.flags import Group, flag, option
from server.output import pairs_table, render_value, table
from server.session import Session, with_session

JOIN_RETRIES_MAX: Final = 200
"""How often `-retry` asks again: for five minutes at the pauses that the client makes."""


@click.group("raft", cls=Group)
def raft() -> None:
    """Show, add and remove the members of a cluster."""


@raft.command("list-peers")
@with_session
def list_peers(session: Session) -> None:
    """List the members, and which of them leads."""
    answer = session.client.request("GET", "sys/storage/raft/configuration")
    session.show(answer.body, lambda: _peers_table((answer.data or {}).get("config") or {}))


def _peers_table(config: dict[str, Any]) -> str:
    header = ("Node", "Address", "State", "Voter")
    return table(
        header,
        (
            (
                render_value(server.get("node_id")),
                render_value(server.get("address")),
                "leader" if server.get("leader") else "follower",
                render_value(bool(server.get("voter"))),
            )
            for server in config.get("servers") or ()
        ),
    )


@raft.command("join")
@click.argument("leader_api_addr", metavar="LEADER_ADDRESS")
@option("leader-ca-cert", "Certificates to trust for the leader: PEM text or @FILE.")
@option("leader-client-cert", "Certificate to show to the leader: PEM text or @FILE.")
@option("leader-client-key", "Its private key: PEM text or @FILE.")
@flag("retry", "Go on trying for five minutes.")
@with_session
def join(
    session: Session,
    /,
    *,
    leader_api_addr: str,
    retry: bool,
    leader_ca_cert: str | None,
    leader_client_cert: str | None,
    leader_client_key: str | None,
) -> None:
    """Let the node join the cluster that answers at an address, such as https://10.0.0.1:8200."""
    body: dict[str, object] = {"leader_api_addr": leader_api_addr, "retry": retry}
    pem = {
        "leader_ca_cert": leader_ca_cert,
        "leader_client_cert": leader_client_cert,
        "leader_client_key": leader_client_key,
    }
    for name, value in pem.items():
        if value is not None:
            body[name] = read_file(value[1:]) if value.startswith("@") else value
    answer = session.client.request(
        "POST", "sys/storage/raft/join", body, retries_max=JOIN_RETRIES_MAX if retry else None
    ).body
    session.show(answer, lambda: pairs_table([("Joined", answer.get("joined"))]))


@raft.command("remove-peer")
@click.argument("server_id")
@with_session
def remove_peer(session: Session, /, *, server_id: str) -> None:
    """Remove a member."""
    body = {"server_id": server_id}
    answer = session.client.request("POST", "sys/storage/raft/remove-peer", body)
    session.show_result(answer, "Peer removed successfully!")
