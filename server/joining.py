"""`retry_join`: a node that belongs to no cluster looks for one until it is let in.

Owns the order and the pauses. Works through the node's own API, as an operator would.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog
import trio

from core.request import Request, Response
from net.http.application import Application, answer
from server.config.configuration import InmemStorage, RaftStorage, RetryJoin
from server.reason import reason_of

PAUSE_S: Final = 2.0
"""After all places have refused."""

RENEWAL_S: Final = 1_800.0
"""How old a challenge gets. It may be long until somebody comes to unseal this node, and the member
that has sent the challenge may be gone by then, while another one is there."""

_OK: Final = 200
_log = structlog.get_logger("holdfast.join")


async def join(application: Application, storage: RaftStorage | InmemStorage) -> None:
    """Ask one place after another for a challenge, until this node belongs to a cluster."""
    places = storage.retry_join if isinstance(storage, RaftStorage) else ()
    told: tuple[str, ...] = ()
    while places and not await _is_initialised(application):
        refusals = await _ask_in_turn(application, places)
        # The same refusals every two seconds would hide all else that a log has to say.
        if refusals and refusals != told:
            for place, refusal in zip(places, refusals, strict=True):
                _log.warning("not let in yet", leader=place.leader_api_addr, reason=refusal)
        told = refusals
        await trio.sleep(PAUSE_S if refusals else RENEWAL_S)


async def _is_initialised(application: Application) -> bool:
    response = await answer(application, Request("read", "sys/init"))
    return bool(msgspec.json.decode(response.body)["initialized"])


async def _ask_in_turn(application: Application, places: Sequence[RetryJoin]) -> tuple[str, ...]:
    """Return nothing once a place has sent a challenge, or else what each has said."""
    refusals: list[str] = []
    for place in places:
        try:
            request = _request(place)
        except OSError as error:
            refusals.append(f"{error.filename} cannot be read: {reason_of(error)}")
            continue
        except UnicodeDecodeError:
            refusals.append("a file of this retry_join is not PEM")
            continue
        response = await answer(application, request)
        if response.status == _OK:
            return ()
        refusals.append(_reason(response))
    return tuple(refusals)


def _request(place: RetryJoin) -> Request:
    body = {
        "leader_api_addr": place.leader_api_addr,
        "leader_ca_cert": place.leader_ca_cert or _text(place.leader_ca_cert_file),
        "leader_client_cert": _text(place.leader_client_cert_file),
        "leader_client_key": _text(place.leader_client_key_file),
        "leader_tls_servername": place.leader_tls_servername,
    }
    return Request("update", "sys/storage/raft/join", body=msgspec.json.encode(body))


def _text(file: str) -> str:
    return Path(file).read_text(encoding="utf-8") if file else ""


def _reason(response: Response) -> str:
    return "; ".join(msgspec.json.decode(response.body)["errors"])
