"""What tests share: a wire and the program itself in this process, or real processes."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from server.cli import main
from tests.server.cluster import Cluster, founded
from tests.server.wire import Wire


class Outcome(NamedTuple):
    """What a run of the program left: its exit code and what it printed."""

    code: int
    out: str
    err: str


Holdfast = Callable[..., Outcome]
"""Runs the program: arguments, and `stdin` by name."""


@pytest.fixture(scope="session")
def shared_wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def wire(shared_wire: Wire) -> Wire:
    """A server that knows no answers yet."""
    shared_wire.clear()
    return shared_wire


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own and no settings in the environment."""
    for name in [name for name in os.environ if name.startswith("VAULT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def holdfast(
    wire: Wire,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Holdfast:
    """The program, asking `wire`."""
    assert home.is_dir()
    monkeypatch.setenv("VAULT_ADDR", wire.address)
    monkeypatch.setenv("VAULT_TOKEN", "hvs.mine")
    monkeypatch.setenv("VAULT_MAX_RETRIES", "0")

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(arguments)
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return run


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes; their files are in `tmp_path`."""
    with founded(tmp_path) as founded_cluster:
        yield founded_cluster
