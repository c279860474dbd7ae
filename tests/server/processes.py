"""Real server processes for tests: started, asked with hvac, killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import hvac

STARTED_S_MAX = 20.0
PATIENCE_S = 20.0
_PORTS = iter(range(10_000 + os.getpid() * 500 % 20_000, 32_000))
HOLDFAST = (sys.executable, "-c", "import sys; from server.cli import main; sys.exit(main())")


def free_port() -> int:
    """Return a port that nobody listens on, another one each time.

    It is below those that the kernel gives to whoever asks for any, so it stays free between two
    starts. Processes that test beside this one begin elsewhere.
    """
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def wait(met: Callable[[], bool], why_not: Callable[[], str] = lambda: "") -> None:
    """Wait until something holds that can only be polled."""
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, f"waited too long\n{why_not()}"
        time.sleep(0.02)  # another process gives no sign when it changes


def run_holdfast(
    *arguments: str, home: Path, under: Sequence[str] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the program as a person would, from the shell, until it ends.

    Args:
        arguments: of the program.
        home: the home directory.
        under: a program that runs this one, with its arguments.
        variables: added to the environment, which has no others of Vault's.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VAULT_")}
    return subprocess.run(
        (*under, *HOLDFAST, *arguments),
        capture_output=True,
        text=True,
        timeout=STARTED_S_MAX,
        check=False,
        env={**kept, "HOME": str(home), **variables},
    )


class PipedProcess:
    """One `holdfast` whose standard output a test reads.

    Attributes:
        process: it.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def line(self) -> str:
        """Return the next line that it prints, empty once it prints no more."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode()

    def stop(self) -> tuple[int, bytes]:
        """Ask it to end; return its exit code and what else it has printed."""
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, rest

    def end(self) -> None:
        """End it, if it has not ended."""
        end(self.process)


_Piped = TypeVar("_Piped", bound=PipedProcess)


@contextlib.contextmanager
def ending(start: Callable[..., _Piped]) -> Iterator[Callable[..., _Piped]]:
    """Give a function that starts processes as `start` does, and end all of them afterwards."""
    started: list[_Piped] = []

    def begin(*arguments: str) -> _Piped:
        started.append(start(*arguments))
        return started[-1]

    try:
        yield begin
    finally:
        for each in started:
            each.end()


class ServerProcess:
    """One `holdfast server`.

    Attributes:
        process: it.
        client: asks it.
    """

    def __init__(self, port: int, *arguments: str, log: Path) -> None:
        """Start it and wait until it answers."""
        self._log = log
        self.url = f"http://127.0.0.1:{port}"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                (*HOLDFAST, "server", *arguments),
                stdout=output,
                stderr=output,
                env={**os.environ, "HOME": str(log.parent)},
            )
        self.client = hvac.Client(self.url)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTED_S_MAX
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self._log.read_text()
            try:
                self.client.sys.read_seal_status()
            except OSError:
                time.sleep(0.02)  # a process gives no other sign that it listens
            else:
                return
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self.client.adapter.close()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STARTED_S_MAX)
        self.client.adapter.close()
        return code

    def pause(self) -> None:
        """Take the processor from it: it hears and says nothing, but its connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def leads(self) -> None:
        """Wait until it leads."""
        wait(self._is_leader, self._log.read_text)

    def _is_leader(self) -> bool:
        try:
            return bool(self.client.sys.read_leader_status()["is_self"])
        except hvac.exceptions.VaultDown:
            return False


def configure(
    directory: Path, port: int, name: str = "one", leader: str = "", **more: object
) -> Path:
    """Write a configuration for one durable node, which joins a cluster if there is a `leader`.

    Return its file.
    """
    file = directory / f"{name}.json"
    address = f"127.0.0.1:{port}"
    peers = f"127.0.0.1:{free_port()}"
    storage: dict[str, object] = {"path": str(directory / f"data-{name}"), "node_id": name}
    if leader:
        storage["retry_join"] = [{"leader_api_addr": leader}]
    file.write_text(
        json.dumps(
            {
                "storage": {"raft": storage},
                "listener": {
                    "tcp": {"address": address, "cluster_address": peers, "tls_disable": True}
                },
                "api_addr": f"http://{address}",
                "cluster_addr": f"https://{peers}",
                "disable_mlock": True,
                **more,
            }
        )
    )
    return file


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process that still runs, and let go of what it prints."""
    if process.poll() is None:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()
