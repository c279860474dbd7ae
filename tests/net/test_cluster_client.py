"""Asking the API of a cluster: what it answers, or why it does not."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.effects import AskCluster, ClusterAddress
from core.events import ClusterAnswered
from core.request import Response
from net import cluster_client
from net.cluster_client import ask_cluster
from net.tls import Identity
from tests.net import certificates


class Server:
    """Answers every request with the same bytes.

    Attributes:
        requests: what was asked.
        certificates: what its clients have proved, in DER; None for those without.
    """

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.certificates: list[bytes | None] = []
        self._answers = list(answers)
        self._tls = tls

    async def serve(self, plain: trio.SocketStream) -> None:
        stream: trio.abc.Stream = plain
        if self._tls is not None:
            secured = trio.SSLStream(plain, self._tls, server_side=True, https_compatible=True)
            try:
                await secured.do_handshake()
            except trio.BrokenResourceError:
                return
            self.certificates.append(secured.getpeercert(binary_form=True))
            stream = secured
        async with stream:
            received = b""
            while not received.endswith(b"{}"):
                received += await stream.receive_some()
            self.requests.append(received)
            await stream.send_all(self._answers.pop(0))


class HastyServer(Server):
    """Answers whatever comes first, as one for plain HTTP does to a handshake of TLS."""

    async def serve(self, plain: trio.SocketStream) -> None:
        async with plain:
            self.requests.append(bytes(await plain.receive_some()))
            await plain.send_all(self._answers.pop(0))


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    """Serve, and return the address."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(_serve, server)
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def _serve(
    server: Server,
    task_status: trio.TaskStatus[list[trio.SocketListener]],
) -> None:
    await trio.serve_tcp(server.serve, 0, host="127.0.0.1", task_status=task_status)


def answer(status: str, body: bytes = b"", *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def question(url: str, **address: str) -> AskCluster:
    return AskCluster(7, ClusterAddress(url, **address), "sys/a", b"{}")


async def test_the_answer_is_handed_on() -> None:
    server = Server(answer("400 Bad Request", b"reason"))
    async with serving(server) as address:
        answered = await ask_cluster(question(f"http://{address}/"))

    assert ClusterAnswered(7, "sys/a", Response(400, b"reason")) == answered
    assert b"POST /v1/sys/a HTTP/1.1" == server.requests[0].split(b"\r\n")[0]


async def test_a_follower_sends_to_its_leader() -> None:
    leader = Server(answer("200 OK", b"yes"))
    async with serving(leader) as address:
        location = f"Location: http://{address}/v1/sys/a"
        follower = Server(answer("307 Temporary Redirect", b"", location))
        async with serving(follower) as other:
            answered = await ask_cluster(question(f"http://{other}"))

    assert Response(200, b"yes") == answered.response
    assert leader.requests[0].endswith(b"{}")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1", b"it cannot be reached: Connection refused"),
        ("https://127.0.0.1:1", b"it cannot be reached: Connection refused"),
        ("http://nowhere.invalid", b"it cannot be reached: "),
        ("http://[::1", b"its address cannot be used: "),
        ("ftp://127.0.0.1", b"its address cannot be used: "),
    ],
)
async def test_no_answer_has_a_reason_in_words(url: str, reason: bytes) -> None:
    answered = await ask_cluster(question(url))

    assert 0 == answered.response.status
    assert answered.response.body.startswith(reason)
    assert b"Errno" not in answered.response.body


@pytest.mark.parametrize("address", [{"authority": "x"}, {"client_certificate": "x"}])
async def test_certificates_that_are_none_are_told(address: dict[str, str]) -> None:
    """Before anybody is asked."""
    answered = await ask_cluster(question("https://127.0.0.1:1", **address))

    assert 0 == answered.response.status
    assert answered.response.body.startswith(
        b"the certificates to trust or to show cannot be used: "
    )


async def test_who_does_not_speak_tls_is_told_apart() -> None:
    async with serving(HastyServer(answer("400 Bad Request"))) as address:
        answered = await ask_cluster(question(f"https://{address}"))

    assert b"TLS with it has failed: wrong version number" == answered.response.body


async def test_an_answer_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_client, "ANSWER_BYTES_MAX", 10)
    async with serving(Server(answer("200 OK", b"x" * 11), answer("200 OK", b"x" * 10))) as address:
        answered = [await ask_cluster(question(f"http://{address}")) for _ in range(2)]

    assert [0, 200] == [each.response.status for each in answered]
    assert b"its answer cannot be used: it has more than 10 bytes" == answered[0].response.body


async def test_a_stream_may_not_be_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one piece it would never come."""
    monkeypatch.setattr(cluster_client, "ANSWER_BYTES_MAX", 10)
    chunks = b"b\r\n" + b"x" * 11 + b"\r\n"
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(Server(start + chunks, start + b"1\r\nx\r\n")) as address:
        endless = await ask_cluster(question(f"http://{address}"))
        broken = await ask_cluster(question(f"http://{address}"))

    assert b"its answer cannot be used: it has more than 10 bytes" == endless.response.body
    assert broken.response.body.startswith(b"its answer cannot be used: peer closed connection")


async def test_an_answer_may_not_take_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_client, "PATIENCE_S", 0.05)
    listening = socket.create_server(("127.0.0.1", 0))
    answered = await ask_cluster(question(f"http://127.0.0.1:{listening.getsockname()[1]}"))
    listening.close()

    assert 0 == answered.response.status
    assert b"it did not answer within 0.05 s" == answered.response.body


async def test_both_sides_prove_themselves(tmp_path: Path) -> None:
    """The API by the authority that was named, this node by the certificate that was."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificates.write(certificates.issued("api"), tmp_path))
    context.load_verify_locations(cadata=_certificate(certificates.authority()))
    context.verify_mode = ssl.CERT_OPTIONAL
    server = Server(*[answer("200 OK", b"yes")] * 2, tls=context)
    client = certificates.issued("client")
    authority = _certificate(certificates.authority())
    other = _certificate(certificates.authority("other"))
    async with serving(server) as address:
        url = f"https://{address}"
        answered = [
            await ask_cluster(question(url, authority=authority)),
            await ask_cluster(
                question(
                    url,
                    authority=authority,
                    client_certificate=_certificate(client),
                    client_key=_key(client),
                )
            ),
            await ask_cluster(question(url, authority=other)),
            await ask_cluster(question(url, authority=authority, server_name="elsewhere")),
        ]

    assert [200, 200, 0, 0] == [each.response.status for each in answered]
    assert [None, client.chain[0].public_bytes(Encoding.DER)] == server.certificates[:2]
    for refused, reason in zip(
        answered[2:], (b"its certificate is not trusted: ", b"elsewhere"), strict=True
    ):
        assert reason in refused.response.body


def _certificate(identity: Identity) -> str:
    return identity.chain[0].public_bytes(Encoding.PEM).decode()


def _key(identity: Identity) -> str:
    key: bytes = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.decode()


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there; and what joins a cluster is no other server's business."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("HTTP_PROXY", nobody)
    monkeypatch.setenv("ALL_PROXY", nobody)
    server = Server(answer("200 OK", b"{}"))
    async with serving(server) as place:
        answered = await ask_cluster(question(f"http://{place}"))

    assert answered == ClusterAnswered(7, "sys/a", Response(200, b"{}"))
