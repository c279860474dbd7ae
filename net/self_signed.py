"""Certificates that a program makes for its own servers where nobody else vouches for them.

Owns an authority that lives for one moment: its key is never written, and forgotten as soon as it
has signed. Whoever trusts it trusts these servers and nothing that is issued later, so when one
certificate has to be renewed, all are. Must not know what is served.
"""

import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from net.durably import write_durably
from net.tls import TlsError, read_certificates, read_identity

LIFETIME: Final = timedelta(days=365)
RENEWED_BEFORE: Final = timedelta(days=30)
"""A certificate that ends sooner than this is made anew."""
BACKDATED: Final = timedelta(hours=1)
"""A client's clock may be behind."""
NAMES_MAX: Final = 100

_PUBLIC_FILE: Final = 0o644
_NAME_CHARACTERS_MAX: Final = 253
_COMMON_NAME_CHARACTERS_MAX: Final = 64
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


class Server(msgspec.Struct, frozen=True):
    """One server, and where what it shows lies.

    Attributes:
        certificate_file: PEM; its certificate.
        key_file: PEM; its private key, readable by the owner alone.
        names: the DNS names and IP addresses at which clients reach it.
    """

    certificate_file: Path
    key_file: Path
    names: tuple[str, ...]


def provide(authority_file: Path, servers: Sequence[Server], now: datetime) -> None:
    """See to it that each server has a certificate by the authority in `authority_file`.

    Files that are good for a while are left alone; else all of them are written anew.

    Args:
        authority_file: PEM; what clients are to trust.
        servers: all servers of this authority.
        now: the time, with a zone.

    Raises:
        ValueError: a name is neither a DNS name nor an IP address, or there are too many.
        OSError: a file can't be written.
    """
    wanted = [_general_names(server.names) for server in servers]
    if all(map(_Judge(authority_file, now).approves, servers, wanted)):
        return
    authority = _Authority(now)
    for server, names in zip(servers, wanted, strict=True):
        key = generate_private_key(SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_durably(server.key_file, pem)
        _publish(server.certificate_file, authority.issue(key, names))
    _publish(authority_file, authority.certificate)


class _Judge:
    """Tells whether files from an earlier time still do."""

    def __init__(self, authority_file: Path, now: datetime) -> None:
        self._now = now
        try:
            self._authorities = read_certificates(authority_file)
        except TlsError:
            self._authorities = []

    def approves(self, server: Server, names: list[x509.GeneralName]) -> bool:
        try:
            identity = read_identity(server.certificate_file, server.key_file)
        except TlsError:
            return False
        shown = identity.chain[0]
        return (
            any(self._has_issued(authority, shown) for authority in self._authorities)
            and shown.public_key() == identity.key.public_key()
            and shown.not_valid_before_utc <= self._now
            and self._now + RENEWED_BEFORE <= shown.not_valid_after_utc
            and list(shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
            == names
        )

    @staticmethod
    def _has_issued(authority: x509.Certificate, shown: x509.Certificate) -> bool:
        try:
            shown.verify_directly_issued_by(authority)
        except (InvalidSignature, TypeError, ValueError):
            return False
        return True


class _Authority:
    """An authority with its key.

    Attributes:
        certificate: what clients are to trust.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._key = key = generate_private_key(SECP256R1())
        serial = x509.random_serial_number()
        # A name of its own: clients look authorities up by name, and may know an earlier one.
        self._name = _name(f"Holdfast authority {serial:x}"[:_COMMON_NAME_CHARACTERS_MAX])
        usage = _usage(signs_certificates=True)
        self.certificate = (
            self._builder(self._name, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )

    def issue(
        self, key: EllipticCurvePrivateKey, names: list[x509.GeneralName]
    ) -> x509.Certificate:
        """Return a certificate for the server that has `key`."""
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        usage = _usage(signs_certificates=False)
        return (
            self._builder(_name("Holdfast server"), key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(self, name: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        public = key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - BACKDATED)
            .not_valid_after(self._now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    if len(names) > NAMES_MAX:
        raise ValueError(f"more than {NAMES_MAX} names for one certificate")
    return [_general_name(name) for name in names]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if len(name) > _NAME_CHARACTERS_MAX or not _DNS_NAME.fullmatch(name):
            message = f"{name!r} is neither a DNS name nor an IP address"
            raise ValueError(message) from None
        return x509.DNSName(name)


def _publish(file: Path, certificate: x509.Certificate) -> None:
    write_durably(file, certificate.public_bytes(Encoding.PEM))
    file.chmod(_PUBLIC_FILE)
