"""TLS for listeners and between nodes, by pyOpenSSL.

It owns contexts, certificates as they lie in files, and the TLS side of a connection. It must
not know what is said inside. Python's own `ssl` can't ask for a client certificate without
verifying it, which certificate authentication needs; pyOpenSSL can, with a callback that accepts.

OpenSSL reads and writes the socket itself. Driving it through memory buffers costs four more
calls from Python for each turn, and every byte two more copies.
"""

import contextlib
import socket
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from net.stream import RECEIVE_BYTES_MAX, HandshakeError, NoTlsError

Version = Literal["tls12", "tls13"]

# The server chooses (RFC 7301, 3.2), and clients in Go, curl and browsers offer both. The thin lane
# speaks HTTP/1.1, and answers it many times faster than Hypercorn does either. Who offers HTTP/2
# alone gets it.
ALPN_HTTP: Final = (b"http/1.1", b"h2")

_VERSIONS: Final[dict[Version, int]] = {
    "tls12": SSL.TLS1_2_VERSION,
    "tls13": SSL.TLS1_3_VERSION,
}
# Forward secrecy and authenticated encryption only; HTTP/2 asks for the same (RFC 9113, 9.2.2).
_TLS12_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
_SESSION_ID: Final = b"holdfast"
# What OpenSSL says of a first record that is none. It sends no alert then: who speaks no TLS would
# not understand it.
_NO_TLS: Final = frozenset({"http request", "https proxy request", "wrong version number"})


class TlsError(Exception):
    """Certificates or keys that can't be used; the message names the file.

    Attributes:
        file: which one it is, if it is one.
    """

    def __init__(self, message: str, file: Path | None = None) -> None:
        super().__init__(message)
        self.file = file


class Identity(msgspec.Struct, frozen=True):
    """What one side shows of itself.

    Attributes:
        chain: its certificate, then those that lead towards the authority.
        key: its private key, as `cryptography` holds it.
    """

    chain: list[x509.Certificate]
    key: Any


class ServerTlsSettings(msgspec.Struct, frozen=True):
    """The TLS side of a listener, as configured.

    Attributes:
        certificate_file: PEM; the certificate, then its chain.
        key_file: PEM, not encrypted.
        version_min: the oldest version spoken.
        client_certificates: not asked for; asked for and taken unverified, so that
            certificate authentication can look at them; or required and verified.
        client_authorities_file: PEM; who may have issued what is verified.
    """

    certificate_file: Path
    key_file: Path
    version_min: Version = "tls12"
    client_certificates: Literal["ignored", "requested", "required"] = "requested"
    client_authorities_file: Path | None = None


class TlsTransport:
    """A transport (`net.stream.Transport`) with TLS."""

    __slots__ = ("_tls", "socket", "wants_write")

    def __init__(self, context: SSL.Context, connected: socket.socket, *, server: bool) -> None:
        connected.settimeout(0)
        self.socket = connected
        self.wants_write = False
        self._tls = SSL.Connection(context, connected)
        if server:
            self._tls.set_accept_state()
        else:
            self._tls.set_connect_state()

    @property
    def protocol(self) -> str:
        """See `Transport.protocol`."""
        return self._tls.get_alpn_proto_negotiated().decode("ascii")

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """What the other side has proved to have the key of."""
        return self._tls.get_peer_certificate(as_cryptography=True)

    def handshake(self) -> bool:
        """See `Transport.handshake`."""
        self.wants_write = False
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.WantWriteError:
            self.wants_write = True
            return False
        except SSL.Error as error:
            reason = _reason(error)
            kind = NoTlsError if reason in _NO_TLS else HandshakeError
            raise kind(reason) from error
        return True

    def receive(self) -> bytes | None:
        """See `Transport.receive`."""
        self.wants_write = False
        try:
            return self._tls.recv(RECEIVE_BYTES_MAX)
        except SSL.WantReadError:
            return None
        except SSL.WantWriteError:
            self.wants_write = True
            return None
        except SSL.Error:
            return b""

    def send(self, data: bytes | memoryview) -> int:
        """See `Transport.send`."""
        sent = 0
        try:
            sent = self._tls.send(data)
            while sent < len(data):
                sent += self._tls.send(memoryview(data)[sent:])
        except SSL.WantWriteError:
            return sent
        except SSL.Error as error:
            raise ConnectionResetError(_reason(error)) from error
        return sent

    def finish(self) -> None:
        """See `Transport.finish`."""
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """See `Transport.close`; tells the other side if it can be told at once."""
        if self.socket.fileno() >= 0:
            with contextlib.suppress(SSL.Error):
                self._tls.shutdown()
            self.socket.close()


