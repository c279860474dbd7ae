"""A member's own credentials, as its data directory keeps them.

Owns the file. It lies outside of the barrier, readable by the owner alone: a sealed node
replicates too, so it has to prove itself before anything is open (D16).
"""

from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from net.data_directory import DataDirectoryError
from net.durably import write_durably
from net.tls import Identity, PeerTls

_FILE: Final = "peer.json"


class Credentials(msgspec.Struct, frozen=True):
    """What a member proves itself with.

    Attributes:
        cluster: the id of the cluster that it belongs to.
        authority: PEM of the cluster's authority.
        certificate: PEM of its certificate.
        key: PEM of its private key.
    """

    cluster: str
    authority: str
    certificate: str
    key: str

    def peer_tls(self) -> PeerTls:
        """Return both sides of connections that use them."""
        key = load_pem_private_key(self.key.encode(), None)
        chain = x509.load_pem_x509_certificates(self.certificate.encode())
        authorities = x509.load_pem_x509_certificates(self.authority.encode())
        return PeerTls(Identity(chain, key), authorities)


def save(directory: Path, credentials: Credentials) -> None:
    """Keep them, durably."""
    write_durably(directory / _FILE, msgspec.json.encode(credentials))


def load(directory: Path) -> Credentials | None:
    """Return them; None before this node belongs to a cluster.

    Raises:
        DataDirectoryError: the file can't be read.
    """
    file = directory / _FILE
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Credentials)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataDirectoryError(f"{file} cannot be read: {error}") from None
