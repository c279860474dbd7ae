"""etcd as a peer: one member or a cluster of them, written to through its JSON gateway.

Owns its start, and finding its leader. Its defaults stay: it syncs each write to disk, as we do.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from server.bench import children
from server.bench.certificate import HOST, Certificate
from server.bench.connection import exchange
from server.bench.settings import BenchError, PeerUnavailable
from server.bench.workload import Target, Workload
from server.ports import free_ports

_STATUS: Final = Workload(method="POST", path="/v3/maintenance/status", body="{}")


class Etcd(msgspec.Struct, frozen=True):
    """etcd, ready.

    Attributes:
        name: with its version.
        leader: where the leader listens for clients.
        pids: of all members.
    """

    name: str
    leader: Target
    pids: list[int]


class _Member(msgspec.Struct, frozen=True):
    name: str
    client: Target
    peer_url: str


@contextmanager
def etcd(
    count: int,
    directory: Path,
    *,
    certificate: Certificate | None = None,
    core: int | None = None,
) -> Iterator[Etcd]:
    """Run `count` members in `directory`, with TLS for clients if there is a certificate.

    Raises:
        PeerUnavailable: etcd is not installed, or does not start.
    """
    program = shutil.which("etcd")
    if program is None:
        raise PeerUnavailable("etcd is not installed")
    members = _lay_out(count, certificate)
    cluster = ",".join(f"{member.name}={member.peer_url}" for member in members)
    with ExitStack() as stack:
        pids, leader = [], None
        try:
            for member in members:
                command = [program, *_arguments(member, directory, cluster, certificate)]
                log = directory / f"{member.name}.log"
                process = stack.enter_context(children.running(command, log, core=core))
                pids.append(process.pid)
            # All were started before any is awaited, as one alone does not answer.
            leader = children.until(_leader_among(members), process, log, "etcd")
        except BenchError as error:
            raise PeerUnavailable(str(error)) from None
        target, version = leader
        yield Etcd(f"etcd {version}, {count} member{'s' * (count > 1)}", target, pids)


def _lay_out(count: int, certificate: Certificate | None) -> list[_Member]:
    ca_file = str(certificate.authority_file) if certificate else ""
    ports = free_ports(HOST, 2 * count)
    return [
        _Member(
            f"etcd{number}",
            Target(HOST, ports[2 * number], ca_file),
            f"http://{HOST}:{ports[2 * number + 1]}",
        )
        for number in range(count)
    ]


def _arguments(
    member: _Member, directory: Path, cluster: str, certificate: Certificate | None
) -> list[str]:
    flags = {
        "name": member.name,
        "data-dir": str(directory / member.name),
        "listen-client-urls": member.client.url,
        "advertise-client-urls": member.client.url,
        "listen-peer-urls": member.peer_url,
        "initial-advertise-peer-urls": member.peer_url,
        "initial-cluster": cluster,
        "log-level": "error",
    }
    if certificate is not None:
        flags["cert-file"] = str(certificate.certificate_file)
        flags["key-file"] = str(certificate.key_file)
    return [f"--{name}={value}" for name, value in flags.items()]


def _leader_among(members: list[_Member]) -> Callable[[], tuple[Target, str] | None]:
    """Return a question: where the leader listens, and which version it is."""

    def asked() -> tuple[Target, str] | None:
        for member in members:
            status = _status(member.client)
            header = status.get("header", {})
            if status.get("leader", "0") not in ("0", "") and (
                status["leader"] == header.get("member_id")
            ):
                return member.client, str(status.get("version", ""))
        return None

    return asked


def _status(target: Target) -> dict[str, Any]:
    try:
        reply = exchange(target, _STATUS.request(target, 0))
    except OSError:
        return {}
    decoded: dict[str, Any] = json.loads(reply.body) if reply.succeeded else {}
    return decoded
