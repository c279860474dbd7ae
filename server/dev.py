"""The dev server: in memory, initialised, unsealed, with KV version 2 at `secret/`.

Owns what makes it convenient and nothing else; it works through the API like anybody.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from core.request import Operation, Request
from net import self_signed
from net.durably import make_parents
from net.http.application import Application, answer
from server import process
from server.cannot_run import CannotRunError
from server.config.configuration import Configuration, InmemStorage, Listener, LogLevel
from server.config.values import HostPort, UnfitError, host_port
from server.process import Process
from server.reason import reason_of
from server.shell import export_lines
from server.token_file import token_path, write_token

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""What every certificate of a dev server is good for."""

_OK = (200, 204)
# Where to reach, from this machine, what listens everywhere.
_NEAR: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- compared only


class DevError(CannotRunError):
    """The dev server can't be set up; the message says why."""


class TlsOptions(msgspec.Struct, frozen=True):
    """What a user may choose about TLS.

    Attributes:
        directory: where the files go; empty: into one that ends with the server.
        names: names and addresses, beside those of this machine, that the certificate is for.
    """

    directory: str = ""
    names: tuple[str, ...] = ()


class TlsFiles(msgspec.Struct, frozen=True):
    """What a dev server proves itself with, and what its clients are to trust.

    Attributes:
        authority: the file for `VAULT_CACERT`.
        certificate: the server's own.
        key: its private key.
    """

    authority: Path
    certificate: Path
    key: Path


def run(
    address: str,
    *,
    root_token_id: str,
    store_token: bool,
    tls: TlsOptions | None,
    log_level: LogLevel,
) -> None:
    """Run a dev server until a signal says to stop.

    Args:
        address: where to listen, `host:port`.
        root_token_id: the root token; empty: one is made up.
        store_token: whether to keep it where `login` does.
        tls: with which certificate to speak TLS; None: plain HTTP.
        log_level: what is logged.

    Raises:
        CannotRunError: it can't be set up, or had to stop.
    """
    try:
        listening = host_port(address)
    except UnfitError as error:
        raise DevError(f"the address to listen on {error}") from None
    with ExitStack() as stack:
        files = stack.enter_context(_certified(tls, listening)) if tls is not None else None

        async def announce(running: Process) -> None:
            key, token = await prepare(running.driver, root_token_id)
            if store_token:
                _store(token)
            listener = running.listeners[0]
            url = _url(listener.host, listener.port, tls=files is not None)
            click.echo(_told(url, files, key, token))

        process.run(_configuration(listening, files), log_level, announce)


async def prepare(application: Application, root_token_id: str) -> tuple[str, str]:
    """Initialise, unseal and mount; return the unseal key and the root token.

    Raises:
        DevError: one of these was refused.
    """
    body = await _call(
        application, "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=""
    )
    key, token = body["keys_base64"][0], body["root_token"]
    await _call(application, "sys/unseal", {"key": key}, token="")
    mount = {"type": "kv", "options": {"version": "2"}, "description": "key/value secret storage"}
    await _call(application, "sys/mounts/secret", mount, token=token)
    if root_token_id:
        wanted = {"id": root_token_id, "policies": ["root"], "no_parent": True}
        await _call(application, "auth/token/create", wanted, token=token)
        await _call(application, "auth/token/revoke-self", {}, token=token)
        token = root_token_id
    return key, token


@contextmanager
def _certified(tls: TlsOptions, address: HostPort) -> Iterator[TlsFiles]:
    """Have TLS files, named as Vault does, for as long as the server runs."""
    with ExitStack() as stack:
        place = tls.directory
        if not place:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-tls-"))
        directory = Path(place).absolute()
        files = TlsFiles(
            directory / "vault-ca.pem", directory / "vault-cert.pem", directory / "vault-key.pem"
        )
        host = address.host.strip("[]")
        names = tuple(dict.fromkeys((*LOOPBACK_NAMES, _NEAR.get(host, host), *tls.names)))
        server = self_signed.Server(files.certificate, files.key, names)
        try:
            make_parents(directory)
            self_signed.provide(files.authority, [server], datetime.now(UTC))
        except OSError as error:
            reason = f"no certificate can be kept in {directory}: {reason_of(error)}"
            raise DevError(reason) from None
        except ValueError as error:
            raise DevError(f"no certificate can be made: {error}") from None
        yield files


def _configuration(address: HostPort, files: TlsFiles | None) -> Configuration:
    listener = Listener(address=str(address), tls_disable=True)
    if files is not None:
        listener = Listener(
            address=str(address), tls_cert_file=str(files.certificate), tls_key_file=str(files.key)
        )
    return Configuration(
        storage=InmemStorage(),
        listeners=(listener,),
        api_addr=_url(address.host.strip("[]"), address.port, tls=files is not None),
        cluster_addr="https://127.0.0.1:8201",
    )


def _url(host: str, port: int, *, tls: bool) -> str:
    near = _NEAR.get(host, host)
    return f"http{'s' if tls else ''}://{f'[{near}]' if ':' in near else near}:{port}"


def _told(url: str, files: TlsFiles | None, key: str, token: str) -> str:
    """Return how to use it."""
    exports = {"VAULT_ADDR": url}
    if files is not None:
        exports["VAULT_CACERT"] = str(files.authority)
    exports["VAULT_TOKEN"] = token
    return (
        "The dev server keeps everything in memory: it is for trying out, and ends with all it has."
        f"\n\nThese let the other commands reach it:\n\n{export_lines(exports)}\n"
        f"\nUnseal Key: {key}\nRoot Token: {token}\n"
    )


def _store(token: str) -> None:
    try:
        write_token(token)
    except OSError as error:
        told = f"{token_path()} cannot be written: {reason_of(error)}"
        click.echo(f"The root token is not kept for other commands: {told}", err=True)


async def _call(
    application: Application, path: str, body: dict[str, Any], *, token: str
) -> dict[str, Any]:
    operation: Operation = "update"
    request = Request(operation, path, token, msgspec.json.encode(body))
    response = await answer(application, request)
    if response.status not in _OK:
        raise DevError(f"{path}: {response.body.decode(errors='replace').strip()}")
    decoded: dict[str, Any] = msgspec.json.decode(response.body) if response.body else {}
    return decoded
