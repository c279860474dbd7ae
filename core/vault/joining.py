"""How a cluster takes in a new member: the two paths that a joiner calls.

A joiner asks for a challenge, opens it with the unseal key that its operators gave it, and
returns it in the clear. What it then receives is sealed to that proof. The cluster remembers
nothing between the two calls: the joiner brings along a ticket, which only the barrier can open.
"""

import base64
import binascii
from typing import Any, Final

import msgspec

from core.barrier import seal
from core.barrier.envelope import WrongKey
from core.barrier.record import RecordDamaged
from core.barrier.storage import Storage
from core.engines.call import RequestError
from core.moment import NANOSECONDS_PER_SECOND
from core.raft.entry import NODE_BYTES_MAX
from core.store.keys import SCOPE_CLUSTER, clear
from core.store.reader import Reader, Writer
from core.vault.areas import AUTHORITY, area_prefix
from core.vault.authority import Authority, issue
from core.vault.context import Context
from core.vault.reply import AddLearner, Reply
from core.vault.routes import Route
from core.vault.services import Services

CHALLENGE_PATH: Final = "sys/storage/raft/bootstrap/challenge"
ANSWER_PATH: Final = "sys/storage/raft/bootstrap/answer"

SEAL_CONFIG_KEY: Final = clear(SCOPE_CLUSTER, b"seal")
"""Where the numbers of shares stand; not secret."""
ROOT_KEY_KEY: Final = clear(SCOPE_CLUSTER, b"root-key")
"""Where the root key stands, sealed under the unseal key."""
KEYRING_KEY: Final = clear(SCOPE_CLUSTER, b"keyring")
"""Where the keyrings stand, sealed under the root key."""
_TICKET_KEY: Final = clear(SCOPE_CLUSTER, b"join-ticket")

TICKET_LIFETIME_NS: Final = 3600 * NANOSECONDS_PER_SECOND
"""How long operators may take to unseal a joiner without its asking anew."""
TICKET_EXPIRED: Final = 410
"""The status by which a joiner is told that its challenge was good, and is no more."""
TEXT_BYTES_MAX: Final = {
    "node_id": NODE_BYTES_MAX,
    "node_name": 512,
    "cluster_address": 512,
    "api_address": 512,
}
"""What a joiner may say of itself: members keep it for long, and vote by its id."""

_AUTHORITY: Final = "authority"
_UNSEAL_KEY: Final = "unseal-key"


class JoinRequest(msgspec.Struct, frozen=True, array_like=True):
    """What a joiner asks for; challenge and answer are bound to it.

    Attributes:
        node: its node id.
        name: its label.
        cluster_address: where its peers will reach it.
        api_address: where its clients will reach it.
        public_key: for its certificate, 32 bytes.
        stays_learner: it is never to vote.
    """

    node: str
    name: str
    cluster_address: str
    api_address: str
    public_key: bytes
    stays_learner: bool


class _Ticket(msgspec.Struct, frozen=True, array_like=True):
    challenge: bytes
    join_request: JoinRequest
    expires_ns: int


class Welcome(msgspec.Struct, frozen=True, array_like=True):
    """What a proven joiner receives.

    Attributes:
        cluster: the cluster's id.
        authority: PEM of the cluster's authority.
        certificate: PEM of the joiner's certificate.
        configuration: the encoded membership, so that the joiner can answer its leader.
    """

    cluster: str
    authority: bytes
    certificate: bytes
    configuration: bytes


def context_of(join_request: JoinRequest) -> bytes:
    """Return the bytes that challenge and answer are bound to."""
    return msgspec.msgpack.encode(join_request)


# -- what the cluster keeps -------------------------------------------------------------------


def keep(services_storage: Storage, authority: Authority, unseal_key: bytes) -> None:
    """Store the authority, and the unseal key, which challenges need."""
    services_storage.put(_AUTHORITY, msgspec.msgpack.encode(authority))
    services_storage.put(_UNSEAL_KEY, unseal_key)


def authority_storage(services: Services, transaction: Writer) -> Storage:
    """Return where both are kept."""
    prefix = area_prefix(services.barrier, AUTHORITY)
    return Storage(transaction, services.barrier, prefix)


