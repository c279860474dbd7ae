"""`status`: whether a node is sealed, and its place in the cluster. Probes run this."""

from typing import Any

import click

from server.client import ApiError, ClientError
from server.flags import Command
from server.output import NOT_AVAILABLE, pairs_table
from server.session import EXIT_LOCAL, Failure, Session, with_session

EXIT_SEALED = 2

SEAL_ROWS = (
    ("version", "Version"),
    ("build_date", "Build Date"),
    ("storage_type", "Storage Type"),
    ("cluster_name", "Cluster Name"),
    ("cluster_id", "Cluster ID"),
    ("removed_from_cluster", "Removed From Cluster"),
)
"""Rows below the counts of shares, shown if the node gives them."""

INDEX_ROWS = (
    ("raft_committed_index", "Raft Committed Index"),
    ("raft_applied_index", "Raft Applied Index"),
    ("last_wal", "Last WAL"),
)


@click.command("status", cls=Command)
@with_session
def status(session: Session) -> None:
    """Print whether the server is sealed. Exit with 0 if it is not, 2 if it is, 1 on error."""
    try:
        # A probe wants the state now: what it would wait for is what it is asking about.
        seal = session.client.request("GET", "sys/seal-status", retries_max=0).body
        document = show_seal_status(session, seal)
    except ClientError as error:
        raise Failure(f"Error checking seal status: {error}", EXIT_LOCAL) from error
    if document["sealed"]:
        raise click.exceptions.Exit(EXIT_SEALED)


def show_seal_status(session: Session, /, seal: dict[str, Any]) -> dict[str, Any]:
    """Print a seal status together with the node's place in the cluster; return both merged."""
    leader = None if seal.get("sealed") else _leader(session)
    document = {**seal, **(leader or {"ha_enabled": seal.get("storage_type") != "inmem"})}
    session.show(document, lambda: pairs_table(_seal_pairs(seal) + _leader_pairs(document, leader)))
    session.show_warnings(seal)
    return document


def _leader(session: Session) -> dict[str, Any] | None:
    """Return what the node knows of the leader; it refuses while there is none."""
    try:
        return session.client.request("GET", "sys/leader", retries_max=0).body
    except ApiError:
        return None


def _seal_pairs(seal: dict[str, Any]) -> list[tuple[str, object]]:
    shares = "Recovery Shares" if seal.get("recovery_seal") else "Shares"
    pairs: list[tuple[str, object]] = [
        ("Seal Type", seal.get("type")),
        ("Initialized", seal.get("initialized")),
        ("Sealed", seal.get("sealed")),
        (f"Total {shares}", seal.get("n")),
        ("Threshold", seal.get("t")),
    ]
    if seal.get("sealed"):
        pairs.append(("Unseal Progress", f"{seal.get('progress', 0)}/{seal.get('t', 0)}"))
        pairs.append(("Unseal Nonce", seal.get("nonce") or NOT_AVAILABLE))
    return pairs + [(label, seal[name]) for name, label in SEAL_ROWS if seal.get(name)]


def _leader_pairs(
    document: dict[str, Any], leader: dict[str, Any] | None
) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = [("HA Enabled", document.get("ha_enabled"))]
    if document.get("sealed") or not document.get("ha_enabled"):
        return pairs
    known = leader or {}
    pairs.append(("HA Cluster", known.get("leader_cluster_address") or NOT_AVAILABLE))
    if known.get("is_self"):
        pairs.append(("HA Mode", "active"))
        pairs.append(("Active Since", known.get("active_time") or NOT_AVAILABLE))
    else:
        pairs.append(("HA Mode", "standby"))
        pairs.append(("Active Node Address", known.get("leader_address") or "<none>"))
    return pairs + [(label, known[name]) for name, label in INDEX_ROWS if known.get(name)]