class ServerTls:
    """The TLS side of one listener; can be renewed while it serves."""

    def __init__(self, settings: ServerTlsSettings) -> None:
        self._settings = settings
        self._context = _listener_context(settings)

    def reload(self) -> None:
        """Read the files again, for connections to come.

        Raises:
            TlsError: the files can't be used; what was in force stays in force.
        """
        self._context = _listener_context(self._settings)

    def accept(self, connected: socket.socket) -> TlsTransport:
        """Return the server's side of a connection."""
        return TlsTransport(self._context, connected, server=True)


class PeerTls:
    """Both sides of connections between nodes: each proves itself by the cluster's authority.

    Names and addresses in the certificates mean nothing. Whoever uses a connection compares
    `TlsTransport.peer_certificate` with the peers that it knows, as soon as the handshake is
    complete.
    """

    def __init__(self, identity: Identity, authorities: list[x509.Certificate]) -> None:
        self._server = _peer_context(SSL.TLS_SERVER_METHOD, identity, authorities)
        self._client = _peer_context(SSL.TLS_CLIENT_METHOD, identity, authorities)

    def accept(self, connected: socket.socket) -> TlsTransport:
        """Return the side of the node that was called."""
        return TlsTransport(self._server, connected, server=True)

    def connect(self, connected: socket.socket) -> TlsTransport:
        """Return the side of the node that calls."""
        return TlsTransport(self._client, connected, server=False)


def read_identity(certificate_file: Path, key_file: Path) -> Identity:
    """Read a certificate chain and its key.

    Raises:
        TlsError: a file is missing, or has not what it should.
    """
    chain = read_certificates(certificate_file)
    text = _read(key_file)
    try:
        key = load_pem_private_key(text, password=None)
    except TypeError as error:
        raise TlsError(f"{key_file} is encrypted", key_file) from error
    except ValueError as error:
        raise TlsError(f"{key_file} holds no private key in PEM", key_file) from error
    return Identity(chain, key)


def read_certificates(file: Path) -> list[x509.Certificate]:
    """Read certificates in PEM.

    Raises:
        TlsError: the file is missing, or holds anything else.
    """
    text = _read(file)
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise TlsError(f"{file} holds no certificates in PEM", file) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TlsError(f"{file} cannot be read: {error.strerror}", file) from error


def _listener_context(settings: ServerTlsSettings) -> SSL.Context:
    identity = read_identity(settings.certificate_file, settings.key_file)
    try:
        context = _context(SSL.TLS_SERVER_METHOD, identity)
    except SSL.Error as error:
        files = f"{settings.certificate_file} and {settings.key_file}"
        reason = f"{files} do not go together: {_reason(error)}"
        raise TlsError(reason, settings.key_file) from error
    context.set_min_proto_version(_VERSIONS[settings.version_min])
    context.set_alpn_select_callback(_select_protocol)
    if settings.client_certificates == "requested":
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    elif settings.client_certificates == "required":
        if settings.client_authorities_file is None:
            raise TlsError("client certificates are required, but no authority is named")
        _require(context, read_certificates(settings.client_authorities_file))
    return context


def _peer_context(
    method: int, identity: Identity, authorities: list[x509.Certificate]
) -> SSL.Context:
    try:
        context = _context(method, identity)
    except SSL.Error as error:
        raise TlsError(f"the identity of this node: {_reason(error)}") from error
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    _require(context, authorities)
    return context


def _context(method: int, identity: Identity) -> SSL.Context:
    context = SSL.Context(method)
    context.set_options(
        SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    # An idle connection then holds no buffers of OpenSSL's, which are 34 KiB.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_cipher_list(_TLS12_CIPHERS)
    # Sessions live in the tickets of clients; with client certificates OpenSSL wants an id.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(_SESSION_ID)
    context.use_certificate(identity.chain[0])
    for certificate in identity.chain[1:]:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(identity.key)
    context.check_privatekey()
    return context


def _require(context: SSL.Context, authorities: list[x509.Certificate]) -> None:
    store = context.get_cert_store()
    assert store is not None
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
        context.add_client_ca(authority)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)


def _select_protocol(
    _: SSL.Connection, offered: list[bytes]
) -> bytes | SSL._NoOverlappingProtocols:
    for protocol in ALPN_HTTP:
        if protocol in offered:
            return protocol
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _reason(error: SSL.Error) -> str:
    """Return what OpenSSL says, without its names of libraries and functions."""
    if isinstance(error, SSL.SysCallError):
        return str(error.args[-1])
    queue = error.args[0] if error.args else []
    return "; ".join(entry[-1] for entry in queue) or "unknown TLS error"
