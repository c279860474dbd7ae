"""The cluster's certificates, as `cryptography` verifies them."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.vault import authority
from tests.core.barrier.helpers import WALL_NS, SeededEntropy

NOW = datetime.fromtimestamp(WALL_NS // 1_000_000_000, UTC)


def made(seed: int = 0) -> tuple[authority.Authority, SeededEntropy]:
    entropy = SeededEntropy(seed)
    return authority.create_authority("id", "name", entropy, WALL_NS), entropy


def test_a_member_is_known_by_its_certificate() -> None:
    """Issued by the authority, for its own key, as server and as client."""
    own, entropy = made()
    key = authority.create_key(entropy)
    pem = authority.issue(own, "n1", authority.public_key(key), entropy, WALL_NS)
    certificate = x509.load_pem_x509_certificate(pem)
    issuer = x509.load_pem_x509_certificate(own.certificate)

    certificate.verify_directly_issued_by(issuer)
    assert certificate.subject.rfc4514_string() == "CN=n1"
    raw = certificate.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    assert raw == authority.public_key(key)
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    assert certificate.not_valid_before_utc == NOW - authority.BACKDATED
    assert certificate.not_valid_after_utc == NOW + authority.MEMBER_LIFETIME


def test_the_authority_signs_itself_and_members_only() -> None:
    """No member can issue certificates below its own."""
    own, _ = made()
    issuer = x509.load_pem_x509_certificate(own.certificate)

    issuer.verify_directly_issued_by(issuer)
    assert issuer.subject.rfc4514_string() == "CN=holdfast cluster id"
    constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (
        True,
        True,
        0,
    )
    assert issuer.not_valid_after_utc - NOW == timedelta(days=36_500)


def test_equal_entropy_makes_equal_certificates() -> None:
    """And other entropy other ones; serial numbers are positive and differ."""
    assert made()[0] == made()[0]
    assert made(1)[0] != made(2)[0]
    own, entropy = made()
    public = authority.public_key(authority.create_key(entropy))
    serials = {
        x509.load_pem_x509_certificate(
            authority.issue(own, "n1", public, entropy, WALL_NS)
        ).serial_number
        for _ in range(5)
    }
    assert len(serials) == 5
    assert all(0 < serial < 1 << 127 for serial in serials)


def test_the_key_is_not_shown() -> None:
    """Neither in logs nor in the text of an error."""
    own, _ = made()

    assert repr(own) == "Authority(cluster='id')"


@pytest.mark.parametrize(("node", "public"), [("n1", b"short"), ("", bytes(32)), ("n" * 65, b"")])
def test_what_cannot_be_certified_is_refused(node: str, public: bytes) -> None:
    """A joiner may say anything."""
    own, entropy = made()
    with pytest.raises(ValueError, match=r"."):
        authority.issue(own, node, public, entropy, WALL_NS)


def test_another_kind_of_key_is_none_of_an_authority() -> None:
    """Its signatures would need entropy."""
    pem = derive_private_key(7, SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(TypeError, match="Ed25519"):
        authority.public_key(pem)
