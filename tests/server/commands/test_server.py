"""The flags of `server`, as far as nothing has to start."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import Holdfast


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "exactly one of -config, -dev and -dev-cluster is needed"),
        (("-dev", "-config=x"), "exactly one of"),
        (("-dev", "-dev-cluster=3"), "exactly one of"),
        (("-dev-tls", "-config=x"), "exactly one of"),
        (("-config=x", "-dev-root-token-id=root"), "-dev-root-token-id means nothing without -dev"),
        (("-dev-cluster=1", "-dev-no-store-token"), "means nothing without -dev"),
        (("-dev-cluster=1", "-dev-tls", "-dev-tls-cert-dir=x"), "means nothing without -dev"),
        (("-dev", "-dev-cluster-dir=x"), "-dev-cluster-dir means nothing without -dev-cluster"),
        (("-dev", "-dev-cluster-port=0"), "means nothing without -dev-cluster"),
        (("-dev", "-format=json"), "-format means nothing without -dev-cluster"),
        (("-dev", "-dev-tls-san=a"), "-dev-tls-san means nothing without -dev-tls"),
        (("-dev", "-dev-tls-cert-dir=x"), "-dev-tls-cert-dir means nothing without -dev-tls"),
        (("-dev-cluster=1", "-dev-tls-san=a"), "-dev-tls-san means nothing without -dev-tls"),
        (("-dev-cluster=0",), "1<=x<=7"),
        (("-dev-cluster=8",), "1<=x<=7"),
        (("-dev-cluster=1", "-dev-cluster-port=65465"), "0<=x<=65464"),
    ],
)
def test_flags_that_mean_nothing_together_are_refused(
    holdfast: Holdfast, arguments: tuple[str, ...], reason: str
) -> None:
    ended = holdfast("server", *arguments)

    assert (1, "") == (ended.code, ended.out)
    assert reason in ended.err


def test_a_configuration_that_is_not_there_is_named(holdfast: Holdfast, tmp_path: Path) -> None:
    ended = holdfast("server", f"-config={tmp_path / 'absent.hcl'}")

    assert (1, f"{tmp_path / 'absent.hcl'}: No such file or directory\n") == (ended.code, ended.err)


@pytest.mark.slow
def test_warnings_come_before_the_start(tmp_path: Path, taken_port: int) -> None:
    file = tmp_path / "a.hcl"
    file.write_text(
        f'storage "inmem" {{}}\nui = true\ndisable_mlock = true\n'
        f'listener "tcp" {{\n  address = "127.0.0.1:{taken_port}"\n  tls_disable = true\n}}\n'
    )

    # A process of its own, since a server configures the log of the whole process.
    program = "import sys; from server.cli import main; sys.exit(main())"
    ended = subprocess.run(
        (sys.executable, "-c", program, "server", f"-config={file}"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert 1 == ended.returncode
    assert ended.stderr.startswith(f"{file}:2: ")
    assert f"cannot listen on 127.0.0.1:{taken_port}" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "a b:1", "127.0.0.1:65536"])
def test_an_address_that_is_none_is_named(holdfast: Holdfast, address: str) -> None:
    ended = holdfast("server", "-dev", f"-dev-listen-address={address}")

    assert (1, f"the address to listen on must be host:port, not {address!r}\n") == (
        ended.code,
        ended.err,
    )


@pytest.mark.slow
def test_a_name_for_the_certificate_that_is_none_is_named(holdfast: Holdfast) -> None:
    ended = holdfast("server", "-dev-tls", "-dev-tls-san=a b")

    assert 1 == ended.code
    assert "no certificate can be made: 'a b' is neither" in ended.err


@pytest.mark.slow
def test_a_place_for_certificates_that_is_none_is_named(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = holdfast("server", "-dev-tls", f"-dev-tls-cert-dir={tmp_path / 'file'}")

    assert 1 == ended.code
    told = f"no certificate can be kept in {tmp_path / 'file'}: Not a directory\n"
    assert told == ended.err


def test_a_cluster_that_cannot_be_laid_out_says_why(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = holdfast("server", "-dev-cluster=1", f"-dev-cluster-dir={tmp_path / 'file'}")

    assert (1, f"{tmp_path / 'file'}: Not a directory\n") == (ended.code, ended.err)
