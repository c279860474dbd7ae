"""The dev server: in memory, initialised, unsealed, with KV version 2 at `secret/`.

Owns what makes it convenient and nothing else; it works through the API like anybody.
"""

from typing import Any

import click
import msgspec

from core.request import Operation, Request
from net.http.application import Application, answer
from server.config.configuration import Configuration, InmemStorage, Listener
from server.process import Process
from server.token_file import write_token

_OK = (200, 204)


class DevError(Exception):
    """The dev server can't be set up; the message says why."""


def configuration(address: str) -> Configuration:
    """Return what a dev server starts from."""
    return Configuration(
        storage=InmemStorage(),
        listeners=(Listener(address=address, tls_disable=True),),
        api_addr=f"http://{address}",
        cluster_addr="https://127.0.0.1:8201",
    )


async def prepare(application: Application, root_token_id: str) -> tuple[str, str]:
    """Initialise, unseal and mount; return the unseal key and the root token."""
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


async def announce(process: Process, root_token_id: str, *, store_token: bool) -> None:
    """Prepare a process that has just started, and tell its user how to use it."""
    key, token = await prepare(process.driver, root_token_id)
    if store_token:
        write_token(token)
    listener = process.listeners[0]
    click.echo(
        "The dev server keeps everything in memory: it is for trying out, and ends with all it has."
        "\n\nThese let the other commands reach it:\n"
        f"\n    $ export VAULT_ADDR='http://{listener.host}:{listener.port}'\n"
        f"    $ export VAULT_TOKEN='{token}'\n"
        f"\nUnseal Key: {key}\nRoot Token: {token}\n"
    )


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
