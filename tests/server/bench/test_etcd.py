"""etcd as a peer: it serves what we send, or says in a line why it does not."""

import os
from pathlib import Path

import pytest

from server.bench.certificate import Certificate
from server.bench.connection import exchange
from server.bench.etcd import etcd
from server.bench.settings import PeerUnavailable
from server.bench.workload import etcd_put
from tests.needs import needs


@pytest.mark.slow
def test_one_member_with_tls(tmp_path: Path, certificate: Certificate) -> None:
    needs("etcd")
    with etcd(1, tmp_path, certificate=certificate) as peer:
        reply = exchange(peer.leader, etcd_put(10).request(peer.leader, 3))

        assert reply.succeeded
        assert peer.leader.url.startswith("https://")
        assert peer.name.endswith(", 1 member")
        assert all(Path(f"/proc/{pid}").exists() for pid in peer.pids)
    assert not any(Path(f"/proc/{pid}").exists() for pid in peer.pids)


@pytest.mark.slow
def test_three_members_have_one_leader(tmp_path: Path) -> None:
    needs("etcd")
    with etcd(3, tmp_path) as peer:
        reply = exchange(peer.leader, etcd_put(10).request(peer.leader, 3))

    assert reply.succeeded
    assert (3, True) == (len(set(peer.pids)), peer.name.endswith(", 3 members"))


def test_a_machine_without_etcd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PeerUnavailable, match="not installed"), etcd(1, tmp_path):
        raise AssertionError


def test_an_etcd_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said last is told."""
    program = tmp_path / "etcd"
    program.write_text("#!/bin/sh\necho no room for me >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    with pytest.raises(PeerUnavailable, match=r"no room for me$"), etcd(1, tmp_path):
        raise AssertionError
