"""Asks the API of a cluster that a node wants to join.

Owns one HTTP request. Must not know what is asked.
"""

import os
import re
import ssl
import tempfile
from collections.abc import Iterator
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
_CAUSES_MAX: Final = 16
_SURROUNDINGS: Final = re.compile(r"^\[[^]]*\] | \(_ssl\.c:[0-9]+\)$")


async def ask_cluster(effect: AskCluster) -> ClusterAnswered:
    """Return what the cluster answers; a status of 0 says why there is no answer."""
    try:
        context = _context(effect.address)
    except (OSError, ValueError) as error:
        reason = f"the certificates to trust or to show cannot be used: {_openssl_says(error)}"
        response = Response(_NO_ANSWER, reason.encode())
    else:
        try:
            with trio.fail_after(PATIENCE_S):
                response = await _ask(effect, context)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, trio.TooSlowError) as error:
            response = Response(_NO_ANSWER, _reason(error).encode())
    return ClusterAnswered(effect.question, effect.path, response)


async def _ask(effect: AskCluster, context: ssl.SSLContext) -> Response:
    address = effect.address
    url = f"{address.api_address.rstrip('/')}/v1/{effect.path}"
    names = {"sni_hostname": address.server_name} if address.server_name else {}
    async with httpx.AsyncClient(
        verify=context,
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
        raise ValueError(f"it has more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _reason(error: BaseException) -> str:
    """Return in words why there was no answer."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted: {cause.verify_message}"
            case ssl.SSLError():
                return f"TLS with it has failed: {_openssl_says(cause)}"
            case trio.TooSlowError() | httpx.TimeoutException():
                return f"it did not answer within {PATIENCE_S:g} s"
            case OSError(errno=int(number), strerror=str(reason)):
                # What is found by name has numbers of its own; trio adds words to those of others.
                return f"it cannot be reached: {os.strerror(number) if number > 0 else reason}"
            case httpx.UnsupportedProtocol() | httpx.InvalidURL():
                return f"its address cannot be used: {cause}"
    return f"its answer cannot be used: {str(error) or type(error).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those behind it: the layers above often do not say what happened."""
    pending: list[BaseException | None] = [error]
    for _ in range(_CAUSES_MAX):
        cause = pending.pop(0) if pending else None
        if cause is None:
            return
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            pending += cause.exceptions
        else:
            pending.append(cause.__cause__ or cause.__context__)


def _openssl_says(error: Exception) -> str:
    """Return what an error says, without what Python puts around the words of OpenSSL."""
    return _SURROUNDINGS.sub("", str(error))


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
