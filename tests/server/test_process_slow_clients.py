"""A real process and clients that are slow, silent, gone or too many, with and without TLS."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.needs import needs
from tests.net import certificates
from tests.server.listening import (
    connected,
    dripped_s,
    encrypted,
    ended_after_s,
    with_listener,
)
from tests.server.processes import HOLDFAST, configure, free_port, wait

HEADER_S, READ_S, IDLE_S = 1, 2, 3
pytestmark = pytest.mark.slow
LATE_S = 2.5
"""Deadlines are looked at once a second, and the machine may be busy."""
PAUSE_S = 0.05
HEAD = b"GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST /v1/sys/unseal HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
POST = b"POST /v1/sys/unseal HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"

DESCRIPTORS = 600
"""What a process may open; half of it is not for clients."""
TCP_REPAIR = 19
"""From Linux's tcp.h: a socket that is closed in this mode says nothing to the other side."""

Connect = Callable[[], socket.socket]


class Server:
    """A process with short timeouts.

    Attributes:
        port: where it listens.
        process: it.
        tls: whether it speaks TLS.
    """

    def __init__(self, directory: Path, *, tls: bool, within: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        self.tls = tls
        certificate, key = certificates.write(certificates.issued("127.0.0.1"), directory)
        file = with_listener(
            configure(directory, self.port),
            tls_disable=not tls,
            tls_cert_file=str(certificate),
            tls_key_file=str(key),
            http_read_header_timeout=f"{HEADER_S}s",
            http_read_timeout=f"{READ_S}s",
            http_idle_timeout=f"{IDLE_S}s",
        )
        self.log = directory / "log"
        with self.log.open("ab") as output:
            command = (*within, *HOLDFAST, "server", f"-config={file}")
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def answers(self) -> bool:
        """Tell whether it does; nothing was begun there, so health is not good."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            with self.connect() as connection:
                connection.sendall(HEAD + b"\r\n")
                return connection.recv(1 << 16).startswith(b"HTTP/1.1 501")
        except ConnectionError:
            return False

    def connect(self) -> socket.socket:
        plain = connected(self.port)
        return encrypted(plain) if self.tls else plain


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "TLS"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), tls=request.param)
    try:
        wait(server.answers)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def assert_in_time(limit_s: float, took_s: float) -> None:
    assert limit_s - PAUSE_S <= took_s <= limit_s + LATE_S


def test_a_head_byte_by_byte_is_cut_off(server: Server) -> None:
    """Each byte comes in time; the whole does not."""
    head = HEAD + b"X-Filler: " + b"x" * 10_000

    assert_in_time(HEADER_S, dripped_s(server.connect(), head, PAUSE_S))
    assert server.answers()


def test_a_body_byte_by_byte_is_cut_off(server: Server) -> None:
    connection = server.connect()
    connection.sendall(POST)

    assert_in_time(READ_S, dripped_s(connection, b"x" * 1_000, PAUSE_S))
    assert server.answers()


def test_a_chunked_body_byte_by_byte_is_cut_off(server: Server) -> None:
    """It is served by the other lane."""
    connection = server.connect()
    connection.sendall(CHUNKED + b"3E8\r\n")

    assert_in_time(READ_S, dripped_s(connection, b"x" * 1_000, PAUSE_S))
    assert server.answers()


def test_a_client_that_says_nothing_is_cut_off(server: Server) -> None:
    """With TLS this is a handshake that never begins."""
    assert_in_time(HEADER_S, ended_after_s(connected(server.port)))


def test_a_handshake_that_stalls_is_cut_off(server: Server) -> None:
    """Half of a first record; without TLS it is half of a head."""
    connection = connected(server.port)
    connection.sendall(b"\x16\x03\x01\x02\x00\x01" if server.tls else HEAD)

    assert_in_time(HEADER_S, ended_after_s(connection))


def test_an_idle_connection_is_cut_off(server: Server) -> None:
    connection = server.connect()
    connection.sendall(HEAD + b"\r\n")
    assert connection.recv(1 << 16)

    assert_in_time(IDLE_S, ended_after_s(connection))


def test_a_client_that_has_closed_its_half_is_gone(server: Server) -> None:
    connection = server.connect()
    connection.sendall(HEAD)
    connection.shutdown(socket.SHUT_WR)

    assert ended_after_s(connection) < HEADER_S


def test_a_client_that_vanished_is_cut_off(server: Server) -> None:
    """Its machine is gone: nothing ever comes from there, not even an end."""
    connection = server.connect()
    port = connection.getsockname()[1]
    connection.sendall(HEAD + b"\r\n")
    assert connection.recv(1 << 16)
    connection.sendall(HEAD)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        connection.close()
        needs("the right to repair TCP connections", met=False)
    connection.close()

    assert is_established(server.port, port)
    wait(lambda: not is_established(server.port, port))


def is_established(port: int, client_port: int) -> bool:
    """Tell whether the system holds a connection open on the side of the server."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = {
        (local[-4:], remote[-4:]) for _, local, remote, state, *_ in rows if state == "01"
    }
    return (f"{port:04X}", f"{client_port:04X}") in established


def test_clients_are_refused_before_they_leave_nothing_for_the_log(tmp_path: Path) -> None:
    """When some go, others get their place."""
    few = ("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh")
    server = Server(tmp_path, tls=False, within=few)
    try:
        wait(server.answers)
        held: list[socket.socket] = []
        refused = 0
        for _ in range(DESCRIPTORS):
            try:
                held.append(connected(server.port))
            except ConnectionResetError:
                refused += 1
        wait(lambda: refused + sum(map(is_refused, held)) >= DESCRIPTORS // 2)
        descriptors = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        for connection in held:
            connection.close()
        wait(server.answers)
    finally:
        server.process.kill()
        server.process.wait()

    assert DESCRIPTORS // 2 == descriptors


def is_refused(connection: socket.socket) -> bool:
    """Tell whether the other side has reset a connection, once it has had its turn."""
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
