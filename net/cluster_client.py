"""Asks the API of a cluster that a node wants to join.

Owns one HTTP request. Must not know what is asked.
"""

import ssl
import tempfile
from pathlib import Path
from typing import Final

import httpx
import trio

from core.effects import AskCluster, ClusterAddress
from core.events import ClusterAnswered
from core.request import Response

PATIENCE_S: Final = 10.0
"""How long one question may take, redirections included."""
ANSWER_BYTES_MAX: Final = 1 << 20

_NO_ANSWER: Final = 0
_CAUSES_MAX: Final = 8


async def ask_cluster(effect: AskCluster) -> ClusterAnswered:
    """Return what the cluster answers; a status of 0 says why there is no answer."""
    try:
        with trio.fail_after(PATIENCE_S):
            response = await _ask(effect)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, trio.TooSlowError) as error:
        reason = f"{type(error).__name__}: {_reason(error)}"
        response = Response(_NO_ANSWER, reason.encode())
    return ClusterAnswered(effect.question, effect.path, response)


async def _ask(effect: AskCluster) -> Response:
    address = effect.address
    url = f"{address.api_address.rstrip('/')}/v1/{effect.path}"
    names = {"sni_hostname": address.server_name} if address.server_name else {}
    async with httpx.AsyncClient(
        verify=_context(address),
        timeout=PATIENCE_S,
        follow_redirects=True,
        headers={"Accept-Encoding": "identity"},
        # Members talk to each other, not by way of a proxy that the environment may name.
        trust_env=False,
    ) as client:
        request = client.build_request("POST", url, content=effect.body, extensions=names)
        answer = await client.send(request, stream=True)
        return Response(answer.status_code, await _read(answer))


async def _read(answer: httpx.Response) -> bytes:
    """Return the whole body, and close."""
    body = bytearray()
    try:
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                await answer.aclose()  # which ends the loop in one way or the other
    except httpx.HTTPError:
        if len(body) <= ANSWER_BYTES_MAX:
            raise
    await answer.aclose()
    if len(body) > ANSWER_BYTES_MAX:
        raise ValueError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _reason(error: BaseException) -> str:
    """Return what an error says, or what the one behind it does: the layers above often don't."""
    cause: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        if cause is None or str(cause):
            break
        cause = cause.__cause__ or cause.__context__
    return str(cause or "")


def _context(address: ClusterAddress) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=address.authority or None)
    if address.client_certificate:
        # Python's ssl takes a client certificate from files only.
        with tempfile.TemporaryDirectory() as name:
            certificate, key = Path(name, "certificate"), Path(name, "key")
            key.touch(mode=0o600)
            certificate.write_text(address.client_certificate)
            key.write_text(address.client_key)
            context.load_cert_chain(certificate, key)
    return context
