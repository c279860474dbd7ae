"""Everything that a new cluster begins with, as one write set."""

import base64
from typing import Any, Final

import msgspec

from core.barrier import seal
from core.barrier.barrier import Barrier
from core.barrier.keyring import Keyrings
from core.barrier.storage import Storage
from core.engines.call import RequestError
from core.entropy import Entropy, uuid
from core.node.info import NodeInfo
from core.request import Response
from core.settings import RequestSettings
from core.store.store import Store
from core.store.transaction import Transaction
from core.vault import authority, joining
from core.vault.areas import AUTHORITY, area_prefix
from core.vault.envelope import encode
from core.vault.policies import Policies
from core.vault.policy import DEFAULT_NAME, DEFAULT_POLICY
from core.vault.tokens import Tokens

_UNSUPPORTED: Final = (
    "pgp_keys",
    "root_token_pgp_key",
    "recovery_shares",
    "recovery_threshold",
    "recovery_pgp_keys",
)


class Beginning(msgspec.Struct, frozen=True):
    """A cluster that is about to be.

    Attributes:
        writes: what it stores.
        response: what the operator is told once that is committed.
        certificate: PEM of the first member's certificate.
        key: PEM of its private key.
        authority: PEM of the cluster's authority.
        cluster: the cluster's id.
    """

    writes: dict[bytes, bytes | None]
    response: Response
    certificate: bytes
    key: bytes
    authority: bytes
    cluster: str

    def __repr__(self) -> str:
        """Leave out the keys."""
        return f"Beginning(cluster={self.cluster!r})"


def seal_config(body: dict[str, Any]) -> seal.SealConfig:
    """Return the numbers of shares that a request to initialise asks for.

    Raises:
        RequestError: they do not fit together, or it asks for what is not supported.
    """
    for field in _UNSUPPORTED:
        if body.get(field):
            raise RequestError(400, f"{field} is not supported")
    numbers = [body.get("secret_shares"), body.get("secret_threshold")]
    shares, threshold = (0 if number is None else number for number in numbers)
    if not (type(shares) is int and type(threshold) is int):
        raise RequestError(400, "secret_shares and secret_threshold must be whole numbers")
    try:
        return seal.SealConfig(shares, threshold)
    except seal.InvalidSealConfig as error:
        raise RequestError(400, f"invalid seal configuration: {error}") from None


def begin(
    config: seal.SealConfig,
    info: NodeInfo,
    store: Store,
    settings: RequestSettings,
    entropy: Entropy,
    wall_ns: int,
) -> Beginning:
    """Return a new cluster: its keys, its authority, its first policy and its root token."""
    unseal_key, shares = seal.create_seal(config, entropy)
    root_key = seal.create_root_key(entropy)
    keyrings = Keyrings.create(entropy, wall_ns)
    barrier = Barrier(keyrings, entropy)
    transaction = Transaction(store)
    transaction.put(joining.SEAL_CONFIG_KEY, config.encode())
    transaction.put(joining.ROOT_KEY_KEY, seal.seal_root_key(unseal_key, root_key, entropy))
    transaction.put(joining.KEYRING_KEY, seal.seal_keyrings(root_key, keyrings, entropy))
    cluster = uuid(entropy)
    name = info.cluster_name or f"holdfast-cluster-{cluster[:8]}"
    own = authority.create_authority(cluster, name, entropy, wall_ns)
    prefix = area_prefix(barrier, AUTHORITY)
    joining.keep(Storage(transaction, barrier, prefix), own, unseal_key)
    Policies(barrier, store).put(transaction, DEFAULT_NAME, DEFAULT_POLICY)
    root_token, _ = Tokens(barrier, entropy, settings).create(
        transaction,
        wall_ns,
        policies=("root",),
        parent=None,
        path="auth/token/root",
        display_name="root",
        metadata=None,
        ttl_s=0,
        explicit_max_ttl_s=0,
        period_s=0,
        num_uses=0,
        renewable=False,
    )
    key = authority.create_key(entropy)
    certificate = authority.issue(own, info.node, authority.public_key(key), entropy, wall_ns)
    body = {
        "keys": [share.hex() for share in shares],
        "keys_base64": [base64.b64encode(share).decode() for share in shares],
        "root_token": root_token,
    }
    return Beginning(
        transaction.writes,
        Response(200, encode(body) + b"\n"),
        certificate,
        key,
        own.certificate,
        cluster,
    )
