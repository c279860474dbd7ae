"""The one entry: what either lane has read becomes a `Request`, or an immediate answer.

It owns the way from verb, target, header and body to `core.request`. It must not know which
lane asks nor how a request is framed, and parses no JSON. Unless noted, the rules are those
that Vault's own handlers show to clients.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from core.request import Operation, Request, Response

PARAMETERS_MAX: Final = 256
"""Fields of a query string or of a form."""

MERGE_PATCH: Final = "application/merge-patch+json"
FORM: Final = "application/x-www-form-urlencoded"

FORWARDED_HEADERS: Final = frozenset(
    {
        b"correlation-id",
        b"user-agent",
        b"x-correlation-id",
        b"x-holdfast-read",
        b"x-vault-forward",
        b"x-vault-inconsistent",
        b"x-vault-index",
        b"x-vault-mfa",
        b"x-vault-namespace",
        b"x-vault-no-request-forwarding",
        b"x-vault-policy-override",
        b"x-vault-request",
        b"x-vault-wrap-format",
        b"x-vault-wrap-ttl",
    }
)
"""The headers that `core` gets to see; all others end here."""

_OPERATIONS: Final[dict[bytes, Operation]] = {
    b"DELETE": "delete",
    b"GET": "read",
    b"HEAD": "read",
    b"LIST": "list",
    b"PATCH": "patch",
    b"POST": "update",
    b"PUT": "update",
}

# Segments that are not empty and do not begin with a dot need no further look.
_PLAIN_PATH: Final = re.compile(rb"/v1/[\w~-][\w.~-]*+(?:/[\w~-][\w.~-]*+)*+/?", re.ASCII)
ABSOLUTE_FORM: Final = re.compile(rb"(?i:https?)://[^/]*+")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SLASHES: Final = re.compile("//+")

# What Go's strconv.ParseBool takes.
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_PREFIX: Final = b"/v1/"
_PAGES: Final = frozenset({"", "/", "/ui", "/ui/"})
"""Where a browser finds Vault's web page."""
_BAD_FORM: Final = "error parsing form data"
_BAD_QUERY: Final = "error parsing the query string"
_NO_PARAMETERS: Final[dict[str, str]] = {}


class Fields(msgspec.Struct, frozen=True):
    """What the header of a request says about its meaning.

    Attributes:
        token: `X-Vault-Token`, else the bearer token, else empty.
        media_type: the media type of the body, in lower case and without parameters.
        headers: those of `FORWARDED_HEADERS` that were sent, names in lower case.
    """

    token: str
    media_type: str
    headers: dict[str, str]

    def __repr__(self) -> str:
        """Leave out the token, which must reach no log."""
        return f"Fields(media_type={self.media_type!r}, headers={self.headers!r})"


class Client(msgspec.Struct, frozen=True):
    """Where a connection comes from: an address as text, and a port."""

    address: str
    port: int


class _RefusedError(Exception):
    """This request is answered here."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


def refusal(status: int, *messages: str) -> Response:
    """Return an error as Vault shapes it."""
    return Response(status, msgspec.json.encode({"errors": messages}))


NOT_FOUND: Final = refusal(404)
METHOD_NOT_ALLOWED: Final = refusal(405)
TIMED_OUT: Final = refusal(408, "the body of the request did not arrive in time")
TOO_LARGE: Final = refusal(413, "request body too large")
_NO_PAGE: Final = refusal(404, "there is no web page here: the API is below /v1/")


def merge_lines(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return header lines as a dictionary; names are in lower case, values without padding.

    Of a repeated header that is forwarded all values count, joined by commas (RFC 9110, 5.3);
    of any other one the first.
    """
    headers: dict[bytes, bytes] = {}
    for name, value in lines:
        if name not in headers:
            headers[name] = value
        elif name in FORWARDED_HEADERS:
            headers[name] += b"," + value
    return headers


