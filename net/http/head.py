"""The strict head parser of the thin lane.

It owns the subset of HTTP/1.1 (RFC 9112) that the thin lane serves, and knows no meaning. One
regular expression takes a whole head or refuses it: a known verb, a target in origin form,
regular header lines in ASCII, the body framed by `Content-Length` or absent. It must be
narrower than h11 in everything, since whatever it refuses is h11's to judge.

Clients send the same header lines with every request of a connection, so the block that was
understood last is kept and compared before it is looked into again.
"""

import enum
import re
from typing import Final, Literal

import msgspec

from net.http.requests import Fields, read_fields
from net.http.settings import HEAD_BYTES_MAX

_TOKEN: Final = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]"
_HEAD: Final = re.compile(
    rb"(DELETE|GET|HEAD|LIST|PATCH|POST|PUT) (/[!-~]*+) HTTP/1\.1\r\n"
    rb"((?:" + _TOKEN + rb"++:[\t -~]*+(?<![\t ])\r\n)++)\r\n"
)
_LINE: Final = re.compile(rb"([^:]++):[\t ]*+([^\r]*+)\r\n")
_CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
# h11 takes bare line feeds too.
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")

_FOREIGN_HEADERS: Final = frozenset(
    {b"expect", b"http2-settings", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
_CONNECTION: Final = {b"keep-alive": True, b"close": False}


class Verdict(enum.Enum):
    """Why there is no head."""

    INCOMPLETE = enum.auto()
    FOREIGN = enum.auto()


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


def parse_head(
    received: bytes, last: Block = NO_BLOCK
) -> Head | Literal[Verdict.INCOMPLETE, Verdict.FOREIGN]:
    """Return the head that `received` begins with, or why there is none.

    Args:
        received: what the client has sent.
        last: the header of the request before on the same connection.
    """
    matched = _HEAD.match(received, 0, HEAD_BYTES_MAX)
    if matched is None:
        return _verdict(received)
    method, target, lines = matched.groups()
    block = last if lines == last.lines else _read_block(lines)
    if block is None:
        return Verdict.FOREIGN
    return Head(method, target, block, matched.end())


def _verdict(received: bytes) -> Literal[Verdict.INCOMPLETE, Verdict.FOREIGN]:
    """Tell whether more bytes could still make a head of this."""
    if (
        len(received) >= HEAD_BYTES_MAX
        or not received[:1].isupper()
        or _BLANK_LINE.search(received)
    ):
        return Verdict.FOREIGN
    return Verdict.INCOMPLETE


def _read_block(lines: bytes) -> Block | None:
    """Return the header, or None if it asks for more than this lane offers."""
    pairs = _LINE.findall(lines)
    headers = {name.lower(): value for name, value in pairs}
    if (
        len(headers) != len(pairs)
        or b"host" not in headers
        or not _FOREIGN_HEADERS.isdisjoint(headers)
    ):
        return None
    content_length = headers.get(b"content-length", b"0")
    keep_alive = _CONNECTION.get(headers.get(b"connection", b"keep-alive").lower())
    if keep_alive is None or not _CONTENT_LENGTH.fullmatch(content_length):
        return None
    return Block(lines, read_fields(headers), int(content_length), keep_alive)
