"""A server that cannot run as it was told to ends at once, and says what to change."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import needs
from tests.server.processes import ServerProcess, configure, free_port, run_holdfast

pytestmark = pytest.mark.slow


def refused(directory: Path, file: Path, *, under: tuple[str, ...] = ()) -> str:
    """Start a server that ends by itself with exit code 1; return what it said, in one piece."""
    ran = run_holdfast("server", f"-config={file}", home=directory, under=under)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "Traceback" not in ran.stderr
    return ran.stderr.rstrip("\n")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port: int = listening.getsockname()[1]
        yield port


def test_a_port_of_clients_in_use(tmp_path: Path, taken: int) -> None:
    said = refused(tmp_path, configure(tmp_path, taken))

    assert said.startswith(f"cannot listen on 127.0.0.1:{taken}: ")
    assert said.endswith("Address already in use")


def test_a_port_of_peers_in_use(tmp_path: Path, taken: int) -> None:
    file = configure(tmp_path, free_port())
    settings = json.loads(file.read_text())
    settings["listener"]["tcp"]["cluster_address"] = f"127.0.0.1:{taken}"
    file.write_text(json.dumps(settings))

    said = refused(tmp_path, file)

    assert said.startswith(f"cannot listen on 127.0.0.1:{taken}: ")
    assert said.endswith("Address already in use")


def test_a_data_directory_in_use(tmp_path: Path) -> None:
    """The first goes on undisturbed, also if the second has other ports."""
    first = configure(tmp_path, port := free_port())
    server = ServerProcess(port, f"-config={first}", log=tmp_path / "log")
    try:
        second = configure(tmp_path, free_port())

        assert refused(tmp_path, second) == f"{tmp_path / 'data-one'} is in use by another process"
        assert server.client.sys.read_seal_status()["sealed"]
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def lived_in(tmp_path: Path) -> Path:
    """The data directory of a node that has ended."""
    file = configure(tmp_path, port := free_port())
    server = ServerProcess(port, f"-config={file}", log=tmp_path / "log")
    try:
        server.client.sys.initialize(secret_shares=1, secret_threshold=1)
    finally:
        server.kill()
    return tmp_path / "data-one"


def test_a_foreign_data_directory(tmp_path: Path, lived_in: Path) -> None:
    """It says whose it is not, is left as it is, and serves its owner still."""
    file = configure(tmp_path, port := free_port())
    identity = lived_in / "identity.json"
    own = identity.read_text()

    identity.unlink()
    assert refused(tmp_path, file) == f"{lived_in} holds data but does not say whose"
    identity.write_text(json.dumps({"format": 1, "node": "f0" * 16}))
    log, base, aside = lived_in / "wal", lived_in / "store", tmp_path / "aside"
    log.rename(aside)
    assert refused(tmp_path, file).startswith(f"the log of {lived_in} is gone")
    begun = lived_in / "has-log"
    begun.unlink()
    assert refused(tmp_path, file) == f"{base / 'base-1'} belongs to another node"
    log.rmdir()
    aside.rename(log)
    begun.touch()
    base.rename(aside)
    assert refused(tmp_path, file) == f"{lived_in}: segment 1 belongs to another node or cluster"
    base.rmdir()
    aside.rename(base)
    identity.write_text(json.dumps({"format": 2, "node": "f0" * 16}))
    assert refused(tmp_path, file) == f"{identity} has format 2, which is unknown here"
    identity.write_text("{}")
    assert f"{identity} cannot be read" in refused(tmp_path, file)

    identity.write_text(own)
    server = ServerProcess(port, f"-config={file}", log=tmp_path / "log")
    assert server.stop() == 0


def test_a_data_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "data-one").touch()

    said = refused(tmp_path, configure(tmp_path, free_port()))

    assert said == f"{tmp_path / 'data-one'}: Not a directory"


def test_all_mistakes_in_a_configuration_at_once(tmp_path: Path) -> None:
    """Each with its file and line; nothing is made on the disk."""
    file = tmp_path / "holdfast.hcl"
    file.write_text(
        f"""\
cluster_nam = "production"
storage "raft" {{
  path   = "{tmp_path}/data"
  nodeid = "one"
}}
listener "tcp" {{
  tls_disable       = true
  http_idle_timeout = "soon"
}}
"""
    )

    first, second, third = refused(tmp_path, file).splitlines()
    assert first == f"{file}:1: unknown key cluster_nam"
    assert second == f"{file}:4: unknown key nodeid"
    assert third.startswith(f"{file}:8: http_idle_timeout must be a duration")
    assert not (tmp_path / "data").exists()


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.hcl"

    assert refused(tmp_path, file) == f"{file}: No such file or directory"


def test_memory_that_must_be_locked_and_cannot(tmp_path: Path) -> None:
    needs("setpriv")
    needs("prlimit")
    file = configure(tmp_path, free_port(), disable_mlock=False)
    without_right = ("setpriv", "--bounding-set", "-ipc_lock", "--inh-caps", "-ipc_lock")
    limited = ("prlimit", "--memlock=65536")
    under = (*limited, *(without_right if os.geteuid() == 0 else ()))

    assert refused(tmp_path, file, under=under) == (
        "memory cannot be locked: Cannot allocate memory; "
        "grant CAP_IPC_LOCK, or set disable_mlock = true"
    )
