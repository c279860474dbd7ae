"""`sys/seal`, `sys/step-down` and `sys/ha-status`: who leads, and who is to do so no more."""

from typing import Final

from core.engines.call import RequestError
from core.vault.context import Context
from core.vault.reply import Reply, Seal, StepDown
from core.vault.routes import Route


def _seal(context: Context) -> Reply:
    # A standby passes writes on; whoever asked it to seal did not mean the leader.
    if context.request.forwarded_from:
        raise RequestError(500, "cannot seal when in standby mode; please restart instead")
    return Reply(action=Seal())


def _step_down(_context: Context) -> Reply:
    return Reply(action=StepDown())


def _read_ha_status(context: Context) -> Reply:
    cluster = context.services.cluster
    nodes = [
        {
            "hostname": member.name,
            "api_address": member.api_address,
            "cluster_address": f"https://{member.cluster_address}",
            "active_node": node == cluster.leader,
            "last_echo": None,
            "echo_duration_ms": 0,
            "clock_skew_ms": 0,
        }
        for node, member in cluster.configuration.members.items()
    ]
    nodes.sort(key=lambda node: str(node["hostname"]))
    return Reply(data={"nodes": nodes}, repeated=True)


ROUTES: Final = (
    Route("sys/ha-status", reads={"read": _read_ha_status}),
    Route("sys/seal", writes={"update": _seal}),
    Route("sys/step-down", writes={"update": _step_down}),
)
