"""A bare JSON application on Hypercorn and trio: what a framework costs before it decides anything.

Owns the application and its process; it answers every request with the same small object, about as
long as an answer of KV version 2.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

from server.bench import children
from server.bench.certificate import HOST, Certificate
from server.bench.connection import get
from server.bench.machine import Cores
from server.bench.settings import VALUE_BYTES, BenchError, PeerUnavailable
from server.bench.workload import Target
from server.ports import free_ports

NAME: Final = f"bare JSON app, Hypercorn {version('hypercorn')} on trio"

_ANSWER: Final = {
    "request_id": "00000000-0000-0000-0000-000000000000",
    "lease_id": "",
    "renewable": False,
    "lease_duration": 0,
    "data": {"data": {"value": "x" * VALUE_BYTES}, "metadata": {"version": 1}},
    "wrap_info": None,
    "warnings": None,
    "auth": None,
}


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer any request with JSON."""
    if scope["type"] != "http":
        await _live(receive, send)
        return
    while (await receive()).get("more_body"):
        pass
    body = json.dumps(_ANSWER).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send(
        {"type": "http.response.start", "status": 200, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _live(receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Say that there is nothing to prepare and nothing to clean up (the ASGI lifespan)."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Serve on a port with a certificate: the three arguments of this process."""
    port, certificate_file, key_file = sys.argv[1:]
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.certfile, config.keyfile = certificate_file, key_file
    # Like ours, it is to keep connections for as long as the load lasts.
    config.keep_alive_max_requests = sys.maxsize
    trio.run(partial(serve, app, config))


@contextmanager
def bare_app(
    directory: Path, certificate: Certificate, cores: Cores
) -> Iterator[tuple[Target, subprocess.Popen[bytes]]]:
    """Run the application in a process of its own.

    Raises:
        PeerUnavailable: it does not start.
    """
    (port,) = free_ports(HOST, 1)
    target = Target(HOST, port, str(certificate.authority_file))
    command = children.python_module(
        "server.bench.bare_app",
        str(port),
        str(certificate.certificate_file),
        str(certificate.key_file),
    )
    log = directory / "bare_app.log"
    with children.running(command, log, core=cores.server) as process:
        try:
            children.until(lambda: _answers(target), process, log, NAME)
        except BenchError as error:
            raise PeerUnavailable(str(error)) from None
        yield target, process


def _answers(target: Target) -> bool | None:
    try:
        return get(target, "/").succeeded or None
    except OSError:
        return None
