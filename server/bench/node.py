"""One durable node under test: TLS, file audit device, raft storage, on a core of its own.

Owns its configuration, its start and what it is filled with.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from server.bench import children, preparation
from server.bench.audit_count import AuditLedger
from server.bench.certificate import HOST, Certificate
from server.bench.connection import get
from server.bench.machine import Cores, resident_bytes
from server.bench.settings import Settings
from server.bench.workload import Target
from server.ports import free_ports


class Started(msgspec.Struct, frozen=True):
    """A node that answers.

    Attributes:
        process: it.
        target: where it listens.
        log: what it says.
        first_answer_s: from the start of the process to its first answer.
        resident_bytes: memory that it held then.
    """

    process: subprocess.Popen[bytes]
    target: Target
    log: Path
    first_answer_s: float
    resident_bytes: int


@contextmanager
def started(directory: Path, certificate: Certificate, cores: Cores) -> Iterator[Started]:
    """Start a new node in `directory`, which is made, and end it with the context.

    Raises:
        BenchError: it does not start.
    """
    directory.mkdir()
    port, peer_port = free_ports(HOST, 2)
    target = Target(HOST, port, str(certificate.authority_file))
    file = directory / "node.json"
    file.write_text(_configuration(directory, certificate, target, peer_port), encoding="ascii")
    log = directory / "node.log"
    began_s = time.monotonic()
    command = (*children.HOLDFAST, "server", f"-config={file}")
    with children.running(command, log, core=cores.server) as process:
        children.until(lambda: _answers(target), process, log, "holdfast")
        first_answer_s = time.monotonic() - began_s
        yield Started(process, target, log, first_answer_s, resident_bytes(process.pid))


def _configuration(
    directory: Path, certificate: Certificate, target: Target, peer_port: int
) -> str:
    return json.dumps(
        {
            "storage": {"raft": {"path": str(directory / "data"), "node_id": "bench"}},
            "listener": {
                "tcp": {
                    "address": f"{target.host}:{target.port}",
                    "cluster_address": f"{target.host}:{peer_port}",
                    "tls_cert_file": str(certificate.certificate_file),
                    "tls_key_file": str(certificate.key_file),
                }
            },
            "api_addr": target.url,
            "cluster_addr": f"https://{target.host}:{peer_port}",
            "disable_mlock": True,
        }
    )


def _answers(target: Target) -> bool | None:
    try:
        return get(target, "/v1/sys/seal-status").succeeded or None
    except OSError:
        return None


class Filled(msgspec.Struct, frozen=True):
    """A node with keys, a token, and an audit device that writes a file.

    Attributes:
        token: holds a policy of 20 rules.
        ledger: has counted all requests since the audit device was enabled.
    """

    token: str
    ledger: AuditLedger


def fill(node: Started, settings: Settings) -> Filled:
    """Open a new node, give it an audit device, and write all keys.

    Raises:
        BenchError: it refuses something.
    """
    target = node.target
    root_token = preparation.initialise(target)
    children.until(preparation.active(target), node.process, node.log, "leadership")
    preparation.mount_kv(target, root_token)
    token = preparation.make_token(target, root_token)
    audit_file = node.log.with_name("audit.log")
    preparation.enable_audit(target, root_token, str(audit_file))
    ledger = AuditLedger(audit_file)
    ledger.add(preparation.fill(target, token, settings.keys, settings.connections))
    return Filled(token, ledger)
