"""The client asks, repeats, follows and refuses as Vault's own does."""

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.vault.answers import UNKNOWN_OUTCOME
from server.client import (
    OUTCOME_UNKNOWN,
    ApiError,
    Client,
    ClientSettings,
    SettingsError,
    UnreachableError,
)
from server.client_tls import TlsSettings
from tests.server.wire import Wire

NAME = "holdfast.example"
UNKNOWN = "the node that executed this lost its leadership; the outcome is unknown"


@pytest.fixture
def client(wire: Wire) -> Iterator[Client]:
    with Client(ClientSettings(wire.address, retries_max=0)) as client:
        yield client


class Patient(NamedTuple):
    """A client that would wait, and the waits it asked for."""

    client: Client
    waits_s: list[float]


@pytest.fixture
def patient(wire: Wire) -> Iterator[Patient]:
    waits_s: list[float] = []
    with Client(ClientSettings(wire.address), sleep=waits_s.append) as client:
        yield Patient(client, waits_s)


def test_an_answer_is_parsed(wire: Wire, client: Client) -> None:
    wire.answer("GET secret/a", {"data": {"n": 1}, "lease_id": ""})

    answer = client.request("GET", "secret/a")

    assert (200, {"n": 1}) == (answer.status, answer.data)
    assert "" == answer.body["lease_id"]


def test_an_empty_answer_is_an_empty_object(wire: Wire, client: Client) -> None:
    wire.answer("DELETE secret/a")

    assert (204, {}) == client.request("DELETE", "secret/a")


def test_what_is_sent(wire: Wire) -> None:
    wire.answer("PUT secret/a")
    settings = ClientSettings(f"{wire.address}/", "hvs.t", "team", {"X-Extra": "1"})

    with Client(settings) as client:
        client.request("PUT", "/secret/a/", {"k": "ä"})

    asked = wire.asked[0]
    assert ("PUT /v1/secret/a", {"k": "ä"}) == (asked.line, asked.body)
    assert {
        "X-Vault-Token": "hvs.t",
        "X-Vault-Namespace": "team",
        "X-Vault-Request": "true",
        "X-Extra": "1",
        "Content-Type": "application/json",
    }.items() <= asked.headers.items()


def test_nothing_more_is_sent_than_is_known(wire: Wire, client: Client) -> None:
    wire.answer("GET a")

    client.request("GET", "a")

    assert {"Host", "Accept-Encoding", "X-Vault-Request"} == set(wire.asked[0].headers)


def test_a_patch_says_what_it_is(wire: Wire, client: Client) -> None:
    wire.answer("PATCH a")

    client.request("PATCH", "a", {})

    assert "application/merge-patch+json" == wire.asked[0].headers["Content-Type"]


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("LIST", "secret/a", "LIST /v1/secret/a/"),
        ("LIST", "secret/a/", "LIST /v1/secret/a/"),
        ("GET", "a b/ä?c#d%e", "GET /v1/a%20b/%C3%A4%3Fc%23d%25e"),
        ("GET", "a/b:c@d+e", "GET /v1/a/b:c@d+e"),
    ],
)
def test_paths_are_escaped(wire: Wire, client: Client, method: str, path: str, line: str) -> None:
    assert client.find(method, path) is None
    assert [line] == wire.lines


def test_parameters_are_escaped(wire: Wire, client: Client) -> None:
    client.find("GET", "a", parameters={"version": "1", "x": "a&b"})

    assert ["GET /v1/a?version=1&x=a%26b"] == wire.lines


def test_the_connection_is_kept(wire: Wire, client: Client) -> None:
    wire.answer("GET a", {"data": {}})
    client.request("GET", "a")
    connection = client._connection

    client.request("GET", "a")

    assert connection is not None
    assert connection is client._connection


def test_a_refusal_names_request_code_and_errors(wire: Wire, client: Client) -> None:
    wire.answer("GET a", {"errors": ["permission denied", "and more"]}, status=403)

    with pytest.raises(ApiError) as caught:
        client.request("GET", "a")

    assert (403, ("permission denied", "and more")) == (caught.value.status, caught.value.errors)
    assert caught.value.remote
    assert (
        "Error making API request.\n\n"
        f"URL: GET {wire.address}/v1/a\n"
        "Code: 403. Errors:\n\n"
        "* permission denied\n"
        "* and more"
    ) == str(caught.value)


