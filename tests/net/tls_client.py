"""Python's own TLS client over a socket that does not block, for tests."""

import contextlib
import socket
import ssl
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from net.tls import Identity, TlsTransport
from tests.net.certificates import authority, write

ROUNDS_MAX: Final = 100


def client_context(
    folder: Path | None = None, identity: Identity | None = None, protocols: tuple[str, ...] = ()
) -> ssl.SSLContext:
    """Return a client that trusts the authority, and shows an identity if it has one."""
    context = ssl.create_default_context(cadata=pem(authority().chain[0]))
    if identity is not None and folder is not None:
        own = folder / "client"
        own.mkdir(exist_ok=True)
        context.load_cert_chain(*write(identity, own))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


class Client:
    """Python's own client over a socket that does not block."""

    def __init__(self, context: ssl.SSLContext, connected: socket.socket) -> None:
        connected.settimeout(0)
        self._tls = context.wrap_socket(
            connected, server_hostname="127.0.0.1", do_handshake_on_connect=False
        )

    def handshake(self) -> bool:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
            return True
        return False

    def receive(self) -> bytes | None:
        try:
            return self._tls.recv(1 << 20)
        except ssl.SSLWantReadError:
            return None

    def send(self, data: bytes) -> int:
        return self._tls.send(data)

    def close(self) -> None:
        self._tls.close()

    @property
    def protocol(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    @property
    def version(self) -> str | None:
        return self._tls.version()

    @property
    def server(self) -> bytes | None:
        return self._tls.getpeercert(binary_form=True)


def shake_hands(one: TlsTransport | Client, other: TlsTransport | Client) -> None:
    """Let both sides go on until both are done."""
    done = [False, False]
    for _ in range(ROUNDS_MAX):
        done = [done[0] or one.handshake(), done[1] or other.handshake()]
        if all(done):
            return
    pytest.fail("the handshake has no end")
