"""Certificates that a program makes for itself, judged by Python's own client."""

import contextlib
import socket
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from net import self_signed
from net.self_signed import LIFETIME, NAMES_MAX, RENEWED_BEFORE, Server, provide
from net.tls import ServerTls, ServerTlsSettings, read_certificates, read_identity
from tests.net.certificates import authority, issued
from tests.net.tls_client import Client, pem, shake_hands

NOW = datetime.now(UTC)
NAMES = ("localhost", "127.0.0.1", "::1", "*.dev.example.com")


def servers(folder: Path, count: int = 1, names: tuple[str, ...] = NAMES) -> list[Server]:
    return [
        Server(folder / f"{number}-cert.pem", folder / f"{number}-key.pem", names)
        for number in range(count)
    ]


def texts(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("number", [0, 1])
def test_who_trusts_the_authority_trusts_each_server(tmp_path: Path, number: int) -> None:
    """By the strictest rules that Python knows, which are those of Python 3.13."""
    made = servers(tmp_path, 2)
    provide(tmp_path / "ca.pem", made, NOW)
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    tls = ServerTls(ServerTlsSettings(made[number].certificate_file, made[number].key_file))
    near, far = socket.socketpair()

    with near, far, contextlib.closing(Client(context, far)) as client:
        shake_hands(client, tls.accept(near))
        shown = client.server

    expected = read_certificates(made[number].certificate_file)[0]
    assert expected.public_bytes(Encoding.DER) == shown


def test_keys_are_private_and_the_authority_leaves_none(tmp_path: Path) -> None:
    provide(tmp_path / "ca.pem", servers(tmp_path), NOW)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}

    assert {"ca.pem": 0o644, "0-cert.pem": 0o644, "0-key.pem": 0o600} == modes


def test_servers_have_keys_of_their_own(tmp_path: Path) -> None:
    made = servers(tmp_path, 2)
    provide(tmp_path / "ca.pem", made, NOW)

    one, two = (read_identity(each.certificate_file, each.key_file) for each in made)

    assert one.key.public_key() != two.key.public_key()


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        (timedelta(0), True),
        (LIFETIME - RENEWED_BEFORE - timedelta(seconds=1), True),
        (LIFETIME - RENEWED_BEFORE + timedelta(seconds=1), False),
        (LIFETIME * 2, False),
        (timedelta(days=-1), False),
    ],
)
def test_what_is_good_for_a_while_is_kept(tmp_path: Path, later: timedelta, *, kept: bool) -> None:
    """One that is about to end, or has not begun by a clock that was set back, is not."""
    provide(tmp_path / "ca.pem", servers(tmp_path), NOW)
    before = texts(tmp_path)

    provide(tmp_path / "ca.pem", servers(tmp_path), NOW + later)

    after = texts(tmp_path)
    assert [kept] * 3 == [before[name] == after[name] for name in sorted(before)]


def _take_away_the_authority(folder: Path) -> None:
    (folder / "ca.pem").unlink()


def _take_away_a_key(folder: Path) -> None:
    (folder / "1-key.pem").unlink()


def _put_a_strange_authority(folder: Path) -> None:
    (folder / "ca.pem").write_text(pem(authority().chain[0]))


def _tear_a_certificate(folder: Path) -> None:
    file = folder / "1-cert.pem"
    file.write_bytes(file.read_bytes()[:100])


def _swap_keys(folder: Path) -> None:
    (folder / "1-key.pem").write_bytes((folder / "0-key.pem").read_bytes())


def _put_a_strange_certificate(folder: Path) -> None:
    (folder / "1-cert.pem").write_text(pem(issued("server").chain[0]))


def _take_the_authority_for_a_server(folder: Path) -> None:
    (folder / "1-cert.pem").write_bytes((folder / "ca.pem").read_bytes())


@pytest.mark.parametrize(
    "spoil",
    [
        _take_away_the_authority,
        _take_away_a_key,
        _put_a_strange_authority,
        _tear_a_certificate,
        _swap_keys,
        _put_a_strange_certificate,
        _take_the_authority_for_a_server,
    ],
)
def test_one_bad_file_renews_them_all(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    made = servers(tmp_path, 2)
    provide(tmp_path / "ca.pem", made, NOW)
    before = texts(tmp_path)
    spoil(tmp_path)

    provide(tmp_path / "ca.pem", made, NOW)
    after = texts(tmp_path)
    provide(tmp_path / "ca.pem", made, NOW)

    assert [False] * 5 == [before[name] == after[name] for name in sorted(before)]
    assert after == texts(tmp_path)


def test_other_names_need_another_certificate(tmp_path: Path) -> None:
    provide(tmp_path / "ca.pem", servers(tmp_path), NOW)
    provide(tmp_path / "ca.pem", servers(tmp_path, names=("vault.example.com",)), NOW)

    certificate = read_certificates(tmp_path / "0-cert.pem")[0]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert [x509.DNSName("vault.example.com")] == list(names)


@pytest.mark.parametrize(
    "name",
    [
        *("", "a b", "-a", "a-", "a..b", "a.", "https://a", "10.0.0.1:8200", "b\u00fc", "a*.b"),
        *("a\n", "a" * 64, ".".join(["a" * 63] * 4)),
    ],
)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="neither a DNS name nor an IP address"):
        provide(tmp_path / "ca.pem", servers(tmp_path, names=(name,)), NOW)

    assert [] == list(tmp_path.iterdir())


def test_too_many_names_are_refused(tmp_path: Path) -> None:
    names = tuple(f"a{number}" for number in range(NAMES_MAX + 1))

    with pytest.raises(ValueError, match="more than 100 names"):
        provide(tmp_path / "ca.pem", servers(tmp_path, names=names), NOW)


@pytest.mark.slow
@given(st.text(max_size=300))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Nothing else is raised, and what is taken is said in the certificate as it was given."""
    taken: list[x509.GeneralName] = []
    with contextlib.suppress(ValueError):
        taken += self_signed._general_names([text])

    assert all(isinstance(name, x509.IPAddress) or text == name.value for name in taken)
