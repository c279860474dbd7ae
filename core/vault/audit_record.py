"""Audit records: one JSON line for a request, one for its answer.

Owns the shape of both, which is Vault's, and what is hidden in them: tokens, and every text within
what was sent and what is answered; numbers, truth values and the names of fields stay in the clear.
Must not know where the lines go.

Each request is recorded twice on its way, so what is the same for all requests of one token is
encoded once. What is kept for this is what is recorded, so no secret unless a device is to log raw.
"""

from typing import Any, Final

import msgspec

from core.moment import NANOSECONDS_PER_SECOND
from core.vault import bodies
from core.vault.audit_devices import AuditDevice, KnownToken
from core.vault.outcome import Exchange
from core.vault.reply import Auth, Reply
from core.vault.rfc3339 import format_ns
from core.vault.token_entry import TokenEntry

TOKENS_MAX: Final = 4_096
"""Tokens of which a device keeps what their records have in common."""

AUTHS_MAX: Final = 64
"""Combinations of granting policies for which it does so, for each token."""

HEADERS: Final = ("user-agent", "x-correlation-id", "correlation-id")
"""Request headers that are recorded, in the clear."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(float_hook=bodies.number).decode

_AUTH_PREFIX: Final = "auth/"
_SERVICE: Final = "service"


class _PolicyResults(msgspec.Struct):
    allowed: bool
    granting_policies: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET


class _Auth(msgspec.Struct, omit_defaults=True, gc=False):
    """Whose request it is, or whose token was handed out."""

    client_token: str = ""
    accessor: str = ""
    display_name: str = ""
    policies: tuple[str, ...] = ()
    token_policies: tuple[str, ...] = ()
    policy_results: _PolicyResults | None = None
    metadata: dict[str, str] | None = None
    remaining_uses: int = 0
    num_uses: int = 0
    token_type: str = ""
    token_ttl: int = 0
    token_issue_time: str = ""


class _Namespace(msgspec.Struct):
    id: str


class _Request(msgspec.Struct, omit_defaults=True, gc=False):
    id: str
    operation: str
    namespace: _Namespace
    path: str
    client_token: str = ""
    client_token_accessor: str = ""
    mount_point: str = ""
    mount_type: str = ""
    mount_accessor: str = ""
    mount_class: str = ""
    data: dict[str, Any] | None = None
    headers: dict[str, tuple[str]] | None = None
    remote_address: str = ""
    remote_port: int = 0


class _Response(msgspec.Struct, omit_defaults=True, gc=False):
    mount_point: str = ""
    mount_type: str = ""
    mount_accessor: str = ""
    mount_class: str = ""
    auth: _Auth | None = None
    data: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()


class _Line(msgspec.Struct, omit_defaults=True, gc=False):
    time: str
    type: str
    auth: msgspec.Raw
    request: msgspec.Raw
    response: _Response | None = None
    error: str = ""
    forwarded_from: str = ""


_ROOT_NAMESPACE: Final = _Namespace("root")
_NOBODY: Final = msgspec.Raw(b'{"token_type":"default"}')
"""The `auth` object of a request without a token that is known."""


def request_line(device: AuditDevice, exchange: Exchange, wall_ns: int) -> bytes:
    """Return the record of a request as one line of JSON, ended by a newline."""
    auth, request = _asked(device, exchange)
    return _line(device, exchange, "request", format_ns(wall_ns), auth, request, None)


def response_line(device: AuditDevice, exchange: Exchange, wall_ns: int) -> bytes:
    """Return the record of an answer as one line of JSON, ended by a newline."""
    auth, request = _asked(device, exchange)
    response = _answered(device, exchange)
    return _line(device, exchange, "response", format_ns(wall_ns), auth, request, response)


def both_lines(device: AuditDevice, exchange: Exchange, wall_ns: int) -> bytes:
    """Return the records of a request and of its answer, made at one time, as two lines."""
    auth, request = _asked(device, exchange)
    time = format_ns(wall_ns)
    response = _answered(device, exchange)
    return _line(device, exchange, "request", time, auth, request, None) + _line(
        device, exchange, "response", time, auth, request, response
    )


def _line(
    device: AuditDevice,
    exchange: Exchange,
    kind: str,
    time: str,
    auth: msgspec.Raw,
    request: msgspec.Raw,
    response: _Response | None,
) -> bytes:
    forwarded_from = exchange.request.forwarded_from
    line = _Line(time, kind, auth, request, response, exchange.error, forwarded_from)
    return device.prefix + _encode(line) + b"\n"


# -- what was asked ---------------------------------------------------------------------------


def _asked(device: AuditDevice, exchange: Exchange) -> tuple[msgspec.Raw, msgspec.Raw]:
    """Return the `auth` and the `request` object, encoded: mostly both records are made of them."""
    request = exchange.request
    token = exchange.token
    auth = _NOBODY
    client_token = accessor = ""
    if token is not None:
        known = device.known_tokens.get(token.name)
        if known is None or known.entry is not token:
            known = _known(device, token, request.token, known)
        client_token = known.client_token
        accessor = known.accessor
        granting = exchange.granting_policies if exchange.allowed else None
        auth = known.auths.get(granting) or _auth(known, granting)
    elif request.token:
        client_token = _shown(device, request.token)
    data = exchange.body or request.parameters
    mount = exchange.mount_path
    shown = _Request(
        exchange.request_id,
        request.operation,
        _ROOT_NAMESPACE,
        request.path,
        client_token,
        accessor,
        mount,
        exchange.mount_type,
        exchange.mount_accessor,
        _mount_class(mount),
        _shown_data(device, data) if data else None,
        _headers(request.headers) if request.headers else None,
        request.client_address,
        request.client_port,
    )
    return auth, msgspec.Raw(_encode(shown))


def _mount_class(mount: str) -> str:
    if not mount:
        return ""
    return "auth" if mount.startswith(_AUTH_PREFIX) else "secret"


def _headers(headers: dict[str, str]) -> dict[str, tuple[str]] | None:
    return {name: (headers[name],) for name in HEADERS if name in headers} or None


def _known(
    device: AuditDevice, token: TokenEntry, client_token: str, before: KnownToken | None
) -> KnownToken:
    """Return what the records of a token have in common, from now on."""
    tokens = device.known_tokens
    if before is not None:
        # The entry has changed; the token that goes by this name can't.
        known = KnownToken(token, before.client_token, before.accessor, {})
    else:
        accessor = _shown(device, token.accessor) if device.hmac_accessor else token.accessor
        known = KnownToken(token, _shown(device, client_token), accessor, {})
        if len(tokens) >= TOKENS_MAX:
            del tokens[next(iter(tokens))]
    tokens[token.name] = known
    return known


def _auth(known: KnownToken, granting: tuple[str, ...] | None) -> msgspec.Raw:
    """Encode the `auth` object of a token for a request that these policies granted."""
    entry = known.entry
    results = _PolicyResults(allowed=granting is not None)
    if granting:
        results.granting_policies = [
            {"name": name, "namespace_id": "root", "type": "acl"} for name in granting
        ]
    auth = _Auth(
        known.client_token,
        known.accessor,
        entry.display_name,
        entry.policies,
        entry.policies,
        results,
        entry.metadata,
        max(entry.uses_left, 0),
        0,
        entry.type,
        entry.ttl_s,
        # Vault has this time, and no other, in whole seconds.
        format_ns(entry.created_ns - entry.created_ns % NANOSECONDS_PER_SECOND),
    )
    if len(known.auths) >= AUTHS_MAX:
        known.auths.clear()
    known.auths[granting] = encoded = msgspec.Raw(_encode(auth))
    return encoded


# -- what was answered ------------------------------------------------------------------------


def _answered(device: AuditDevice, exchange: Exchange) -> _Response | None:
    """Return the `response` object; None of a request that was refused."""
    result = exchange.result
    if result is None:
        return None
    data = result.data
    if data and device.elide_list_responses and exchange.request.operation == "list":
        data = {
            name: len(value) if isinstance(value, list | dict) else value
            for name, value in data.items()
        }
    auth = result.auth if isinstance(result, Reply) else None
    return _Response(
        exchange.mount_path,
        exchange.mount_type,
        exchange.mount_accessor,
        _mount_class(exchange.mount_path),
        None if auth is None else _handed_out(device, auth),
        _shown_data(device, data) if data else None,
        result.warnings,
    )


def _handed_out(device: AuditDevice, auth: Auth) -> _Auth:
    return _Auth(
        client_token=_shown(device, auth.client_token),
        accessor=_shown(device, auth.accessor) if device.hmac_accessor else auth.accessor,
        display_name=auth.display_name,
        policies=auth.policies,
        token_policies=auth.policies,
        metadata=auth.metadata,
        num_uses=auth.num_uses,
        token_type=_SERVICE,
        token_ttl=auth.lease_duration_s,
    )


# -- what is hidden ---------------------------------------------------------------------------


def _shown(device: AuditDevice, text: str) -> str:
    return text if device.log_raw else device.hash(text)


def _shown_data(device: AuditDevice, data: dict[str, Any]) -> dict[str, Any]:
    """Return `data` with a hash in place of each text, however deep.

    The work goes by a list and not by recursion, as clients choose the depth.
    """
    if device.log_raw:
        return data
    hashed = device.hash
    shown: dict[str, Any] = {}
    pending: list[tuple[Any, Any]] = [(data, shown)]
    while pending:
        source, target = pending.pop()
        items = source.items() if type(source) is dict else enumerate(source)
        for key, value in items:
            if type(value) is msgspec.Raw:
                value = _decode(value)  # noqa: PLW2901 -- the same value, only readable
            kind = type(value)
            if kind is str:
                target[key] = hashed(value)
            elif kind is dict:
                target[key] = {}
                pending.append((value, target[key]))
            elif kind is list or kind is tuple:
                target[key] = [None] * len(value)
                pending.append((value, target[key]))
            else:
                target[key] = value
    return shown