def test_a_refusal_in_a_namespace_names_it(wire: Wire) -> None:
    wire.answer("GET a", {"errors": []}, status=400)

    with (
        Client(ClientSettings(wire.address, namespace="team")) as client,
        pytest.raises(ApiError, match=r"\n\nNamespace: team\nURL: GET .*\nCode: 400. Errors:"),
    ):
        client.request("GET", "a")


@pytest.mark.parametrize("body", [b"<html>\xff", b"[1]", b'{"errors":"text"}', b"[" * 200_000])
def test_a_refusal_that_is_not_vaults_is_shown_raw(wire: Wire, client: Client, body: bytes) -> None:
    wire.answer("GET a", body, status=400)

    with pytest.raises(ApiError) as caught:
        client.request("GET", "a")

    shown = body.decode("utf-8", "replace")
    assert () == caught.value.errors
    assert str(caught.value).endswith(f"Code: 400. Raw Message:\n\n{shown}")


@pytest.mark.parametrize("body", [b"nonsense", b"[1]"])
def test_an_answer_that_is_no_object_is_refused(wire: Wire, client: Client, body: bytes) -> None:
    wire.answer("GET a", body)

    with pytest.raises(UnreachableError, match="the answer is not a JSON object"):
        client.request("GET", "a")


@pytest.mark.parametrize("body", [{"data": {"metadata": {}}}, {"data": None, "warnings": ["w"]}])
def test_a_404_may_carry_an_answer(wire: Wire, client: Client, body: object) -> None:
    wire.answer("GET a", body, status=404)

    assert (404, body) == client.request("GET", "a")


def test_only_a_404_without_errors_means_that_nothing_is_there(wire: Wire, client: Client) -> None:
    wire.answer("GET b", {"errors": ["no handler for route"]}, status=404)
    wire.answer("GET c", {"errors": []}, status=400)

    assert client.find("GET", "a") is None
    with pytest.raises(ApiError, match="no handler"):
        client.find("GET", "b")
    with pytest.raises(ApiError, match="400"):
        client.find("GET", "c")


@pytest.mark.parametrize("status", [412, 500, 503])
def test_some_answers_invite_to_ask_again(wire: Wire, patient: Patient, status: int) -> None:
    wire.answer("PUT a", {"errors": ["later"]}, status=status)
    wire.answer("PUT a", {"errors": ["later"]}, status=status)
    wire.answer("PUT a", {"data": {}})

    answer = patient.client.request("PUT", "a", {"k": 1})

    assert 200 == answer.status
    assert [1.0, 1.5] == patient.waits_s
    assert [{"k": 1}] * 3 == [asked.body for asked in wire.asked]


@pytest.mark.parametrize(
    ("status", "text"), [(502, "no answer"), (504, "too late"), (500, UNKNOWN)]
)
def test_what_may_have_been_done_is_asked_again_only_if_it_changes_nothing(
    wire: Wire, patient: Patient, status: int, text: str
) -> None:
    """The error is shown; whoever asked must look."""
    for asked in ("POST a", "GET a"):
        wire.answer(asked, {"errors": [text]}, status=status)
    wire.answer("GET a", {"data": {}})

    with pytest.raises(ApiError, match=text):
        patient.client.request("POST", "a", {"k": 1})
    assert 200 == patient.client.request("GET", "a").status

    assert ["POST /v1/a", "GET /v1/a", "GET /v1/a"] == wire.lines


def test_our_own_server_says_that_an_outcome_is_unknown_in_these_words() -> None:
    assert OUTCOME_UNKNOWN in UNKNOWN_OUTCOME.body


@pytest.mark.parametrize("status", [400, 403, 404, 429, 501])
def test_others_do_not(wire: Wire, patient: Patient, status: int) -> None:
    wire.answer("GET a", {"errors": ["no"]}, status=status)

    with pytest.raises(ApiError):
        patient.client.request("GET", "a")

    assert ([], 1) == (patient.waits_s, len(wire.asked))


