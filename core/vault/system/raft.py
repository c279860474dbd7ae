"""`sys/storage/raft`: the members of the cluster, and how to remove one."""

from typing import Final

from core.engines.call import RequestError
from core.vault import fields
from core.vault.context import Context
from core.vault.reply import RemovePeer, Reply
from core.vault.routes import Route

_PROTOCOL_VERSION: Final = "3"
"""What Vault's clients expect of a member; it means nothing here."""


def _read(context: Context) -> Reply:
    cluster = context.services.cluster
    configuration = cluster.configuration
    servers = [
        {
            "node_id": member.name,
            "address": member.cluster_address,
            "leader": node == cluster.leader,
            "protocol_version": _PROTOCOL_VERSION,
            "voter": configuration.votes(node),
        }
        for node, member in configuration.members.items()
    ]
    servers.sort(key=lambda server: str(server["node_id"]))
    return Reply(data={"config": {"index": cluster.configuration_index, "servers": servers}})


def _remove(context: Context) -> Reply:
    server_id = fields.text(context.body, "server_id")
    if not server_id:
        raise RequestError(400, "missing server_id")
    return Reply(action=RemovePeer(server_id))


ROUTES: Final = (
    Route("sys/storage/raft/configuration", reads={"read": _read}),
    Route("sys/storage/raft/remove-peer", writes={"update": _remove}),
)
