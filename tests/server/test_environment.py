"""Flags win over variables, and variables over defaults."""

import pytest

from server.client import ClientSettings, SettingsError
from server.client_tls import TlsSettings
from server.environment import client_settings

EVERYTHING = {
    "VAULT_ADDR": "http://a:1",
    "VAULT_NAMESPACE": "team",
    "VAULT_CLIENT_TIMEOUT": "1m30s",
    "VAULT_MAX_RETRIES": "5",
    "VAULT_CACERT": "/ca.pem",
    "VAULT_CACERT_BYTES": "PEM",
    "VAULT_CAPATH": "/cas",
    "VAULT_CLIENT_CERT": "/client.pem",
    "VAULT_CLIENT_KEY": "/client.key",
    "VAULT_SKIP_VERIFY": "true",
    "VAULT_TLS_SERVER_NAME": "vault.example",
}


def test_defaults_are_vaults() -> None:
    expected = ClientSettings(
        address="https://127.0.0.1:8200", token="", timeout_s=60.0, retries_max=2
    )

    for environ in ({}, dict.fromkeys(EVERYTHING, "")):
        settings = client_settings({}, environ, "")
        assert expected == settings._replace(tls=settings.tls._replace(names={}))


def test_variables_set_everything() -> None:
    expected = ClientSettings(
        address="http://a:1",
        token="hvs.t",
        namespace="team",
        timeout_s=90.0,
        retries_max=5,
        tls=TlsSettings(
            ca_cert="/ca.pem",
            ca_cert_pem="PEM",
            ca_path="/cas",
            client_cert="/client.pem",
            client_key="/client.key",
            server_name="vault.example",
            skip_verify=True,
            names={
                "ca_cert": "VAULT_CACERT",
                "ca_cert_pem": "VAULT_CACERT_BYTES",
                "ca_path": "VAULT_CAPATH",
                "client_cert": "VAULT_CLIENT_CERT",
                "client_key": "VAULT_CLIENT_KEY",
            },
        ),
    )

    assert expected == client_settings({}, EVERYTHING, "hvs.t")


def test_flags_win() -> None:
    flags = {
        "address": "http://b:2",
        "namespace": "",
        "header": ("X-A=1", "X-B=2=3", "X-C="),
        "ca_cert": "/other.pem",
        "client_cert": "/c",
        "client_key": "/k",
        "tls_server_name": "n",
        "tls_skip_verify": False,
    }

    settings = client_settings(flags, EVERYTHING, "")

    assert ("http://b:2", "") == (settings.address, settings.namespace)
    assert {"X-A": "1", "X-B": "2=3", "X-C": ""} == settings.headers
    tls = settings.tls
    assert TlsSettings("/other.pem", "", "/cas", "/c", "/k", "n", names=tls.names) == tls
    assert ("-ca-cert", "VAULT_CAPATH") == (tls.names["ca_cert"], tls.names["ca_path"])
    assert "-client-key" == tls.names["client_key"]


def test_a_directory_given_by_flag_wins_over_files_from_variables() -> None:
    tls = client_settings({"ca_path": "/mine"}, EVERYTHING, "").tls

    assert ("", "", "/mine") == (tls.ca_cert, tls.ca_cert_pem, tls.ca_path)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("VAULT_CLIENT_TIMEOUT", "soon", "VAULT_CLIENT_TIMEOUT: 'soon' is not a duration"),
        ("VAULT_CLIENT_TIMEOUT", "0", "VAULT_CLIENT_TIMEOUT must be positive"),
        ("VAULT_MAX_RETRIES", "-1", "VAULT_MAX_RETRIES must be 0 to 100"),
        ("VAULT_MAX_RETRIES", "101", "VAULT_MAX_RETRIES must be 0 to 100"),
        ("VAULT_MAX_RETRIES", "²", "VAULT_MAX_RETRIES must be 0 to 100"),
        ("VAULT_SKIP_VERIFY", "maybe", "VAULT_SKIP_VERIFY must be true or false, not 'maybe'"),
    ],
)
def test_a_malformed_variable_is_named(name: str, value: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        client_settings({}, {name: value}, "")


@pytest.mark.parametrize("header", ["X-A", "=1"])
def test_a_malformed_header_is_refused(header: str) -> None:
    with pytest.raises(SettingsError, match="-header must be NAME=VALUE"):
        client_settings({"header": (header,)}, {}, "")
