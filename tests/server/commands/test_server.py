"""The flags of `server`, as far as nothing has to start."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import Holdfast
from tests.server.processes import run_holdfast


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


def warned(directory: Path, taken_port: int, *lines: str) -> tuple[Path, str]:
    """Return a file with these lines, and what a server says that can't listen where it says."""
    file = directory / "a.hcl"
    file.write_text(
        "\n".join(lines) + f'\nstorage "inmem" {{}}\ndisable_mlock = true\nlistener "tcp" '
        f'{{\n  address = "127.0.0.1:{taken_port}"\n  tls_disable = true\n}}\n'
    )
    ended = run_holdfast("server", f"-config={file}", home=directory)

    assert 1 == ended.returncode
    return file, ended.stderr


@pytest.mark.slow
def test_warnings_come_before_the_start(tmp_path: Path, taken_port: int) -> None:
    file, said = warned(tmp_path, taken_port, "", "ui = true")

    assert said.startswith(f"{file}:2: ")
    assert f"cannot listen on 127.0.0.1:{taken_port}" in said


@pytest.mark.slow
def test_warnings_are_lines_of_the_log_if_programs_read_it(tmp_path: Path, taken_port: int) -> None:
    """With their places as fields; `log_level` counts for them too."""
    keys = ('log_format = "json"', "ui = true", "", "cache_size = 5")
    file, said = warned(tmp_path, taken_port, *keys)
    _, quiet = warned(tmp_path, taken_port, *keys, 'log_level = "error"')
    lines = [json.loads(line) for line in said.splitlines()[:-1]]

    assert [
        ("warning", str(file), 2, "ui is not available in Holdfast and ignored: "),
        ("warning", str(file), 4, "cache_size is not available in Holdfast and ignored"),
    ] == [
        (
            line["level"],
            line["file"],
            line["line"],
            line["event"].removesuffix("there is no web page yet"),
        )
        for line in lines
    ]
    assert 1 == len(quiet.splitlines())


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
