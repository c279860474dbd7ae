"""The dev server with TLS, as a process."""

import os
import re
import signal
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import hvac
import pytest

from tests.server.processes import HOLDFAST, PATIENCE_S, PipedProcess, ending

pytestmark = pytest.mark.slow

_EXPORT = re.compile(r"^    \$ export (\w+)='([^']*)'$", re.MULTILINE)


class DevServer(PipedProcess):
    """`holdfast server -dev …` on a free port, ready.

    Attributes:
        said: what it has printed.
        exports: the variables that it wants to be set.
    """

    def __init__(self, *arguments: str, home: Path) -> None:
        super().__init__(
            subprocess.Popen(
                (*HOLDFAST, "server", "-dev-listen-address=127.0.0.1:0", *arguments),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": str(home), "TMPDIR": str(home)},
            )
        )
        self.said = ""
        while (line := self.line()) and not line.startswith("Root Token: "):
            self.said += line
        self.said += line
        self.exports = dict(_EXPORT.findall(self.said))

    @property
    def client(self) -> hvac.Client:
        exports = self.exports
        trusted = exports.get("VAULT_CACERT", True)
        return hvac.Client(exports["VAULT_ADDR"], token=exports["VAULT_TOKEN"], verify=trusted)


Start = Callable[..., DevServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ending(partial(DevServer, home=tmp_path)) as begin:
        yield begin


def test_tls_with_certificates_that_end_with_the_server(start: Start, tmp_path: Path) -> None:
    """`-dev-tls` alone is enough; what it prints lets a client in that verifies."""
    server = start("-dev-tls", "-dev-no-store-token")
    kv = server.client.secrets.kv.v2
    kv.create_or_update_secret("a", {"b": "c"})
    read = kv.read_secret_version("a", raise_on_deleted_version=True)
    authority = Path(server.exports["VAULT_CACERT"])
    there = authority.is_file()
    code, _ = server.stop()

    assert {"b": "c"} == read["data"]["data"]
    assert server.exports["VAULT_ADDR"].startswith("https://127.0.0.1:")
    assert (True, 0) == (there, code)
    assert tmp_path == authority.parent.parent
    assert [] == list(tmp_path.iterdir())


def test_tls_files_where_they_are_wanted(start: Start, tmp_path: Path) -> None:
    """Named as Vault names them; a second server shows the same ones."""
    place = tmp_path / "a" / "tls"
    arguments = ("-dev", "-dev-tls", f"-dev-tls-cert-dir={place}", "-dev-no-store-token")
    first = start(*arguments)
    code, _ = first.stop()
    before = {file.name: file.read_bytes() for file in place.iterdir()}
    second = start(*arguments)

    assert 0 == code
    assert {"vault-ca.pem", "vault-cert.pem", "vault-key.pem"} == set(before)
    assert 0o600 == stat.S_IMODE((place / "vault-key.pem").stat().st_mode)
    assert str(place / "vault-ca.pem") == second.exports["VAULT_CACERT"]
    assert before == {file.name: file.read_bytes() for file in place.iterdir()}
    assert not second.client.sys.is_sealed()


def test_further_names(start: Start) -> None:
    """Of `-dev-tls-san`; any other is refused by the client."""
    server = start(
        "-dev-tls", "-dev-tls-san=vault.example.com", "-dev-tls-san=10.9.8.7", "-dev-no-store-token"
    )
    context = ssl.create_default_context(cafile=server.exports["VAULT_CACERT"])
    url = server.exports["VAULT_ADDR"] + "/v1/sys/health"

    def ask(name: str) -> int:
        with httpx.Client(verify=context, trust_env=False) as client:
            return client.get(url, extensions={"sni_hostname": name}).status_code

    assert [200] * 3 == [ask(name) for name in ("vault.example.com", "10.9.8.7", "localhost")]
    with pytest.raises(httpx.ConnectError, match=r"not valid for 'other\.example\.com'"):
        ask("other.example.com")


def test_who_speaks_both_protocols_is_answered_in_the_fast_lane(start: Start) -> None:
    """As clients in Go and curl do; HTTP/2 is there for those who insist."""
    server = start("-dev-tls", "-dev-no-store-token")
    context = ssl.create_default_context(cafile=server.exports["VAULT_CACERT"])
    url = server.exports["VAULT_ADDR"] + "/v1/sys/health"

    def ask(*, http1: bool) -> tuple[str, int]:
        with httpx.Client(verify=context, trust_env=False, http1=http1, http2=True) as client:
            answer = client.get(url)
            return answer.http_version, answer.status_code

    assert ("HTTP/1.1", 200) == ask(http1=True)
    assert ("HTTP/2", 200) == ask(http1=False)


def test_a_bad_certificate_is_not_taken_up_while_it_serves(start: Start, tmp_path: Path) -> None:
    """SIGHUP reads the files again; the one before stays in force, and the server up."""
    server = start("-dev-tls", f"-dev-tls-cert-dir={tmp_path}", "-dev-no-store-token")
    (tmp_path / "vault-cert.pem").write_text("nonsense")
    server.process.send_signal(signal.SIGHUP)
    said = server.line()
    while "a certificate is not taken up" not in said:
        said = server.line()
        assert said

    assert str(tmp_path / "vault-cert.pem") in said
    assert not server.client.sys.is_sealed()
    assert 0 == server.stop()[0]


def test_plain_http_names_no_authority(start: Start, tmp_path: Path) -> None:
    server = start("-dev", "-dev-root-token-id=mine")

    assert {"VAULT_ADDR", "VAULT_TOKEN"} == server.exports.keys()
    assert "mine" == server.client.lookup_token()["data"]["id"]
    assert "mine" == (tmp_path / ".vault-token").read_text()


def test_a_root_token_that_cannot_be_ends_it(tmp_path: Path) -> None:
    """With a sentence; nothing of the certificates is left either."""
    unusable = ("-dev-root-token-id=a b",)
    ended = subprocess.run(
        (*HOLDFAST, "server", "-dev-listen-address=127.0.0.1:0", "-dev-tls", *unusable),
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        timeout=PATIENCE_S,
        check=False,
    )

    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("auth/token/create: ")
    assert [] == list(tmp_path.iterdir())


def test_a_home_that_cannot_be_written_does_not_matter(start: Start, tmp_path: Path) -> None:
    (tmp_path / ".vault-token").mkdir()
    server = start("-dev")

    place = tmp_path / ".vault-token"
    told = f"not kept for other commands: {place} cannot be written: Is a directory\n"
    assert told in server.said
    assert server.client.is_authenticated()


@pytest.mark.parametrize(
    ("listening", "told"), [("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]"), ("[::1]", "[::1]")]
)
def test_what_listens_everywhere_is_found_nearby(start: Start, listening: str, told: str) -> None:
    server = start("-dev-tls", "-dev-no-store-token", f"-dev-listen-address={listening}:0")

    assert server.exports["VAULT_ADDR"].startswith(f"https://{told}:")
    assert not server.client.sys.is_sealed()
