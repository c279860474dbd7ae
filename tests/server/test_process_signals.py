"""What signals do to a real process: it takes up files anew, or ends in order."""

import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from tests.net import certificates
from tests.server.cluster import NAMES, Cluster, can_write
from tests.server.listening import connected, encrypted, with_listener
from tests.server.processes import (
    HOLDFAST,
    STARTED_S_MAX,
    ServerProcess,
    configure,
    free_port,
    wait,
)

pytestmark = pytest.mark.slow

REQUEST = b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n"


class TlsServer:
    """A process that speaks TLS.

    Attributes:
        port: where it listens.
        process: it.
    """

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._log = directory / "log"
        certificate, key = self.certify("first")
        file = with_listener(
            configure(directory, self.port),
            tls_disable=False,
            tls_cert_file=str(certificate),
            tls_key_file=str(key),
        )
        with self._log.open("ab") as output:
            command = (*HOLDFAST, "server", f"-config={file}")
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def certify(self, name: str) -> tuple[Path, Path]:
        """Put another certificate into the files."""
        return certificates.write(certificates.issued(name), self._directory)

    def listens(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            connected(self.port).close()
        except ConnectionError:
            return False
        return True

    @property
    def log(self) -> str:
        return self._log.read_text()

    def connect(self) -> ssl.SSLSocket:
        return encrypted(connected(self.port))

    def shown(self) -> str:
        """Return whose certificate a new connection is shown."""
        with self.connect() as connection:
            return name_of(connection)


def name_of(connection: ssl.SSLSocket) -> str:
    raw = connection.getpeercert(binary_form=True)
    assert raw is not None
    subject = x509.load_der_x509_certificate(raw).subject
    return str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[TlsServer]:
    server = TlsServer(tmp_path)
    try:
        wait(server.listens)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def answers(connection: ssl.SSLSocket) -> bool:
    connection.sendall(REQUEST)
    return connection.recv(1 << 16).startswith(b"HTTP/1.1 501")


def test_a_new_certificate_is_shown_to_new_connections(tls_server: TlsServer) -> None:
    """Those that are open go on."""
    with tls_server.connect() as connection:
        assert answers(connection)
        tls_server.certify("second")
        assert "first" == tls_server.shown()
        tls_server.process.send_signal(signal.SIGHUP)
        wait(lambda: tls_server.shown() == "second")

        assert answers(connection)
        assert "first" == name_of(connection)


_HASTY = """
import os, signal, sys
from server import process
from server.cli import main

opened = process.Process.__init__

def open_and_signal(*arguments):
    opened(*arguments)
    os.kill(os.getpid(), signal.SIGHUP)

process.Process.__init__ = open_and_signal
sys.exit(main())
"""


def test_a_signal_to_reload_may_come_before_the_node_is_ready(tmp_path: Path) -> None:
    """As from a service manager; alone it would end the process."""
    port = free_port()
    command = (sys.executable, "-c", _HASTY, "server", f"-config={configure(tmp_path, port)}")
    log = tmp_path / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait(lambda: "audit files are opened anew" in log.read_text(), log.read_text)
        connected(port).close()
        process.send_signal(signal.SIGTERM)
        code = process.wait(STARTED_S_MAX)
    finally:
        process.kill()
        process.wait()

    assert 0 == code


@pytest.mark.parametrize("broken", ["certificate.pem", "key.pem"])
def test_a_broken_file_changes_nothing(tls_server: TlsServer, tmp_path: Path, broken: str) -> None:
    """The log says which one; the next signal finds it repaired."""
    tls_server.certify("second")
    whole = (tmp_path / broken).read_bytes()
    (tmp_path / broken).write_bytes(whole[: len(whole) // 2])
    tls_server.process.send_signal(signal.SIGHUP)
    wait(lambda: broken in tls_server.log)
    wait(lambda: re.search(r"counts of a listener .*accepted=\d", tls_server.log) is not None)
    assert "first" == tls_server.shown()

    (tmp_path / broken).write_bytes(whole)
    tls_server.process.send_signal(signal.SIGHUP)
    wait(lambda: tls_server.shown() == "second")
    assert tls_server.process.poll() is None


def test_audit_goes_on_in_a_new_file_after_a_rename(tmp_path: Path) -> None:
    port = free_port()
    arguments = ("-dev", "-dev-root-token-id=mine", "-dev-no-store-token")
    address = f"-dev-listen-address=127.0.0.1:{port}"
    server = ServerProcess(port, *arguments, address, log=tmp_path / "log")
    try:
        server.client.token = "mine"
        server.leads()
        audit, former = tmp_path / "audit.log", tmp_path / "audit.log.1"
        server.client.sys.enable_audit_device("file", options={"file_path": str(audit)}, path="f")
        audit.rename(former)
        assert can_write(server, "before")
        before = former.read_bytes()
        assert not audit.exists()
        server.process.send_signal(signal.SIGHUP)
        # The signal has been heeded when a record goes to the new file.
        wait(lambda: can_write(server, "after") and audit.exists())
        settled = former.read_bytes()
        assert can_write(server, "later")
    finally:
        server.process.kill()
        server.process.wait()

    assert settled.startswith(before)
    assert settled == former.read_bytes()
    assert b"secret/data/later" in audit.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_leader_hands_over_and_ends_in_order(
    cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    """Another leads at once: writes fail for less than an election timeout."""
    name = cluster.leader()
    leader = cluster.servers[name]
    survivor = next(cluster.servers[other] for other in NAMES if other != name)
    leader.process.send_signal(number)
    wait(partial(can_write, survivor, "after"))
    code = leader.process.wait(STARTED_S_MAX)
    leader.client.adapter.close()

    assert 0 == code
    assert not (tmp_path / f"data-{name}" / "store" / "suspect").exists()
    assert "stopping" in (tmp_path / f"{name}.log").read_text()
