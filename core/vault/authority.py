"""The cluster's own certificate authority: its members know each other by what it issues.

Owns the form of the certificates. Keys come from the entropy port and signatures are Ed25519, which
needs no entropy (RFC 8032), so that equal inputs give equal certificates.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.entropy import Entropy
from core.moment import NANOSECONDS_PER_SECOND

AUTHORITY_LIFETIME: Final = timedelta(days=100 * 365)
MEMBER_LIFETIME: Final = timedelta(days=10 * 365)
BACKDATED: Final = timedelta(hours=24)
"""Clocks of members may differ; a certificate is valid from a little before it was issued."""

_SERIAL_BYTES: Final = 16


class Authority(msgspec.Struct, frozen=True, array_like=True):
    """The authority.

    Attributes:
        cluster: the cluster's id.
        cluster_name: what it is called.
        certificate: PEM.
        key: PEM of the private key.
    """

    cluster: str
    cluster_name: str
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Name the cluster and leave out the key."""
        return f"Authority(cluster={self.cluster!r})"


def create_key(entropy: Entropy) -> bytes:
    """Return the PEM of a fresh private key."""
    key = Ed25519PrivateKey.from_private_bytes(entropy.random_bytes(32))
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key(key: bytes) -> bytes:
    """Return the 32 bytes of the public key that belongs to a private key's PEM."""
    return _load(key).public_key().public_bytes_raw()


def create_authority(cluster: str, cluster_name: str, entropy: Entropy, wall_ns: int) -> Authority:
    """Return a fresh authority for a cluster."""
    key = create_key(entropy)
    private = _load(key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"holdfast cluster {cluster}")])
    certificate = (
        _builder(entropy, wall_ns, AUTHORITY_LIFETIME)
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, None)
    )
    return Authority(
        cluster, cluster_name, certificate.public_bytes(serialization.Encoding.PEM), key
    )


def issue(
    authority: Authority, node: str, member_public_key: bytes, entropy: Entropy, wall_ns: int
) -> bytes:
    """Return the PEM of a certificate for a member, whose common name is its node id.

    Raises:
        ValueError: this is no public key.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)])
    issuer = x509.load_pem_x509_certificate(authority.certificate).subject
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        _builder(entropy, wall_ns, MEMBER_LIFETIME)
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(Ed25519PublicKey.from_public_bytes(member_public_key))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(_load(authority.key), None)
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(entropy: Entropy, wall_ns: int, lifetime: timedelta) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(wall_ns // NANOSECONDS_PER_SECOND, UTC)
    serial = int.from_bytes(entropy.random_bytes(_SERIAL_BYTES), "big") >> 1 | 1
    return (
        x509.CertificateBuilder()
        .serial_number(serial)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _load(key: bytes) -> Ed25519PrivateKey:
    private = serialization.load_pem_private_key(key, None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError("the key of an authority is an Ed25519 key")
    return private
