"""Three durable nodes as `holdfast server -dev-cluster` runs them, seen from outside.

Owns the start of the cluster, and what can be told about its members: who leads, which process a
member is at present. The dev cluster starts a dead member again and opens it.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from server.bench import children, preparation
from server.bench.connection import get
from server.bench.machine import children_of
from server.bench.settings import BenchError
from server.bench.workload import Target

NODES: Final = 3


class Member(msgspec.Struct, frozen=True):
    """One node.

    Attributes:
        name: its label.
        target: where clients reach it.
    """

    name: str
    target: Target


class DevCluster:
    """A dev cluster, ready.

    Attributes:
        members: its nodes.
        root_token: its root token.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, told: dict[str, Any]) -> None:
        """Wrap a running cluster and what it has told of itself."""
        self._process = process
        self._log = log
        self.root_token = str(told["root_token"])
        self.members = [_member(node) for node in told["nodes"]]

    def leader(self) -> Member:
        """Return the member that leads, waiting for one.

        Raises:
            BenchError: there is none for long.
        """
        return children.until(self._leads, self._process, self._log, "leadership")

    def _leads(self) -> Member | None:
        for member in self.members:
            try:
                reply = get(member.target, "/v1/sys/leader")
            except OSError:
                continue
            if reply.succeeded and json.loads(reply.body)["is_self"]:
                return member
        return None

    def pid(self, member: Member) -> int:
        """Return the process that a member is at present.

        Raises:
            BenchError: there is none.
        """
        for pid, command in children_of(self._process.pid).items():
            if any(argument.endswith(f"/{member.name}.json") for argument in command):
                return pid
        raise BenchError(f"{member.name} does not run")

    def pids(self) -> list[int]:
        """Return the processes of all members."""
        return [self.pid(member) for member in self.members]


def _member(node: dict[str, Any]) -> Member:
    parts = urlsplit(node["api_addr"])
    return Member(node["id"], Target(str(parts.hostname), int(parts.port or 0)))


@contextmanager
def dev_cluster(directory: Path) -> Iterator[DevCluster]:
    """Run a dev cluster with its data below `directory`.

    Raises:
        BenchError: it does not get ready.
    """
    command = (
        *children.HOLDFAST,
        "server",
        f"-dev-cluster={NODES}",
        "-dev-cluster-port=0",
        f"-dev-cluster-dir={directory / 'cluster'}",
        "-format=json",
    )
    log = directory / "cluster.log"
    with children.running(command, log, output=subprocess.PIPE) as process:
        assert process.stdout is not None
        # It ends by itself, and so ends this line, if it does not get ready in time.
        line = process.stdout.readline()
        if not line:
            raise BenchError(f"the dev cluster does not start; it said: {children.tail(log)}")
        cluster = DevCluster(process, log, json.loads(line))
        cluster.leader()
        yield cluster


def client_token(cluster: DevCluster) -> str:
    """Return a token that holds the policy of 20 rules, made at the leader.

    Raises:
        BenchError: the leader refuses.
    """
    return preparation.make_token(cluster.leader().target, cluster.root_token)