def test_patience_ends(wire: Wire, patient: Patient) -> None:
    wire.answer("GET a", {"errors": ["sealed"]}, status=503)

    with pytest.raises(ApiError, match="sealed"):
        patient.client.request("GET", "a")

    assert 3 == len(wire.asked)


def test_a_request_may_be_less_patient_than_its_client(wire: Wire, patient: Patient) -> None:
    wire.answer("GET a", {"errors": ["sealed"]}, status=503)

    with pytest.raises(ApiError, match="sealed"):
        patient.client.request("GET", "a", retries_max=0)

    assert 1 == len(wire.asked)


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [("0", 0), ("7", 7), ("3600", 60), ("9" * 30, 1.0), ("-1", 1.0), ("²", 1.0), ("Fri", 1.0)],
)
def test_the_server_may_name_the_wait(
    wire: Wire, patient: Patient, text: str, wait_s: float
) -> None:
    wire.answer("GET a", {}, status=503, headers={"Retry-After": text.encode().decode("latin-1")})
    wire.answer("GET a", {"data": {}})

    patient.client.request("GET", "a")

    assert [wait_s] == patient.waits_s


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_one_redirect_is_followed_with_method_and_body(
    wire: Wire, client: Client, status: int
) -> None:
    wire.answer("PUT a", status=status, headers={"Location": f"{wire.address}/v1/b?x=1"})
    wire.answer("PUT b?x=1", {"data": {}})

    answer = client.request("PUT", "a", {"k": 1})

    assert 200 == answer.status
    assert {"k": 1} == wire.asked[1].body


def test_a_redirect_may_lead_to_another_server(wire: Wire, client: Client) -> None:
    with Wire() as other:
        wire.answer("GET a", status=307, headers={"Location": f"{other.address}/v1/a"})
        other.answer("GET a", {"data": {"here": True}})

        assert {"here": True} == client.request("GET", "a").data
        client.close()


def test_a_second_redirect_is_not_followed(wire: Wire, client: Client) -> None:
    wire.answer("GET a", status=307, headers={"Location": "/v1/b"})
    wire.answer("GET b", status=307, headers={"Location": "/v1/c"})

    with pytest.raises(ApiError, match="Code: 307"):
        client.request("GET", "a")

    assert ["GET /v1/a", "GET /v1/b"] == wire.lines


def test_a_redirect_without_a_place_is_a_refusal(wire: Wire, client: Client) -> None:
    wire.answer("GET a", status=307)

    with pytest.raises(ApiError, match="Code: 307"):
        client.request("GET", "a")


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"

        with pytest.raises(UnreachableError, match=f"GET {address}/v1/a: .*refused") as caught:
            Client(ClientSettings(address)).request("GET", "a")

    assert caught.value.remote


def test_a_server_that_is_silent_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(UnreachableError, match="timed out"):
            Client(ClientSettings(address, timeout_s=0.02)).request("GET", "a")


def test_an_answer_that_is_not_http_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = Client(ClientSettings(f"http://127.0.0.1:{server.getsockname()[1]}"))
        connection = client._connect(client.settings.address)
        connection.connect()
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"SSH-2.0\r\n")
            accepted.shutdown(socket.SHUT_WR)

            with pytest.raises(UnreachableError, match=r"SSH-2\.0"):
                client.request("GET", "a")


def test_an_answer_that_is_too_long_is_refused(
    wire: Wire, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.client.ANSWER_BYTES_MAX", 10)
    wire.answer("GET a", b"{}       }")
    wire.answer("GET b", b"{}        }")

    with pytest.raises(UnreachableError, match="not a JSON object"):
        client.request("GET", "a")
    with pytest.raises(UnreachableError, match="exceeds 10 bytes"):
        client.request("GET", "b")


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "ā"])
def test_a_header_that_cannot_be_sent_is_a_local_fault(wire: Wire, token: str) -> None:
    client = Client(ClientSettings(wire.address, token))

    with pytest.raises(SettingsError, match="cannot be sent") as caught:
        client.request("GET", "a")

    assert not caught.value.remote
    assert [] == wire.asked


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:8200", "ftp://a", "http://", "http://a:b", "http://[", "http://a:0"]
)
def test_an_address_is_a_url(address: str) -> None:
    with pytest.raises(SettingsError, match="is not an address"):
        Client(ClientSettings(address))


