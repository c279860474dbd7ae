"""A listener whose TLS files cannot be used says where they are named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from net import self_signed
from net.tls import TlsError
from server.config.configuration import TLS_FILE_KEYS, Listener
from server.config.reading import Document, read_documents
from server.listeners import server_tls
from tests.server.processes import run_holdfast

LINES = """\
storage "inmem" {{}}
listener "tcp" {{
  tls_key_file       = "{0}/key.pem"
  tls_cert_file      = "{0}/cert.pem"
  tls_client_ca_file = "{0}/ca.pem"

  tls_require_and_verify_client_cert = true
}}
disable_mlock = true
"""
ABSENT = "No such file or directory"


def refusal(listener: Listener) -> str:
    with pytest.raises(TlsError) as refused:
        server_tls(listener)
    return str(refused.value)


def test_a_file_that_cannot_be_used_is_told_with_its_line(tmp_path: Path) -> None:
    """The first that fails, whichever it is."""
    good = self_signed.Server(tmp_path / "good-cert.pem", tmp_path / "good-key.pem", ("a",))
    self_signed.provide(tmp_path / "good-ca.pem", [good], datetime.now(UTC))
    text = LINES.format(tmp_path)
    (listener,) = read_documents([Document("a.hcl", text)], {}).listeners
    certificate, key, authority = (tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem"))

    assert dict(zip(TLS_FILE_KEYS, ("a.hcl:4", "a.hcl:3", "a.hcl:5"), strict=True)) == (
        listener.places
    )
    assert f"a.hcl:4: tls_cert_file {certificate} cannot be read: {ABSENT}" == refusal(listener)
    good.certificate_file.rename(certificate)
    assert f"a.hcl:3: tls_key_file {key} cannot be read: {ABSENT}" == refusal(listener)
    key.mkdir()
    assert f"a.hcl:3: tls_key_file {key} cannot be read: Is a directory" == refusal(listener)
    key.rmdir()
    good.key_file.rename(key)
    assert f"a.hcl:5: tls_client_ca_file {authority} cannot be read: {ABSENT}" == refusal(listener)
    authority.write_text("nonsense")
    told = f"a.hcl:5: tls_client_ca_file {authority} holds no certificates in PEM"
    assert told == refusal(listener)


def test_files_that_no_configuration_names_are_told_alone(tmp_path: Path) -> None:
    """As those of a dev server."""
    file = str(tmp_path / "absent.pem")

    assert f"{file} cannot be read: {ABSENT}" == refusal(
        Listener(tls_cert_file=file, tls_key_file=file)
    )


def test_without_tls_no_file_is_read() -> None:
    assert server_tls(Listener(tls_disable=True, tls_cert_file="/nowhere")) is None


@pytest.mark.slow
def test_a_server_without_its_certificate_ends_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.hcl"
    file.write_text(LINES.format(tmp_path))
    ended = run_holdfast("server", f"-config={file}", home=tmp_path)
    told = f"{file}:4: tls_cert_file {tmp_path / 'cert.pem'} cannot be read: {ABSENT}\n"

    assert (1, "", told) == (ended.returncode, ended.stdout, ended.stderr)
