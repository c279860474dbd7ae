"""`retry_join`: a node that belongs to no cluster looks for one until it is let in.

Owns the order and the pauses. Works through the node's own API, as an operator would.
"""

from pathlib import Path
from typing import Final

import msgspec
import structlog
import trio

from core.request import Request, Response
from net.http.application import Application, answer
from server.config.configuration import InmemStorage, RaftStorage, RetryJoin

PAUSE_S: Final = 2.0
_OK: Final = 200
_log = structlog.get_logger("holdfast.join")


async def join(application: Application, storage: RaftStorage | InmemStorage) -> None:
    """Ask one place after another to be let in; end once a cluster has answered."""
    places = storage.retry_join if isinstance(storage, RaftStorage) else ()
    while places:
        for place in places:
            if await _is_initialised(application):
                return
            response = await _ask_to_join(application, place)
            if response.status == _OK:
                return
            reason = response.body.decode(errors="replace").strip()
            _log.info("not let in yet", leader=place.leader_api_addr, reason=reason)
        await trio.sleep(PAUSE_S)


async def _is_initialised(application: Application) -> bool:
    response = await answer(application, Request("read", "sys/init"))
    return bool(msgspec.json.decode(response.body)["initialized"])


async def _ask_to_join(application: Application, place: RetryJoin) -> Response:
    body = {
        "leader_api_addr": place.leader_api_addr,
        "leader_ca_cert": place.leader_ca_cert or _text(place.leader_ca_cert_file),
        "leader_client_cert": _text(place.leader_client_cert_file),
        "leader_client_key": _text(place.leader_client_key_file),
        "leader_tls_servername": place.leader_tls_servername,
    }
    request = Request("update", "sys/storage/raft/join", body=msgspec.json.encode(body))
    return await answer(application, request)


def _text(file: str) -> str:
    return Path(file).read_text(encoding="utf-8") if file else ""
