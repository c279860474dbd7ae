"""Certificate authorities and certificates for tests; keys are drawn once and reused."""

import datetime as dt
import functools
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from net.tls import Identity

_START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_END = dt.datetime(2120, 1, 1, tzinfo=dt.UTC)


def authority(name: str = "authority") -> Identity:
    """Return an authority, signed by itself."""
    return _authority(name)


def issued(name: str, authority_name: str = "authority") -> Identity:
    """Return an identity that an authority vouches for, valid for the loopback address."""
    return _issued(name, authority_name)


def write(identity: Identity, folder: Path) -> tuple[Path, Path]:
    """Write an identity as PEM, and return the files of its certificates and of its key."""
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(
        b"".join(certificate.public_bytes(Encoding.PEM) for certificate in identity.chain)
    )
    key_file.write_bytes(
        identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return certificate_file, key_file


@functools.cache
def _authority(name: str) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    return Identity([_certificate(name, key, name, key, authority=True)], key)


@functools.cache
def _issued(name: str, authority_name: str) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority(authority_name)
    return Identity([_certificate(name, key, authority_name, issuer.key, authority=False)], key)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START)
        .not_valid_after(_END)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
