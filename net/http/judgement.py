"""Heads of HTTP/1 that break its rules, and how they are answered.

It owns those rules (RFC 9110, RFC 9112), for both lanes: the thin lane asks here about every head
that is not of its subset, and Hypercorn gets only what passes. So it must be narrower than h11 in
everything; whatever passes, h11 understands alike. It must not know what a request means, and
repeats nothing of what a client has sent, which may be a token.
"""

import enum
import re
from typing import Final

from core.request import Response
from net.http.requests import ABSOLUTE_FORM, METHOD_NOT_ALLOWED, refusal
from net.http.settings import HEAD_BYTES_MAX

TOKEN: Final = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]"
HOST: Final = re.compile(rb"[-\w.~%!$&'()*+,;=:\[\]]*+", re.ASCII)
"""A name or an address, perhaps with a port."""
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\n"
"""What HTTP/2 begins with, as far as it looks like a head (RFC 9113, section 3.4)."""

_REQUEST_LINE: Final = re.compile(rb"(" + TOKEN + rb"++) ([!-~]++) HTTP/([0-9])\.([0-9])")
_REQUEST_LINE_BEGUN: Final = re.compile(
    rb"(?:" + TOKEN + rb"++(?: (?:[!-~]++(?: [!-~]*+)?)?)?)?\r?"
)
_FIELD: Final = re.compile(rb"(" + TOKEN + rb"++):([\t -~\x80-\xff]*+)")
# h11 takes bare line feeds too.
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,20}")

BAD_REQUEST_LINE: Final = refusal(
    400, "the request does not begin with a method, a path in printable ASCII and HTTP/1.1"
)
BAD_TARGET: Final = refusal(400, "the target of the request is no path")
BAD_HEADER: Final = refusal(400, "a header line is not a name, a colon and a value")
FOLDED_HEADER: Final = refusal(400, "a header is folded, which HTTP has dropped")
BAD_HOST: Final = refusal(400, "the Host header is missing, repeated or malformed")
BAD_LENGTH: Final = refusal(400, "Content-Length is not one number")
FRAMED_TWICE: Final = refusal(400, "a body has either a length or a transfer encoding")
CODED_TOO_EARLY: Final = refusal(400, "HTTP/1.0 knows no transfer encoding")
HEAD_TOO_LARGE: Final = refusal(431, f"the header is longer than {HEAD_BYTES_MAX} bytes")
UNKNOWN_CODING: Final = refusal(501, "the only transfer encoding is chunked")
UNKNOWN_VERSION: Final = refusal(505, "this server speaks HTTP/1.1 and HTTP/2")


class Verdict(enum.Enum):
    """Why there is no head for the thin lane, although nothing is wrong."""

    INCOMPLETE = enum.auto()
    """More bytes may make a head of it."""
    PADDED = enum.auto()
    """Empty lines come before it, which are to be ignored (RFC 9112, section 2.2)."""
    FOREIGN = enum.auto()
    """A whole head that asks for more than the thin lane offers."""
    HTTP_2 = enum.auto()
    """The preface of HTTP/2, with which only a connection may begin."""


def judge(received: bytes) -> Verdict | Response:
    """Return what the bytes begin with, or the answer to what can be no head of HTTP/1.

    After such an answer the connection has to end: where the next request begins is not certain.
    """
    if received.startswith((b"\r\n", b"\n")):
        return Verdict.PADDED
    end = _BLANK_LINE.search(received, 0, HEAD_BYTES_MAX)
    if end is None:
        return _judge_beginning(received)
    if received.startswith(PREFACE):
        return Verdict.HTTP_2
    request_line, *lines = (
        line.removesuffix(b"\r") for line in received[: end.start()].split(b"\n")
    )
    return (
        _refuse_request_line(request_line)
        or _refuse_header(request_line, lines)
        or (Verdict.FOREIGN)
    )


def refuse_target(method: bytes, target: bytes) -> Response | None:
    """Return the answer to a target that is no path, or None if it is one.

    HTTP/2 carries both as they are, so their bytes are looked at again.
    """
    if not _REQUEST_LINE.fullmatch(method + b" " + target + b" HTTP/1.1"):
        return BAD_REQUEST_LINE
    if method == b"CONNECT" or (method == b"OPTIONS" and target == b"*"):
        return METHOD_NOT_ALLOWED
    if target.startswith(b"/") or ABSOLUTE_FORM.match(target):
        return None
    return BAD_TARGET


def _judge_beginning(received: bytes) -> Verdict | Response:
    """Judge what is no whole head yet; who sends nothing of the kind need not go on."""
    line, feed, _ = received.partition(b"\n")
    line = line.removesuffix(b"\r")
    if not feed:
        refused = None if _REQUEST_LINE_BEGUN.fullmatch(received) else BAD_REQUEST_LINE
    elif PREFACE.startswith(received):
        return Verdict.INCOMPLETE
    else:
        refused = _refuse_request_line(line)
    if refused is not None:
        return refused
    return HEAD_TOO_LARGE if len(received) >= HEAD_BYTES_MAX else Verdict.INCOMPLETE


def _refuse_request_line(line: bytes) -> Response | None:
    matched = _REQUEST_LINE.fullmatch(line)
    if matched is None:
        return BAD_REQUEST_LINE
    method, target, major, _ = matched.groups()
    if major != b"1":
        return UNKNOWN_VERSION
    return refuse_target(method, target)


def _refuse_header(request_line: bytes, lines: list[bytes]) -> Response | None:
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        matched = _FIELD.fullmatch(line)
        if matched is None:
            return FOLDED_HEADER if line.startswith((b" ", b"\t")) else BAD_HEADER
        name, value = matched.groups()
        fields.setdefault(name.lower(), []).append(value.strip(b"\t "))
    is_1_0 = request_line.endswith(b"HTTP/1.0")
    hosts = fields.get(b"host", [b""] if is_1_0 else [])
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
        return BAD_HOST
    return _refuse_framing(fields, is_1_0=is_1_0)


def _refuse_framing(fields: dict[bytes, list[bytes]], *, is_1_0: bool) -> Response | None:
    """Refuse a body whose end two servers may see at different places."""
    lengths = fields.get(b"content-length")
    codings = fields.get(b"transfer-encoding")
    if lengths and codings:
        return FRAMED_TWICE
    if codings:
        if is_1_0:
            return CODED_TOO_EARLY
        return None if [coding.lower() for coding in codings] == [b"chunked"] else UNKNOWN_CODING
    if lengths:
        # A list of equal numbers is as good as one (RFC 9110, section 8.6).
        numbers = {number.strip(b"\t ") for number in b",".join(lengths).split(b",")}
        if len(numbers) != 1 or not _CONTENT_LENGTH.fullmatch(numbers.pop()):
            return BAD_LENGTH
    return None