def read_fields(headers: dict[bytes, bytes]) -> Fields:
    """Return what a header says; names are in lower case, values without padding."""
    token = headers.get(b"x-vault-token", b"")
    if not token:
        scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
        token = credentials.strip() if scheme == b"Bearer" else b""
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    forwarded = {
        name.decode("ascii"): headers[name].decode("latin-1")
        for name in FORWARDED_HEADERS.intersection(headers)
    }
    return Fields(token.decode("latin-1"), media_type.decode("latin-1"), forwarded)


def enter(
    method: bytes, target: bytes, fields: Fields, body: bytes, client: Client
) -> Request | Response:
    """Return the request that this is, or the answer to what cannot be one.

    Args:
        method: the verb, as it was sent; `get` is not `GET`.
        target: path and query string, as in the request line.
        fields: what the header says.
        body: the whole body.
        client: who asks.
    """
    try:
        raw, _, query = target.partition(b"?")
        plain = _PLAIN_PATH.fullmatch(raw)
        path = raw[len(_PREFIX) :].decode("ascii") if plain else _read_path(raw)
        parameters = dict(_pairs(query, _BAD_QUERY)) if query else _NO_PARAMETERS
        operation = _operation(method, parameters)
        if operation in ("update", "patch"):
            body = _payload(operation, fields.media_type, body)
        else:
            body = b""
    except _RefusedError as refused:
        return refused.response
    if operation == "list" and not path.endswith("/"):
        path += "/"
    return Request(
        operation, path, fields.token, body, parameters, fields.headers, client.address, client.port
    )


def _operation(method: bytes, parameters: dict[str, str]) -> Operation:
    operation = _OPERATIONS.get(method)
    if operation is None:
        raise _RefusedError(METHOD_NOT_ALLOWED)
    if not parameters:
        return operation
    if parameters.get("help"):
        return "help"
    listed = parameters.get("list") if method == b"GET" else None
    if not listed:
        return operation
    if listed not in _BOOLEANS:
        raise _RefusedError(refusal(400, f'invalid boolean "{listed}" for "list"'))
    return "list" if _BOOLEANS[listed] else operation


def _payload(operation: Operation, media_type: str, body: bytes) -> bytes:
    """Return the body as a JSON object would be sent; whether it is one, `core` finds out."""
    if operation == "patch":
        if media_type != MERGE_PATCH:
            message = f"PATCH requires Content-Type of {MERGE_PATCH}, provided {media_type}"
            raise _RefusedError(refusal(415, message))
        return body
    # curl announces a form whatever it sends, so the first byte decides.
    if media_type != FORM or not body or body.lstrip()[:1] in (b"{", b"["):
        return body
    values: dict[str, list[str]] = {}
    for name, value in _pairs(body, _BAD_FORM):
        values.setdefault(name, []).append(value)
    return msgspec.json.encode(
        {name: each[0] if len(each) == 1 else each for name, each in values.items()}
    )


def _read_path(raw: bytes) -> str:
    """Return the decoded path behind `/v1/`, without empty segments, or refuse it.

    An escaped slash is a slash, as in Go, whose clients escape paths as a whole.
    """
    path = _decode(raw)
    segments = path.split("/")
    if "." in segments or ".." in segments:
        raise _RefusedError(refusal(400, "relative paths are not supported"))
    path = _SLASHES.sub("/", path)
    if path in _PAGES:
        raise _RefusedError(_NO_PAGE)
    if not path.startswith("/v1/"):
        raise _RefusedError(NOT_FOUND)
    if path == "/v1/":
        raise _RefusedError(refusal(404, 'no handler for route "". route entry not found.'))
    return path[len(_PREFIX) :]


def _decode(raw: bytes) -> str:
    absolute = ABSOLUTE_FORM.match(raw)
    if absolute:
        raw = raw[absolute.end() :]
    if _BAD_ESCAPE.search(raw):
        raise _RefusedError(refusal(400, "the path has an invalid escape"))
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _RefusedError(refusal(400, "the path is not UTF-8")) from None
    if not path.isprintable():
        raise _RefusedError(refusal(400, "the path has non-printable characters"))
    return path


def _pairs(text: bytes, complaint: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:
        raise _RefusedError(refusal(400, complaint)) from None
