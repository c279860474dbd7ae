"""Answers as JSON text, in the shapes that Vault's clients expect.

Owns the envelope and the error shape. Must not know what an answer is about.
"""

from typing import Any, Final

import msgspec

from core.engines.call import RequestError, Result
from core.request import Response
from core.vault.reply import Auth, Reply

encode: Final = msgspec.json.Encoder().encode

_ENVELOPE_KEYS: Final = (
    "request_id",
    "lease_id",
    "renewable",
    "lease_duration",
    "data",
    "wrap_info",
    "warnings",
    "auth",
    "mount_type",
)
_OK: Final = 200
_NO_CONTENT: Final = 204

_HEAD: Final = b'{"request_id":"'
_LEASE: Final = b'","lease_id":"","renewable":false,"lease_duration":'
_DATA: Final = b',"data":'
_WRAP: Final = b',"wrap_info":null,"warnings":'
_AUTH: Final = b',"auth":'
_MOUNT: Final = b',"mount_type":"'
_NULL: Final = b"null"


def succeed(result: Result, request_id: str, mount_type: str) -> Response:
    """Return the answer that `result` makes: an envelope, a bare body or nothing at all."""
    reply = result if isinstance(result, Reply) else None
    data = result.data
    if reply is not None and reply.bare:
        return Response(result.status, encode(data) + b"\n")
    auth = reply.auth if reply is not None else None
    if data is None and auth is None and not result.warnings:
        return Response(_NO_CONTENT) if result.status == _OK else failure(result.status)
    body = b"".join(
        (
            _HEAD,
            request_id.encode(),
            _LEASE,
            str(result.lease_duration_s).encode(),
            _DATA,
            _NULL if data is None else encode(data),
            _WRAP,
            encode(result.warnings) if result.warnings else _NULL,
            _AUTH,
            _NULL if auth is None else encode(_auth(auth)),
            _MOUNT,
            mount_type.encode(),
            b'"',
            _repeat(data) if reply is not None and reply.repeated and data else b"",
            b"}\n",
        )
    )
    return Response(result.status, body)


def _repeat(data: dict[str, Any]) -> bytes:
    """Return the keys of `data` once more, for clients that look for them at the top level."""
    repeated = {key: value for key, value in data.items() if key not in _ENVELOPE_KEYS}
    return b"," + encode(repeated)[1:-1] if repeated else b""


def _auth(auth: Auth) -> dict[str, Any]:
    policies = list(auth.policies)
    return {
        "client_token": auth.client_token,
        "accessor": auth.accessor,
        "policies": policies,
        "token_policies": policies,
        "metadata": auth.metadata,
        "lease_duration": auth.lease_duration_s,
        "renewable": auth.renewable,
        "entity_id": "",
        "token_type": "service",
        "orphan": auth.orphan,
        "mfa_requirement": None,
        "num_uses": auth.num_uses,
    }


def failure(
    status: int,
    *messages: str,
    data: dict[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an error in Vault's shape."""
    body: dict[str, Any] = {"errors": list(messages)}
    if data is not None:
        body["data"] = data
    if warnings:
        body["warnings"] = list(warnings)
    return Response(status, encode(body) + b"\n", headers or {})


def refuse(error: RequestError) -> Response:
    """Return the answer to a caller who is at fault."""
    return failure(error.status, *error.messages, data=error.data, warnings=error.warnings)
