"""Asks the API of a cluster that a node wants to join.

Owns one HTTP request. Must not know what is asked.
"""

import ssl
import tempfile
from pathlib import Path
from typing import Final

import httpx

from core.effects import AskCluster, ClusterAddress
from core.events import ClusterAnswered
from core.request import Response

PATIENCE_S: Final = 10.0
_NO_ANSWER: Final = 0


async def ask_cluster(effect: AskCluster) -> ClusterAnswered:
    """Return what the cluster answers; a status of 0 says why there is no answer."""
    address = effect.address
    url = f"{address.api_address.rstrip('/')}/v1/{effect.path}"
    names = {"sni_hostname": address.server_name} if address.server_name else {}
    try:
        async with httpx.AsyncClient(
            verify=_context(address), timeout=PATIENCE_S, follow_redirects=True
        ) as client:
            answer = await client.post(url, content=effect.body, extensions=names)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        return ClusterAnswered(effect.path, Response(_NO_ANSWER, reason.encode()))
    return ClusterAnswered(effect.path, Response(answer.status_code, answer.content))


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
