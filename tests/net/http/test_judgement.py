"""What is no head of HTTP/1 is refused, and whatever passes h11 understands alike."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.request import Response
from net.http import judgement
from net.http.head import Head, parse_head
from net.http.judgement import Verdict, judge, refuse_target
from net.http.requests import METHOD_NOT_ALLOWED
from net.http.settings import HEAD_BYTES_MAX

HOST = b"Host: a\r\n"
SOUND = (
    b"GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a HTTP/1.1\nHost: a\n\n",
    b"GET /v1/a HTTP/1.0\r\n\r\n",
    b"GET /v1/a HTTP/1.2\r\nHost: a\r\n\r\n",
    b"get /v1/a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a/v1/a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost: [::1]:8200\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET /v1/a HTTP/1.1\r\nHost: a\r\nX-A: \xc3\xa4 \r\nX-A:\r\nX-B:\t1\t2\t\r\n\r\n",
    b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5, 5\r\n\r\n",
    b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
    b"PUT /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
)
REQUEST_LINES = (
    (b"GET /v1/a", judgement.BAD_REQUEST_LINE),
    (b"GET  /v1/a HTTP/1.1", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/a  HTTP/1.1", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/a b HTTP/1.1", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/\x00 HTTP/1.1", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/\xc3\xa4 HTTP/1.1", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/a HTTP/1.1 ", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/a http/1.1", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/a HTTP/1", judgement.BAD_REQUEST_LINE),
    (b"GET /v1/a HTTP/11.1", judgement.BAD_REQUEST_LINE),
    (b"G(T /v1/a HTTP/1.1", judgement.BAD_REQUEST_LINE),
    (b" GET /v1/a HTTP/1.1", judgement.BAD_REQUEST_LINE),
    (b"GET v1/a HTTP/1.1", judgement.BAD_TARGET),
    (b"GET * HTTP/1.1", judgement.BAD_TARGET),
    (b"GET ftp://a/v1/a HTTP/1.1", judgement.BAD_TARGET),
    (b"CONNECT a:443 HTTP/1.1", METHOD_NOT_ALLOWED),
    (b"OPTIONS * HTTP/1.1", METHOD_NOT_ALLOWED),
    (b"GET /v1/a HTTP/9.9", judgement.UNKNOWN_VERSION),
    (b"GET /v1/a HTTP/2.0", judgement.UNKNOWN_VERSION),
    (b"GET /v1/a HTTP/0.9", judgement.UNKNOWN_VERSION),
)
HEADERS = (
    (b"", judgement.BAD_HOST),
    (HOST + HOST, judgement.BAD_HOST),
    (b"Host: a b\r\n", judgement.BAD_HOST),
    (b"Host: a/b\r\n", judgement.BAD_HOST),
    (b"Host: \xc3\xa4\r\n", judgement.BAD_HOST),
    (HOST + b" folded\r\n", judgement.FOLDED_HEADER),
    (b"\tfolded\r\n" + HOST, judgement.FOLDED_HEADER),
    (HOST + b"no colon\r\n", judgement.BAD_HEADER),
    (HOST + b": nameless\r\n", judgement.BAD_HEADER),
    (HOST + b"X-A : x\r\n", judgement.BAD_HEADER),
    (HOST + b"X A: x\r\n", judgement.BAD_HEADER),
    (HOST + b"X-A: \x00\r\n", judgement.BAD_HEADER),
    (HOST + b"X-A: x\ry\r\n", judgement.BAD_HEADER),
    (HOST + b"X-A: \x7f\r\n", judgement.BAD_HEADER),
    (HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n", judgement.BAD_LENGTH),
    (HOST + b"Content-Length: 1, 2\r\n", judgement.BAD_LENGTH),
    (HOST + b"Content-Length: -1\r\n", judgement.BAD_LENGTH),
    (HOST + b"Content-Length: +1\r\n", judgement.BAD_LENGTH),
    (HOST + b"Content-Length: 0x1\r\n", judgement.BAD_LENGTH),
    (HOST + b"Content-Length:\r\n", judgement.BAD_LENGTH),
    (HOST + b"Content-Length: " + b"9" * 21 + b"\r\n", judgement.BAD_LENGTH),
    (HOST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", judgement.FRAMED_TWICE),
    (HOST + b"Transfer-Encoding: gzip\r\n", judgement.UNKNOWN_CODING),
    (HOST + b"Transfer-Encoding: gzip, chunked\r\n", judgement.UNKNOWN_CODING),
    (HOST + b"Transfer-Encoding: chunked\r\n" * 2, judgement.UNKNOWN_CODING),
    (HOST + b"Transfer-Encoding:\r\n", judgement.UNKNOWN_CODING),
)


@pytest.mark.parametrize("head", SOUND)
def test_what_keeps_the_rules_passes(head: bytes) -> None:
    assert Verdict.FOREIGN == judge(head + b"body")


@pytest.mark.parametrize(("line", "refusal"), REQUEST_LINES)
def test_a_request_line_that_breaks_them_is_refused_as_soon_as_it_is_whole(
    line: bytes, refusal: Response
) -> None:
    assert refusal == judge(line + b"\r\n")
    assert refusal == judge(line + b"\n\n")
    assert refusal == judge(line + b"\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize(("lines", "refusal"), HEADERS)
def test_a_header_that_breaks_them_is_refused(lines: bytes, refusal: Response) -> None:
    head = b"PUT /v1/a HTTP/1.1\r\n" + lines

    assert Verdict.INCOMPLETE == judge(head)
    assert refusal == judge(head + b"\r\n")


def test_http_1_0_has_its_own_rules() -> None:
    head = b"PUT /v1/a HTTP/1.0\r\n%b\r\n"

    assert judgement.CODED_TOO_EARLY == judge(head % b"Transfer-Encoding: chunked\r\n")
    assert judgement.BAD_HOST == judge(head % (HOST + HOST))


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02", b"\x00", b"\x80\x2e\x01", b"GET \x00"])
def test_who_sends_nothing_of_the_kind_need_not_go_on(garbage: bytes) -> None:
    assert judgement.BAD_REQUEST_LINE == judge(garbage)


@pytest.mark.parametrize("head", [*SOUND, judgement.PREFACE])
def test_the_beginning_of_a_head_is_incomplete(head: bytes) -> None:
    verdicts = {judge(head[:size]) for size in range(head.index(b"\n") + 1)}

    assert {Verdict.INCOMPLETE} == verdicts


def test_empty_lines_come_before_a_head() -> None:
    assert [Verdict.PADDED] * 2 == [judge(b"\r\nGET"), judge(b"\n\r\n")]
    assert Verdict.INCOMPLETE == judge(b"\r")


def test_the_preface_of_http_2_is_known() -> None:
    assert Verdict.HTTP_2 == judge(judgement.PREFACE + b"SM\r\n\r\n")
    assert judgement.UNKNOWN_VERSION == judge(b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n")


def test_a_head_has_a_bound() -> None:
    line = b"GET /v1/a HTTP/1.1\r\nHost: a\r\nX-A: %b\r\n\r\n"
    room = HEAD_BYTES_MAX - len(line % b"")

    assert Verdict.FOREIGN == judge(line % (b"x" * room))
    assert judgement.HEAD_TOO_LARGE == judge(line % (b"x" * (room + 1)))
    assert Verdict.INCOMPLETE == judge(b"GET /".ljust(HEAD_BYTES_MAX - 1, b"x"))
    assert judgement.HEAD_TOO_LARGE == judge(b"GET /".ljust(HEAD_BYTES_MAX, b"x"))


def test_a_target_is_judged_alone() -> None:
    assert [None, None] == [refuse_target(b"get", b"/a"), refuse_target(b"GET", b"https://a/b")]
    assert judgement.BAD_REQUEST_LINE == refuse_target(b"GET", b"/a b")
    assert judgement.BAD_REQUEST_LINE == refuse_target(b"\xff", b"/a")
    assert judgement.BAD_TARGET == refuse_target(b"GET", b"a")


LINES = st.sampled_from(
    [
        HOST,
        b"Host: a, b\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 1 , 1\r\n",
        b"content-length:\t2 \r\n",
        b"Transfer-Encoding: CHUNKED\r\n",
        b"X-A:\r\n",
        b"X-A: \xff\xfe \r\n",
        b" folded\r\n",
        b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n",
        b"Expect: 100-continue\n",
    ]
)
BYTES = st.binary(max_size=4)


@given(
    st.sampled_from([b"GET", b"get", b"HEAD", b"OPTIONS", b"B-R.E_W"]) | BYTES,
    st.sampled_from([b"/v1/a", b"*", b"http://a/b", b"a"]) | BYTES.map(lambda raw: b"/" + raw),
    st.sampled_from([b"1.1"] * 5 + [b"1.0", b"1.9", b"2.0", b"0.9"]),
    st.lists(LINES | BYTES.map(lambda raw: b"X-A: " + raw + b"\r\n"), max_size=4),
)
def test_whatever_passes_h11_understands_alike(
    method: bytes, target: bytes, version: bytes, lines: list[bytes]
) -> None:
    raw = b"%b %b HTTP/%b\r\n%b%b\r\n" % (method, target, version, HOST, b"".join(lines))
    if judge(raw) is not Verdict.FOREIGN:
        assert not isinstance(parse_head(raw), Head)
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)

    event = connection.next_event()

    assert isinstance(event, h11.Request)
    assert (method, target, version) == (event.method, event.target, event.http_version)
    assert (b"", False) == connection.trailing_data
