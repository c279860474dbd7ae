"""The bare application answers anything with JSON, or says in a line why it does not."""

import json
from pathlib import Path

import pytest

from server.bench.bare_app import bare_app
from server.bench.certificate import Certificate
from server.bench.connection import exchange
from server.bench.machine import ANYWHERE
from server.bench.settings import PeerUnavailable
from server.bench.workload import kv_read, kv_write

pytestmark = pytest.mark.slow


def test_it_answers_reads_and_writes_alike(tmp_path: Path, certificate: Certificate) -> None:
    with bare_app(tmp_path, certificate, ANYWHERE) as (target, process):
        replies = [
            exchange(target, workload.request(target, 1))
            for workload in (kv_read("hvs.x", 5), kv_write("hvs.x", 5))
        ]

        assert process.poll() is None
    assert process.poll() is not None
    assert [200, 200] == [reply.status for reply in replies]
    assert "x" * 100 == json.loads(replies[0].body)["data"]["data"]["value"]


def test_it_needs_its_certificate(tmp_path: Path, certificate: Certificate) -> None:
    missing = certificate._replace(key_file=tmp_path / "none")
    with (
        pytest.raises(PeerUnavailable, match="the process ended"),
        bare_app(tmp_path, missing, ANYWHERE),
    ):
        raise AssertionError
