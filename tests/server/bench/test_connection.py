"""Framing: answers come in whole, however they are cut; what is no answer is an error."""

import pytest

from server.bench.certificate import Certificate
from server.bench.connection import ANSWER_BYTES_MAX, Connection, Reply, exchange, get
from server.bench.workload import Target
from tests.server.bench.raw_server import RawServer, answer, hang_up

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
LENGTH_MAX = b"%d" % ANSWER_BYTES_MAX


@pytest.mark.parametrize("size", [0, 2, 16_384, 100_000])
@pytest.mark.parametrize("secured", [False, True])
def test_an_answer(size: int, secured: bool, certificate: Certificate) -> None:
    """Larger than one read and than one record of TLS, too."""
    body = b"x" * size
    with RawServer([answer(body)], certificate if secured else None) as server:
        assert Reply(200, body) == exchange(server.target, REQUEST)
    assert [REQUEST] == server.requests


@pytest.mark.parametrize("secured", [False, True])
def test_an_answer_in_single_bytes(secured: bool, certificate: Certificate) -> None:
    pieces = [bytes([byte]) for byte in answer(b"body", b"503 Busy")]
    with RawServer(pieces, certificate if secured else None) as server:
        reply = exchange(server.target, REQUEST)

    assert (Reply(503, b"body"), False) == (reply, reply.succeeded)


def test_no_content_needs_no_length() -> None:
    with RawServer([b"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n"]) as server:
        reply = get(server.target, "/path")

    assert (Reply(204, b""), True) == (reply, reply.succeeded)
    assert server.requests[0].startswith(b"GET /path HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_length_in_the_body_does_not_count() -> None:
    body = b"\r\ncontent-length: 1\r\n"
    with RawServer([answer(body)]) as server:
        assert Reply(200, body) == exchange(server.target, REQUEST)


def test_one_connection_serves_many_requests() -> None:
    with RawServer() as server:
        connection = Connection(server.target, None)
        replies = []
        for _ in range(3):
            connection.send(REQUEST)
            while (reply := connection.receive()) is None:
                pass
            replies.append(reply)
        connection.close()

    assert [Reply(200, b"{}")] * 3 == replies


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([hang_up], "closed the connection"),
        ([answer()[:-1], hang_up], "closed the connection"),
        ([b"HTTP/1.1 200 OK\r\n\r\n"], "no Content-Length"),
        ([answer() + answer()], "more than one answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9" + LENGTH_MAX + b"\r\n\r\n"], "exceeds"),
        ([b"HTTP/1.1 200 OK\r\n" + b"x" * (ANSWER_BYTES_MAX + 1)], "head of an answer exceeds"),
    ],
)
def test_what_is_no_answer(pieces: list[bytes], error: str) -> None:
    with RawServer(pieces) as server, pytest.raises(ConnectionError, match=error):
        exchange(server.target, REQUEST)


def test_silence_has_an_end() -> None:
    with RawServer([]) as server, pytest.raises(TimeoutError, match="no answer within"):
        exchange(server.target, REQUEST, wait_s=0.01)


def test_nobody_there() -> None:
    with RawServer() as server:
        target = server.target
    with pytest.raises(ConnectionRefusedError):
        exchange(target, REQUEST)


def test_a_request_that_the_kernel_takes_only_in_part() -> None:
    with RawServer([]) as server:
        connection = Connection(server.target, None)
        with pytest.raises(BrokenPipeError, match="whole request"):
            connection.send(b"x" * (64 << 20))
        connection.close()


def test_tls_verifies_who_answers(certificate: Certificate) -> None:
    """A server on plain HTTP is none that can be trusted."""
    with RawServer() as server:
        target = Target(server.target.host, server.target.port, str(certificate.authority_file))
        with pytest.raises(OSError, match="SSL"):
            exchange(target, REQUEST)
