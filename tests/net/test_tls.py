"""TLS for listeners and between nodes, against Python's own client and against itself."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from net.stream import HandshakeError, NoTlsError, TransportStream, discard
from net.tls import (
    Identity,
    PeerTls,
    ServerTls,
    ServerTlsSettings,
    TlsError,
    TlsTransport,
    read_certificates,
    read_identity,
)
from tests.net.certificates import authority, issued, write
from tests.net.tls_client import Client, client_context, pem, shake_hands

Pair = tuple[socket.socket, socket.socket]
TLS_RECORD_BYTES_MAX = 16 << 10
LONG = b"0123456789abcdef" * (64 << 10)
Dial = Callable[[ssl.SSLContext], Client]


@pytest.fixture(name="pair")
def connected_pair() -> Iterator[Pair]:
    """Two connected sockets."""
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@pytest.fixture(name="dial")
def dialled(pair: Pair) -> Iterator[Dial]:
    """Make a client of the far socket, which is closed in the end."""
    with contextlib.ExitStack() as stack:

        def dial(context: ssl.SSLContext) -> Client:
            return stack.enter_context(contextlib.closing(Client(context, pair[1])))

        yield dial


@pytest.fixture(name="settings")
def server_settings(tmp_path: Path) -> ServerTlsSettings:
    """The settings of a listener whose files are there."""
    return ServerTlsSettings(*write(issued("server"), tmp_path))


def _changed(settings: ServerTlsSettings, **changes: object) -> ServerTlsSettings:
    return msgspec.structs.replace(settings, **changes)


def _requiring(settings: ServerTlsSettings, folder: Path) -> ServerTlsSettings:
    """Return settings that require certificates of the authority."""
    file = folder / "authorities.pem"
    file.write_text(pem(authority().chain[0]))
    return _changed(settings, client_certificates="required", client_authorities_file=file)


def _shown(tls: ServerTls) -> x509.Certificate:
    """Return the certificate that a server shows now."""
    near, far = socket.socketpair()
    with near, far, contextlib.closing(Client(client_context(), far)) as client:
        shake_hands(client, tls.accept(near))
        assert client.server is not None
        return x509.load_der_x509_certificate(client.server)


def test_bytes_pass_and_an_end_is_an_end(
    pair: Pair, dial: Dial, settings: ServerTlsSettings
) -> None:
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context())
    shake_hands(client, server)

    nothing = server.receive()
    client.send(b"question")
    question = server.receive()
    sent = server.send(b"answer")
    answer = client.receive()
    server.close()
    server.close()

    assert (None, b"question", 6, b"answer") == (nothing, question, sent, answer)
    assert b"" == client.receive()
    assert server.peer_certificate is None


def test_a_server_that_has_finished_may_wait_for_the_client(
    pair: Pair, dial: Dial, settings: ServerTlsSettings
) -> None:
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context())
    shake_hands(client, server)

    server.finish()
    end = client.receive()
    client.send(b"unread")
    size = discard(server.socket)
    server.finish()
    server.close()

    assert b"" == end
    assert size is not None
    assert size > len(b"unread")


def test_the_end_of_a_client_is_an_end(pair: Pair, dial: Dial, settings: ServerTlsSettings) -> None:
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context())
    shake_hands(client, server)
    client.close()

    assert b"" == server.receive()
    with pytest.raises(ConnectionResetError):
        server.send(b"a")


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (("h2", "http/1.1"), "http/1.1"),
        (("http/1.1",), "http/1.1"),
        (("h2",), "h2"),
        (("spdy/1",), ""),
        ((), ""),
    ],
)
def test_http_2_is_for_those_who_speak_nothing_else(
    pair: Pair, dial: Dial, settings: ServerTlsSettings, offered: tuple[str, ...], agreed: str
) -> None:
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context(protocols=offered))

    shake_hands(client, server)

    assert agreed == server.protocol == (client.protocol or "")


def test_a_client_certificate_is_taken_unverified(
    pair: Pair, dial: Dial, settings: ServerTlsSettings, tmp_path: Path
) -> None:
    stranger = issued("client", "stranger")
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context(tmp_path, stranger))

    shake_hands(client, server)
    client.send(b"a")

    assert b"a" == server.receive()
    assert stranger.chain[0] == server.peer_certificate


def test_a_client_certificate_is_not_asked_for(
    pair: Pair, dial: Dial, settings: ServerTlsSettings, tmp_path: Path
) -> None:
    settings = _changed(settings, client_certificates="ignored")
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context(tmp_path, issued("client")))

    shake_hands(client, server)

    assert server.peer_certificate is None


def test_required_client_certificates_are_verified(
    pair: Pair, dial: Dial, settings: ServerTlsSettings, tmp_path: Path
) -> None:
    settings = _requiring(settings, tmp_path)
    client_identity = issued("client")
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context(tmp_path, client_identity))

    shake_hands(client, server)

    assert client_identity.chain[0] == server.peer_certificate


@pytest.mark.parametrize("identity", [None, issued("client", "stranger")])
def test_required_client_certificates_must_be_good(
    pair: Pair, dial: Dial, settings: ServerTlsSettings, tmp_path: Path, identity: Identity | None
) -> None:
    server = ServerTls(_requiring(settings, tmp_path)).accept(pair[0])
    client = dial(client_context(tmp_path, identity))

    with pytest.raises(HandshakeError, match="certificate"):
        shake_hands(client, server)


def test_old_versions_are_refused(pair: Pair, dial: Dial, settings: ServerTlsSettings) -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = ServerTls(_changed(settings, version_min="tls13")).accept(pair[0])

    with pytest.raises(HandshakeError, match="unsupported protocol") as raised:
        shake_hands(dial(context), server)
    assert not isinstance(raised.value, NoTlsError)


def test_tls_1_2_is_spoken(pair: Pair, dial: Dial, settings: ServerTlsSettings) -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = ServerTls(settings).accept(pair[0])
    client = dial(context)

    shake_hands(client, server)

    assert "TLSv1.2" == client.version


@pytest.mark.parametrize("verb", [b"GET", b"LIST", b"CONNECT", b"get"])
def test_who_speaks_no_tls_is_noticed(pair: Pair, settings: ServerTlsSettings, verb: bytes) -> None:
    server = ServerTls(settings).accept(pair[0])
    pair[1].sendall(verb + b" /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n")

    with pytest.raises(NoTlsError):
        server.handshake()
    pair[1].settimeout(0)
    with pytest.raises(BlockingIOError):
        pair[1].recv(1)


def test_a_client_that_hangs_up_ends_the_handshake(pair: Pair, settings: ServerTlsSettings) -> None:
    server = ServerTls(settings).accept(pair[0])
    pair[1].close()

    with pytest.raises(HandshakeError):
        server.handshake()


def test_certificates_are_renewed_for_connections_to_come(
    settings: ServerTlsSettings, tmp_path: Path
) -> None:
    tls = ServerTls(settings)
    write(issued("renewed"), tmp_path)

    before = _shown(tls)
    tls.reload()
    after = _shown(tls)

    assert (issued("server").chain[0], issued("renewed").chain[0]) == (before, after)


def test_files_that_are_no_good_leave_the_old_in_force(settings: ServerTlsSettings) -> None:
    tls = ServerTls(settings)
    settings.certificate_file.write_bytes(b"nonsense")

    with pytest.raises(TlsError, match=r"/certificate\.pem holds no certificates in PEM$"):
        tls.reload()

    assert issued("server").chain[0] == _shown(tls)


def test_a_key_must_fit_its_certificate(tmp_path: Path) -> None:
    files = write(Identity(issued("server").chain, issued("client").key), tmp_path)

    with pytest.raises(TlsError, match=r"\.pem and .*\.pem do not go together: ") as refused:
        ServerTls(ServerTlsSettings(*files))
    assert files[1] == refused.value.file


def test_a_chain_is_shown(pair: Pair, dial: Dial, tmp_path: Path) -> None:
    chain = [*issued("server").chain, *authority().chain]
    files = write(Identity(chain, issued("server").key), tmp_path)
    server = ServerTls(ServerTlsSettings(*files)).accept(pair[0])

    shake_hands(dial(client_context()), server)

    assert chain == read_identity(*files).chain


def test_an_authority_must_be_named_for_required_certificates(
    settings: ServerTlsSettings,
) -> None:
    with pytest.raises(TlsError, match="authority"):
        ServerTls(_changed(settings, client_certificates="required"))


def test_encrypted_and_missing_keys_are_named(tmp_path: Path) -> None:
    certificate_file, key_file = write(issued("server"), tmp_path)
    key_file.write_bytes(
        issued("server").key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
        )
    )

    with pytest.raises(TlsError, match=r"/key\.pem is encrypted$"):
        read_identity(certificate_file, key_file)
    key_file.write_text("nonsense")
    with pytest.raises(TlsError, match=r"/key\.pem holds no private key in PEM$") as refused:
        read_identity(certificate_file, key_file)
    assert key_file == refused.value.file
    absent = tmp_path / "absent.pem"
    with pytest.raises(TlsError, match=r"absent\.pem cannot be read: No such file"):
        read_identity(certificate_file, absent)
    with pytest.raises(TlsError, match=r"absent\.pem cannot be read: No such file"):
        read_certificates(absent)


def test_as_much_is_sent_as_there_is_room_for(
    pair: Pair, dial: Dial, settings: ServerTlsSettings
) -> None:
    server = ServerTls(settings).accept(pair[0])
    client = dial(client_context())
    shake_hands(client, server)
    received = bytearray()

    first = sent = server.send(LONG)
    while len(received) < len(LONG):
        received += client.receive() or b""
        sent += server.send(memoryview(LONG)[sent:]) if sent < len(LONG) else 0

    assert TLS_RECORD_BYTES_MAX < first < len(LONG)
    assert LONG == received


@pytest.mark.parametrize("step", [TlsTransport.handshake, TlsTransport.receive])
def test_a_handshake_may_wait_for_room(
    pair: Pair, dial: Dial, tmp_path: Path, step: Callable[[TlsTransport], object]
) -> None:
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)
    chain = issued("server").chain + authority().chain * 90
    files = write(Identity(chain, issued("server").key), tmp_path)
    server = ServerTls(ServerTlsSettings(*files)).accept(pair[0])
    client = dial(client_context())
    client.handshake()

    step(server)
    waits_for_room = server.wants_write
    shake_hands(client, server)

    assert (True, False) == (waits_for_room, server.wants_write)


def test_peers_know_each_other(pair: Pair) -> None:
    one, two = issued("one"), issued("two")
    called = PeerTls(one, authority().chain).accept(pair[0])
    calling = PeerTls(two, authority().chain).connect(pair[1])

    shake_hands(calling, called)

    assert two.chain[0] == called.peer_certificate
    assert one.chain[0] == calling.peer_certificate


def test_peers_of_another_authority_are_refused(pair: Pair) -> None:
    called = PeerTls(issued("one"), authority().chain).accept(pair[0])
    calling = PeerTls(issued("two", "stranger"), authority("stranger").chain).connect(pair[1])

    with pytest.raises(HandshakeError, match="verify failed"):
        shake_hands(calling, called)


def test_a_peer_whose_key_does_not_fit_is_no_peer() -> None:
    with pytest.raises(TlsError, match="identity of this node"):
        PeerTls(Identity(issued("one").chain, issued("two").key), authority().chain)


async def test_much_passes_where_there_is_room_for_little(pair: Pair) -> None:
    for connected in pair:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 10)
    called = PeerTls(issued("one"), authority().chain).accept(pair[0])
    calling = PeerTls(issued("two"), authority().chain).connect(pair[1])
    received = bytearray()

    async def receive() -> None:
        stream = TransportStream(calling)
        await stream.handshake()
        while chunk := await stream.receive_some():
            received.extend(chunk)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        stream = TransportStream(called)
        await stream.handshake()
        await stream.send_all(LONG)
        await stream.aclose()

    assert LONG == received
