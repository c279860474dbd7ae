"""The strict head parser of the thin lane.

It owns the subset of HTTP/1.1 (RFC 9112) that the thin lane serves, and knows no meaning. One
regular expression takes a whole head or does not: a target in origin form, regular header lines
in ASCII, the body framed by `Content-Length` or absent. It must be narrower than
`net.http.judgement` in everything, which says what whatever it does not take is.

Clients send the same header lines with every request of a connection, so the block that was
understood last is kept and compared before it is looked into again.
"""

import re
from typing import Final

import msgspec

from core.request import Response
from net.http.judgement import HOST, TOKEN, Verdict, judge
from net.http.requests import Fields, read_fields
from net.http.settings import HEAD_BYTES_MAX

_HEAD: Final = re.compile(
    rb"(" + TOKEN + rb"++) (/[!-~]*+) HTTP/1\.1\r\n"
    rb"((?:" + TOKEN + rb"++:[\t -~]*+(?<![\t ])\r\n)++)\r\n"
)
_LINE: Final = re.compile(rb"([^:]++):[\t ]*+([^\r]*+)\r\n")
_CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,12}")

_FOREIGN_HEADERS: Final = frozenset({b"expect", b"transfer-encoding"})


class Block(msgspec.Struct, frozen=True):
    """The header lines of a request, understood.

    Attributes:
        lines: as they came.
        fields: what they say about the meaning of the request.
        content_length: the length of the body; 0 if there is none.
        keep_alive: whether the client may send another request.
    """

    lines: bytes
    fields: Fields
    content_length: int
    keep_alive: bool

    def __repr__(self) -> str:
        """Leave out the lines, one of which is the token, that must reach no log."""
        return f"Block(content_length={self.content_length}, keep_alive={self.keep_alive})"


NO_BLOCK: Final = Block(b"", Fields("", "", {}), 0, keep_alive=True)


class Head(msgspec.Struct, frozen=True):
    """One head.

    Attributes:
        method: the verb.
        target: path and query string, undecoded.
        block: the header.
        size: how many bytes it took.
    """

    method: bytes
    target: bytes
    block: Block
    size: int


def parse_head(received: bytes, last: Block = NO_BLOCK) -> Head | Verdict | Response:
    """Return the head that `received` begins with, why there is none, or how it is refused.

    Args:
        received: what the client has sent.
        last: the header of the request before on the same connection.
    """
    matched = _HEAD.match(received, 0, HEAD_BYTES_MAX)
    if matched is None:
        return judge(received)
    method, target, lines = matched.groups()
    block = last if lines == last.lines else _read_block(lines)
    if block is None:
        return judge(received)
    return Head(method, target, block, matched.end())


def _read_block(lines: bytes) -> Block | None:
    """Return the header, or None if it asks for more than this lane offers, or is wrong."""
    pairs = _LINE.findall(lines)
    headers = {name.lower(): value for name, value in pairs}
    host = headers.get(b"host")
    if (
        len(headers) != len(pairs)
        or host is None
        or not HOST.fullmatch(host)
        or not _FOREIGN_HEADERS.isdisjoint(headers)
    ):
        return None
    content_length = headers.get(b"content-length", b"0")
    if not _CONTENT_LENGTH.fullmatch(content_length):
        return None
    # A client may offer other protocols here; none of them is taken (RFC 9110, section 7.8).
    options = headers.get(b"connection", b"").lower().split(b",")
    keep_alive = all(option.strip(b"\t ") != b"close" for option in options)
    return Block(lines, read_fields(headers), int(content_length), keep_alive)
