"""Whole server processes, asked by a client that people use."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest

from tests.needs import needs
from tests.server.processes import ServerProcess, configure, free_port, run_holdfast

pytestmark = pytest.mark.slow
PLANTED = "zebra-crossing-7"


@pytest.fixture
def running() -> Iterator[list[ServerProcess]]:
    """Processes that must not outlive the test."""
    processes: list[ServerProcess] = []
    yield processes
    for server in processes:
        if server.process.poll() is None:
            server.kill()


def start(running: list[ServerProcess], port: int, *arguments: str, log: Path) -> ServerProcess:
    server = ServerProcess(port, *arguments, log=log)
    running.append(server)
    return server


def test_the_dev_server_is_ready_for_use(running: list[ServerProcess], tmp_path: Path) -> None:
    """Unsealed, with the token that was asked for, KV version 2 at `secret/`, and in ~."""
    port = free_port()
    server = start(
        running,
        port,
        "-dev",
        "-dev-root-token-id=mine",
        f"-dev-listen-address=127.0.0.1:{port}",
        log=tmp_path / "log",
    )
    client = server.client
    client.token = "mine"
    server.leads()
    client.secrets.kv.v2.create_or_update_secret("a/b", {"c": "d"})
    read = client.secrets.kv.v2.read_secret_version("a/b", raise_on_deleted_version=True)

    assert read["data"]["data"] == {"c": "d"}
    assert (tmp_path / ".vault-token").read_text() == "mine"
    assert f"export VAULT_ADDR='{server.url}'" in (tmp_path / "log").read_text()
    assert server.stop() == 0


def test_a_killed_node_comes_back_with_all_that_was_acknowledged(
    running: list[ServerProcess], tmp_path: Path
) -> None:
    """Three times in a row, in the middle of writes; nothing readable is on the disk."""
    port = free_port()
    file = configure(tmp_path, port)
    log = tmp_path / "log"
    server = start(running, port, f"-config={file}", log=log)
    seal = server.client.sys.initialize(secret_shares=3, secret_threshold=2)
    acknowledged: dict[str, str] = {}
    for life in range(3):
        server.client.sys.submit_unseal_keys(seal["keys"][:2])
        server.client.token = seal["root_token"]
        server.leads()
        if life == 0:
            server.client.sys.enable_secrets_engine("kv", "secret", options={"version": "2"})
        for name, value in acknowledged.items():
            read = server.client.secrets.kv.v2.read_secret_version(
                name, raise_on_deleted_version=True
            )
            assert read["data"]["data"] == {PLANTED: value}
        for number in range(40):
            name = f"{PLANTED}-{life}-{number}"
            secret = {PLANTED: f"{PLANTED}-{number}"}
            server.client.secrets.kv.v2.create_or_update_secret(name, secret)
            acknowledged[name] = secret[PLANTED]
        server.kill()
        server = start(running, port, f"-config={file}", log=log)

    written = [path for path in (tmp_path / "data-one").rglob("*") if path.is_file()]
    for secret_text in (PLANTED, seal["root_token"], seal["keys"][0]):
        assert not any(secret_text.encode() in path.read_bytes() for path in written)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in written]
    assert modes == [0o600] * len(modes)


def test_a_directory_belongs_to_one_process(running: list[ServerProcess], tmp_path: Path) -> None:
    """The second ends at once and says why."""
    port = free_port()
    file = configure(tmp_path, port)
    start(running, port, f"-config={file}", log=tmp_path / "log")

    with pytest.raises(AssertionError, match="in use by another process"):
        start(running, free_port(), f"-config={file}", log=tmp_path / "second")


def test_a_port_in_use_ends_the_process(running: list[ServerProcess], tmp_path: Path) -> None:
    """It is not tried again in silence."""
    port = free_port()
    arguments = ("-dev", f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token")
    start(running, port, *arguments, log=tmp_path / "log")
    first = running[0].process
    second = subprocess.run(
        first.args,  # the same command line
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert second.returncode == 1
    assert str(port) in second.stderr


@pytest.mark.parametrize("key", ["address", "cluster_address"])
def test_a_node_whose_port_is_in_use_leaves_its_data_in_order(tmp_path: Path, key: str) -> None:
    """Else the next start would look at the whole base for nothing."""
    file = configure(tmp_path, free_port())
    place = json.loads(file.read_text())["listener"]["tcp"][key]
    host, _, port = place.rpartition(":")
    with socket.create_server((host, int(port))):
        ran = run_holdfast("server", f"-config={file}", home=tmp_path)

    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
    assert f"cannot listen on {place}: " in ran.stderr
    assert not (tmp_path / "data-one" / "store" / "suspect").exists()


def test_a_place_for_the_pid_file_that_is_none_ends_the_process(tmp_path: Path) -> None:
    """With a sentence."""
    file = configure(tmp_path, free_port(), pid_file=str(tmp_path / "absent" / "pid"))
    program = "import sys; from server.cli import main; sys.exit(main())"
    ended = subprocess.run(
        (sys.executable, "-c", program, "server", f"-config={file}"),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert 1 == ended.returncode
    assert f"{tmp_path / 'absent' / 'pid'}: No such file or directory\n" == ended.stderr


def test_audit_records_are_written_and_hide_secrets(
    running: list[ServerProcess], tmp_path: Path
) -> None:
    """One line when a request comes, one when its answer leaves."""
    port = free_port()
    arguments = ("-dev", "-dev-root-token-id=mine", "-dev-no-store-token")
    address = f"-dev-listen-address=127.0.0.1:{port}"
    server = start(running, port, *arguments, address, log=tmp_path / "log")
    client = server.client
    client.token = "mine"
    server.leads()
    audit = tmp_path / "audit.log"
    client.sys.enable_audit_device("file", options={"file_path": str(audit)}, path="f")
    before = len(audit.read_text().splitlines())
    for number in range(10):
        client.secrets.kv.v2.create_or_update_secret(f"a{number}", {"secret": PLANTED})
    text = audit.read_text()

    assert len(text.splitlines()) - before == 20
    assert PLANTED not in text
    assert "mine" not in text
    assert stat.S_IMODE(audit.stat().st_mode) == 0o600
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client.sys.enable_audit_device("file", options={"file_path": "/nowhere/x"}, path="g")


def test_memory_is_locked_and_the_number_of_the_process_is_told(
    running: list[ServerProcess], tmp_path: Path
) -> None:
    """`disable_mlock = false` locks or fails; the file goes with the process."""
    needs("the right to lock memory", met=os.geteuid() == 0)
    port = free_port()
    pid_file = tmp_path / "pid"
    file = configure(tmp_path, port, disable_mlock=False, pid_file=str(pid_file))
    server = start(running, port, f"-config={file}", log=tmp_path / "log")
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    locked = next(line for line in status.splitlines() if line.startswith("VmLck"))

    assert int(locked.split()[1]) > 10_000
    assert pid_file.read_text() == f"{server.process.pid}\n"
    assert server.stop() == 0
    assert not pid_file.exists()
