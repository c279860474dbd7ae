"""Credentials of members, as a cluster would issue them."""

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from net.credentials import Credentials
from tests.net import certificates


def credentials_of(node: str, authority: str = "authority") -> Credentials:
    """Return what `node` proves itself with."""
    identity = certificates.issued(node, authority)
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    issuer, own = (
        each.chain[0].public_bytes(Encoding.PEM).decode()
        for each in (certificates.authority(authority), identity)
    )
    return Credentials("cluster", issuer, own, key.decode())
