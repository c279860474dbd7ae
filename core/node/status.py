"""What a node tells anybody about itself: seal status, health, leader."""

from typing import Any, Final

from core.barrier.seal import SealConfig
from core.moment import Now
from core.node.info import API_VERSION, BUILD_DATE, NodeInfo
from core.raft.configuration import Member
from core.raft.state import Raft
from core.request import Request, Response
from core.store.store import Store
from core.vault import answers
from core.vault.envelope import encode, failure
from core.vault.rfc3339 import format_ns

_STATUS_OK: Final = 200
_STANDBY: Final = 429
_UNREACHABLE_LEADER: Final = 474
_UNINITIALISED: Final = 501
_SEALED: Final = 503
_REMOVED: Final = 530

_CODE_PARAMETERS: Final = {
    _STATUS_OK: "activecode",
    _STANDBY: "standbycode",
    _UNREACHABLE_LEADER: "haunhealthycode",
    _UNINITIALISED: "uninitcode",
    _SEALED: "sealedcode",
    _REMOVED: "removedcode",
}
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
    "": True,
}
"""How Go reads a boolean; a parameter without a value counts as true."""
_OTHER_CODES: Final = ("drsecondarycode", "performancestandbycode")
"""Codes for states that no node here is in; what is given for them must still be a code."""
_CODE_TEXTS: Final = frozenset(str(code) for code in range(100, 1000))


class Condition:
    """How a node stands, for the answers below.

    Attributes:
        config: the numbers of shares, or None where there is no seal yet.
        sealed: the node can't open anything.
        progress: shares given so far.
        nonce: names that attempt.
        cluster: the cluster's id; empty while sealed.
        cluster_name: what it is called; empty while sealed.
        active_since_ns: when this node became the leader (wall clock).
        removed: this node knows that it was removed from its cluster.
    """

    __slots__ = (
        "active_since_ns",
        "cluster",
        "cluster_name",
        "config",
        "nonce",
        "progress",
        "removed",
        "sealed",
    )

    def __init__(self, *, removed: bool) -> None:
        self.config: SealConfig | None = None
        self.sealed = True
        self.progress = 0
        self.nonce = ""
        self.cluster = ""
        self.cluster_name = ""
        self.active_since_ns = 0
        self.removed = removed


def seal_status(condition: Condition, info: NodeInfo, awaited: SealConfig | None) -> dict[str, Any]:
    """Return the body of `sys/seal-status`.

    `awaited` has the numbers of shares of the cluster that this node wants to join, if any.
    """
    config = condition.config or awaited
    body: dict[str, Any] = {
        "type": "shamir",
        "initialized": condition.config is not None,
        "sealed": condition.sealed,
        "t": config.threshold if config is not None else 0,
        "n": config.shares if config is not None else 0,
        "progress": condition.progress,
        "nonce": condition.nonce,
        "version": API_VERSION,
        "build_date": BUILD_DATE,
        "commit_date": BUILD_DATE,
        "migration": False,
        "recovery_seal": False,
        "storage_type": info.storage_type,
    }
    if not condition.sealed:
        body["cluster_name"] = condition.cluster_name
        body["cluster_id"] = condition.cluster
    if condition.removed:
        body["removed_from_cluster"] = True
    return body


def health(
    request: Request, condition: Condition, info: NodeInfo, raft: Raft, now: Now
) -> Response:
    """Return the answer to `sys/health`; parameters may choose other status codes."""
    code = _health_code(condition, raft)
    leads = raft.leadership is not None
    body: dict[str, Any] = {
        "initialized": condition.config is not None,
        "sealed": condition.sealed,
        "standby": not leads,
        "performance_standby": False,
        "replication_performance_mode": "disabled",
        "replication_dr_mode": "disabled",
        "server_time_utc": now.wall_ns // 1_000_000_000,
        "version": API_VERSION,
        "enterprise": False,
        "echo_duration_ms": 0,
        "clock_skew_ms": 0,
        "replication_primary_canary_age_ms": 0,
    }
    if not condition.sealed:
        body["cluster_name"] = condition.cluster_name
        body["cluster_id"] = condition.cluster
    if info.storage_type == "raft" and not condition.sealed:
        body["ha_connection_healthy"] = leads or raft.leader != ""
    if condition.removed:
        body["removed_from_cluster"] = True
    chosen = _chosen_code(request, code)
    if chosen is None:
        return failure(
            400, "bad request: a code is a number from 100 to 999, and standbyok a boolean"
        )
    return Response(chosen, encode(body) + b"\n")


def _health_code(condition: Condition, raft: Raft) -> int:
    if condition.removed:
        return _REMOVED
    if condition.config is None:
        return _UNINITIALISED
    if condition.sealed:
        return _SEALED
    if raft.leadership is not None:
        return _STATUS_OK
    return _STANDBY if raft.leader else _UNREACHABLE_LEADER


def _chosen_code(request: Request, code: int) -> int | None:
    parameters = request.parameters
    standby_ok = _BOOLEANS.get(parameters.get("standbyok", "false"))
    if standby_ok is None:
        return None
    if standby_ok and code == _STANDBY:
        code = _STATUS_OK
    for name in (*_CODE_PARAMETERS.values(), *_OTHER_CODES):
        if name in parameters and not _is_code(parameters[name]):
            return None
    text = parameters.get(_CODE_PARAMETERS[code])
    return code if text is None else int(text)


def _is_code(text: str) -> bool:
    return text in _CODE_TEXTS


def _cluster_url(member: Member) -> str:
    return f"https://{member.cluster_address}"


def leader(condition: Condition, info: NodeInfo, raft: Raft, store: Store) -> Response:
    """Return the answer to `sys/leader`."""
    if condition.removed:
        return answers.REMOVED
    if condition.sealed:
        return answers.SEALED
    member = raft.configuration.members.get(raft.leader)
    leads = raft.leadership is not None
    body: dict[str, Any] = {
        "ha_enabled": info.storage_type == "raft",
        "is_self": leads,
        "active_time": format_ns(condition.active_since_ns) if leads else "0001-01-01T00:00:00Z",
        "leader_address": member.api_address if member is not None else "",
        "leader_cluster_address": _cluster_url(member) if member is not None else "",
        "performance_standby": False,
        "performance_standby_last_remote_wal": 0,
        "raft_committed_index": raft.commit,
        "raft_applied_index": store.applied_index,
    }
    return Response(200, encode(body) + b"\n")