def load_authority(storage: Storage) -> Authority | None:
    """Return the cluster's authority; None before it is initialised."""
    stored = storage.get(_AUTHORITY)
    return None if stored is None else msgspec.msgpack.decode(stored, type=Authority)


def load_seal_config(reader: Reader) -> seal.SealConfig | None:
    """Return the numbers of shares; None before the cluster is initialised."""
    stored = reader.get(SEAL_CONFIG_KEY)
    return None if stored is None else seal.SealConfig.decode(stored)


# -- the two paths ----------------------------------------------------------------------------


def _challenge(context: Context) -> Reply:
    join_request = _join_request(context.body)
    services = context.services
    storage = authority_storage(services, context.transaction)
    unseal_key = storage.get(_UNSEAL_KEY)
    config = load_seal_config(context.transaction)
    if unseal_key is None or config is None:
        raise RequestError(500, "the cluster has no seal")
    challenge, sealed = seal.seal_challenge(unseal_key, context_of(join_request), services.entropy)
    ticket = _Ticket(challenge, join_request, context.wall_ns + TICKET_LIFETIME_NS)
    sealed_ticket = services.barrier.seal(_TICKET_KEY, msgspec.msgpack.encode(ticket))
    return Reply(
        data={
            "challenge": _text(sealed),
            "ticket": _text(sealed_ticket),
            "seal_config": {"secret_shares": config.shares, "secret_threshold": config.threshold},
        }
    )


def _answer(context: Context) -> Reply:
    services = context.services
    ticket = _open_ticket(context)
    storage = authority_storage(services, context.transaction)
    unseal_key = storage.get(_UNSEAL_KEY)
    authority = load_authority(storage)
    if unseal_key is None or authority is None:
        raise RequestError(500, "the cluster has no seal")
    try:
        seal.verify_proof(ticket.challenge, _bytes(context.body, "answer"))
    except WrongKey as error:
        raise RequestError(400, f"the joiner does not hold the unseal key: {error}") from None
    join_request = ticket.join_request
    try:
        certificate = issue(
            authority,
            join_request.node,
            join_request.public_key,
            services.entropy,
            context.wall_ns,
        )
    except ValueError as error:
        raise RequestError(400, f"the public key cannot be used: {error}") from None
    membership = services.cluster.configuration.encode()
    welcome = Welcome(authority.cluster, authority.certificate, certificate, membership)
    sealed = seal.seal_answer(
        unseal_key,
        ticket.challenge,
        msgspec.msgpack.encode(welcome),
        context_of(join_request),
        services.entropy,
    )
    return Reply(
        data={"welcome": _text(sealed)},
        action=AddLearner(
            join_request.node,
            join_request.name,
            join_request.cluster_address,
            join_request.api_address,
            join_request.stays_learner,
        ),
    )


def _open_ticket(context: Context) -> _Ticket:
    try:
        stored = context.services.barrier.open(_TICKET_KEY, _bytes(context.body, "ticket"))
        ticket = msgspec.msgpack.decode(stored, type=_Ticket)
    except (RecordDamaged, msgspec.MsgspecError, IndexError):
        raise RequestError(400, "the ticket is not one of this cluster") from None
    if context.wall_ns > ticket.expires_ns:
        raise RequestError(TICKET_EXPIRED, "the ticket has expired; ask for another challenge")
    return ticket


def _join_request(body: dict[str, Any]) -> JoinRequest:
    return JoinRequest(
        _said(body, "node_id"),
        _said(body, "node_name"),
        _said(body, "cluster_address"),
        _said(body, "api_address"),
        _bytes(body, "public_key"),
        body.get("non_voter") is True,
    )


def _said(body: dict[str, Any], field: str) -> str:
    text = body.get(field)
    bytes_max = TEXT_BYTES_MAX[field]
    if not isinstance(text, str) or not 0 < len(text.encode()) <= bytes_max:
        raise RequestError(400, f"{field} must be a text of 1 to {bytes_max} bytes")
    return text


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(body: dict[str, Any], field: str) -> bytes:
    text = body.get(field)
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise RequestError(400, f"{field} must be base64 text")


ROUTES: Final = (
    Route(CHALLENGE_PATH, writes={"update": _challenge}, unauthenticated=True),
    Route(ANSWER_PATH, writes={"update": _answer}, unauthenticated=True),
)
