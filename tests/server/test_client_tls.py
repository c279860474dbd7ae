"""A TLS file of the client that cannot be used is named, as is what it was given by."""

from pathlib import Path

import pytest

from server import client_tls
from server.client_tls import TlsSettings, UnusableError, create_context
from tests.server.conftest import Holdfast

NOWHERE = "/nowhere"
ABSENT = "/nowhere cannot be read: No such file or directory"


def refusal(settings: TlsSettings) -> str:
    with pytest.raises(UnusableError) as refused:
        create_context(settings)
    return str(refused.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (TlsSettings(ca_cert=NOWHERE, names={"ca_cert": "-ca-cert"}), f"-ca-cert: {ABSENT}"),
        (TlsSettings(ca_path=NOWHERE, names={"ca_path": "B"}), f"B: {ABSENT}"),
        (TlsSettings(client_cert=NOWHERE, names={"client_cert": "C"}), f"C: {ABSENT}"),
        (
            TlsSettings(client_cert=__file__, client_key=NOWHERE, names={"client_key": "D"}),
            f"D: {ABSENT}",
        ),
        (TlsSettings(ca_cert="/", names={"ca_cert": "A"}), "A: / cannot be read: Is a directory"),
        (
            TlsSettings(client_key="k", names={"client_key": "D", "client_cert": "C"}),
            "D is nothing without the certificate, C",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(settings: TlsSettings, told: str) -> None:
    assert told == refusal(settings)


def test_a_file_that_holds_something_else_is_named(tmp_path: Path) -> None:
    """With what OpenSSL says, but not where in OpenSSL."""
    file = tmp_path / "file"
    file.write_text("nonsense")
    reason = f"{file} holds no certificate: no certificate or crl found"
    pair = f"{file} and {file} are no certificate with its key: PEM lib"

    assert f"ca_cert: {reason}" == refusal(TlsSettings(ca_cert=str(file)))
    assert f"ca_path: {reason}" == refusal(TlsSettings(ca_path=str(tmp_path)))
    assert f"client_cert: {pair}" == refusal(
        TlsSettings(client_cert=str(file), client_key=str(file))
    )
    assert f"client_cert: {file} is no certificate with its key: PEM lib" == refusal(
        TlsSettings(client_cert=str(file))
    )


@pytest.mark.parametrize("text", ["nonsense", "n\u00f6"])
def test_text_that_is_no_certificate_is_refused(text: str) -> None:
    settings = TlsSettings(ca_cert_pem=text, names={"ca_cert_pem": "VAULT_CACERT_BYTES"})

    assert refusal(settings).startswith("VAULT_CACERT_BYTES holds no certificate: ")


def test_a_directory_with_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_tls, "CA_FILES_MAX", 1)
    for name in "ab":
        (tmp_path / name).touch()

    assert f"ca_path: {tmp_path} holds more than 1 files" == refusal(
        TlsSettings(ca_path=str(tmp_path))
    )


@pytest.mark.parametrize(
    "variable", ["VAULT_CACERT", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"]
)
@pytest.mark.parametrize("command", [("read", "a"), ("kv", "list", "a"), ("operator", "init")])
def test_a_command_tells_the_variable_in_one_line(
    variable: str, command: tuple[str, ...], holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asks nobody: nothing listens there."""
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:1")
    monkeypatch.setenv("VAULT_CLIENT_CERT", __file__)
    monkeypatch.setenv(variable, NOWHERE)

    assert (1, "", f"{variable}: {ABSENT}\n") == holdfast(*command)