class Authority(NamedTuple):
    """A certificate for `NAME` alone, which vouches for itself."""

    certificate: Path
    key: Path
    pem: str

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("authority")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (directory / "cert.pem").write_bytes(pem)
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Authority(directory / "cert.pem", directory / "key.pem", pem.decode())


@pytest.fixture(scope="module")
def shared_tls_wire(authority: Authority) -> Iterator[Wire]:
    context = authority.context()
    context.load_verify_locations(cadata=authority.pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    with Wire(context) as wire:
        yield wire


@pytest.fixture
def tls_wire(shared_tls_wire: Wire) -> Wire:
    shared_tls_wire.clear()
    shared_tls_wire.answer("GET a", {"data": {"ok": True}})
    return shared_tls_wire


def ask(wire: Wire, tls: TlsSettings) -> object:
    with Client(ClientSettings(wire.address, tls=tls)) as client:
        return client.request("GET", "a").data


def test_a_file_of_roots_is_trusted(tls_wire: Wire, authority: Authority) -> None:
    tls = TlsSettings(ca_cert=str(authority.certificate), server_name=NAME)

    assert {"ok": True} == ask(tls_wire, tls)


def test_roots_may_be_text(tls_wire: Wire, authority: Authority) -> None:
    assert {"ok": True} == ask(tls_wire, TlsSettings(ca_cert_pem=authority.pem, server_name=NAME))


def test_a_directory_of_roots_is_trusted(
    tls_wire: Wire, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "any-name").write_text(authority.pem)
    (tmp_path / "directory").mkdir()

    assert {"ok": True} == ask(tls_wire, TlsSettings(ca_path=str(tmp_path), server_name=NAME))


def test_anything_may_be_trusted(tls_wire: Wire) -> None:
    assert {"ok": True} == ask(tls_wire, TlsSettings(skip_verify=True))


def test_a_client_may_show_a_certificate(tls_wire: Wire, authority: Authority) -> None:
    certificate, key = str(authority.certificate), str(authority.key)
    tls = TlsSettings(client_cert=certificate, client_key=key, skip_verify=True)

    assert {"ok": True} == ask(tls_wire, tls)


@pytest.mark.parametrize("tls", [TlsSettings(), TlsSettings(server_name=NAME)])
def test_a_stranger_is_not_trusted(tls_wire: Wire, tls: TlsSettings) -> None:
    with pytest.raises(
        UnreachableError, match="its certificate is not trusted: self-signed certificate"
    ):
        ask(tls_wire, tls)


def test_another_name_is_not_trusted(tls_wire: Wire, authority: Authority) -> None:
    with pytest.raises(UnreachableError, match="IP address mismatch"):
        ask(tls_wire, TlsSettings(ca_cert=str(authority.certificate)))


def test_plain_http_behind_a_tls_address_is_named(wire: Wire) -> None:
    address = wire.address.replace("http:", "https:")

    with pytest.raises(UnreachableError, match="does not speak TLS"):
        Client(ClientSettings(address)).request("GET", "a")


def test_a_redirect_does_not_leave_tls(tls_wire: Wire, wire: Wire) -> None:
    tls_wire.answer("GET b", status=307, headers={"Location": f"{wire.address}/v1/b"})

    with (
        Client(ClientSettings(tls_wire.address, tls=TlsSettings(skip_verify=True))) as client,
        pytest.raises(UnreachableError, match="refused to follow a redirect to http://"),
    ):
        client.request("GET", "b")

    assert [] == wire.asked


def test_a_redirect_may_lead_into_tls(tls_wire: Wire, wire: Wire) -> None:
    wire.answer("GET a", status=307, headers={"Location": f"{tls_wire.address}/v1/a"})

    assert {"ok": True} == ask(wire, TlsSettings(skip_verify=True))
