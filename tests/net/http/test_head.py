"""The strict head parser takes its subset, waits for what may become one, refuses the rest."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.request import Response
from net.http.head import NO_BLOCK, Block, Head, parse_head
from net.http.judgement import HEAD_TOO_LARGE, Verdict
from net.http.requests import Fields
from net.http.settings import HEAD_BYTES_MAX

HEAD = b"GET /v1/secret/data/a?version=1 HTTP/1.1\r\nHost: a\r\nX-Vault-Token: t\r\n\r\n"
LINES = b"Host: a\r\nX-Vault-Token: t\r\n"


def with_lines(*lines: bytes) -> bytes:
    """Return a head with a host and these header lines."""
    return b"".join(
        [b"PUT /v1/a HTTP/1.1\r\nHost: a\r\n", *(line + b"\r\n" for line in lines), b"\r\n"]
    )


def block(*lines: bytes) -> Block:
    """Return the header of a head that is taken."""
    head = parse_head(with_lines(*lines))
    assert isinstance(head, Head)
    return head.block


def test_a_head_is_taken_apart() -> None:
    expected = Head(
        b"GET",
        b"/v1/secret/data/a?version=1",
        Block(LINES, Fields("t", "", {}), 0, keep_alive=True),
        len(HEAD),
    )

    assert expected == parse_head(HEAD)
    assert expected == parse_head(HEAD + b"GET /v1/next")


def test_a_header_that_came_before_is_not_looked_into_again() -> None:
    first = parse_head(HEAD)
    assert isinstance(first, Head)

    second = parse_head(b"LIST /v1/other HTTP/1.1\r\n" + LINES + b"\r\n", first.block)

    assert isinstance(second, Head)
    assert second.block is first.block
    assert (b"LIST", b"/v1/other") == (second.method, second.target)


def test_a_changed_header_is_looked_into() -> None:
    first = parse_head(HEAD)
    assert isinstance(first, Head)

    second = parse_head(HEAD.replace(b"Token: t", b"Token: u"), first.block)

    assert isinstance(second, Head)
    assert "u" == second.block.fields.token


@pytest.mark.parametrize("method", [b"DELETE", b"GET", b"LIST", b"OPTIONS", b"get", b"B-R.E_W"])
def test_all_verbs_are_taken_as_they_are(method: bytes) -> None:
    head = parse_head(method + b" /v1/a HTTP/1.1\r\nHost: a\r\n\r\n")

    assert isinstance(head, Head)
    assert method == head.method


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Connection: keep-alive", True),
        (b"connection: Keep-Alive", True),
        (b"Connection: close", False),
        (b"CONNECTION: CLOSE", False),
        (b"Connection: keep-alive, te", True),
        (b"Connection: Upgrade, HTTP2-Settings", True),
        (b"Connection: te ,\tclose", False),
    ],
)
def test_the_connection_ends_when_the_client_says_so(line: bytes, *, expected: bool) -> None:
    assert expected == block(line).keep_alive


def test_the_length_of_the_body_is_read() -> None:
    assert 17 == block(b"Content-Length: 17").content_length
    assert 7 == block(b"content-length:007").content_length


def test_padding_before_a_value_is_dropped() -> None:
    assert "t" == block(b"X-Vault-Token: \t t").fields.token
    assert "t" == block(b"X-Vault-Token:t").fields.token


@pytest.mark.parametrize(
    "head",
    [
        b"GET http://a/v1/a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/a HTTP/1.0\r\nHost: a\r\n\r\n",
        b"GET /v1/a HTTP/1.1\nHost: a\n\n",
        b"GET /v1/a HTTP/1.1\r\nHost: a\n\r\n",
        with_lines(b"Transfer-Encoding: chunked"),
        with_lines(b"Expect: 100-continue"),
        with_lines(b"Content-Length: 1, 1"),
        with_lines(b"Content-Length: 1234567890123"),
        with_lines(b"X-A: x "),
        with_lines(b"X-A: \xc3\xa4"),
    ],
)
def test_what_is_odd_but_sound_is_foreign(head: bytes) -> None:
    assert Verdict.FOREIGN == parse_head(head)


@pytest.mark.parametrize(
    "line",
    [
        b"Upgrade: websocket",
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
        b"TE: trailers",
        b"Trailer: x",
    ],
)
def test_what_is_only_offered_is_ignored(line: bytes) -> None:
    assert isinstance(parse_head(with_lines(line)), Head)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/a HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /v1/a HTTP/1.1\r\n\r\n",
        b"GET /v1/a HTTP/1.1\r\nHost: a b\r\n\r\n",
        with_lines(b"Content-Length: -1"),
        with_lines(b"Host: b"),
        with_lines(b"X-A: \x00"),
    ],
)
def test_what_breaks_the_rules_is_refused(head: bytes) -> None:
    assert isinstance(parse_head(head), Response)


@pytest.mark.parametrize("line", [b"Content-Length: 1", b"X-Vault-Token: t", b"X-Other: a"])
def test_what_comes_twice_is_foreign(line: bytes) -> None:
    assert isinstance(parse_head(with_lines(line)), Head)
    assert Verdict.FOREIGN == parse_head(with_lines(line, line.upper()))


@pytest.mark.parametrize("size", range(1, len(HEAD)))
def test_the_beginning_of_a_head_is_incomplete(size: int) -> None:
    assert Verdict.INCOMPLETE == parse_head(HEAD[:size])


def test_a_head_has_a_bound() -> None:
    room = HEAD_BYTES_MAX - len(with_lines(b"X-A: "))

    assert isinstance(parse_head(with_lines(b"X-A: " + b"x" * room)), Head)
    assert HEAD_TOO_LARGE == parse_head(with_lines(b"X-A: x" + b"x" * room))


HEADER_NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Connection", b"X-Vault-Token", b"Accept", b"X-1", b"Te"]
)
HEADER_VALUES = st.one_of(
    st.sampled_from([b"a", b"close", b"keep-alive", b"0", b"5", b"", b"a  b", b"*/*"]),
    st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=6).map(
        lambda text: text.encode("latin-1")
    ),
)


@given(
    st.sampled_from([b"GET", b"LIST", b"PUT", b"OPTIONS"]),
    st.one_of(
        st.sampled_from([b"/v1/a", b"/", b"*", b"/v1/%C3%A4?x=y"]),
        st.binary(min_size=1, max_size=6).map(lambda raw: b"/" + raw),
    ),
    st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=5),
    st.sampled_from([b": ", b":", b":\t"]),
)
def test_whatever_is_taken_h11_understands_alike(
    method: bytes, target: bytes, headers: list[tuple[bytes, bytes]], colon: bytes
) -> None:
    raw = b"%b %b HTTP/1.1\r\nHost: a\r\n" % (method, target)
    raw += b"".join(name + colon + value + b"\r\n" for name, value in headers) + b"\r\n"
    head = parse_head(raw, NO_BLOCK)
    if not isinstance(head, Head):
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)

    event = connection.next_event()

    assert isinstance(event, h11.Request)
    assert (head.method, head.target) == (event.method, event.target)
    understood = dict(event.headers)
    assert head.block.content_length == int(understood.get(b"content-length", b"0"))
    assert head.block.fields.token == understood.get(b"x-vault-token", b"").decode("ascii")


def test_a_token_is_not_shown() -> None:
    """What is printed by mistake reaches logs."""
    head = parse_head(with_lines(b"X-Vault-Token: hvs.marker", b"Authorization: Bearer hvs.marker"))

    assert isinstance(head, Head)
    assert "hvs.marker" == head.block.fields.token
    assert "marker" not in repr(head) + repr(head.block.fields)
