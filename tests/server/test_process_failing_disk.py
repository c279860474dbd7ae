"""Real processes whose disk fails or lies: the node says why and stops, the others go on."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import hvac
import pytest

from tests.server.bases import damage_longest
from tests.server.cluster import (
    NAMES,
    Cluster,
    can_write,
    founded,
    is_open,
    knows_leader,
    read,
)
from tests.server.failing_sync import FailingSyncs
from tests.server.processes import STARTED_S_MAX, ServerProcess, configure, free_port, wait

pytestmark = pytest.mark.slow

SECRETS = 20


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FailingSyncs:
    return FailingSyncs(tmp_path / "failing", monkeypatch)


@pytest.fixture
def cluster(tmp_path: Path, failing: FailingSyncs) -> Iterator[Cluster]:
    assert failing is not None
    with founded(tmp_path) as cluster:
        leader = cluster.servers[cluster.leader()]
        for number in range(SECRETS):
            leader.client.secrets.kv.v2.create_or_update_secret(f"{number}", {"v": number})
        yield cluster


def ended(server: ServerProcess) -> int:
    """Wait for it to end by itself; return its exit code."""
    code = server.process.wait(STARTED_S_MAX)
    server.client.adapter.close()
    return code


def others(cluster: Cluster, name: str) -> list[ServerProcess]:
    return [cluster.servers[other] for other in NAMES if other != name]


def read_all(server: ServerProcess) -> list[object]:
    return [read(server, f"{number}") for number in range(SECRETS)]


def assert_all_there(cluster: Cluster, servers: list[ServerProcess]) -> None:
    for server in servers:
        wait(partial(is_open, server))
        wait(partial(knows_leader, server))
        wait(partial(can_write, server, "after"))
        assert [{"v": number} for number in range(SECRETS)] == read_all(server)
    assert cluster.servers


@pytest.mark.parametrize("leads", [True, False], ids=["leader", "follower"])
def test_a_failed_sync_stops_the_node_and_the_others_go_on(
    cluster: Cluster, failing: FailingSyncs, tmp_path: Path, *, leads: bool
) -> None:
    """It is not tried again; started on a disk that works, the node has all of it again."""
    leader = cluster.leader()
    name = leader if leads else next(name for name in NAMES if name != leader)
    failing.fail(name)
    survivors = others(cluster, name)
    wait(partial(can_write, survivors[0], "during"))

    assert 1 == ended(cluster.servers[name])
    assert (
        "the log has failed: [Errno 5] Input/output error" in (tmp_path / f"{name}.log").read_text()
    )
    assert_all_there(cluster, survivors)
    failing.heal(name)
    cluster.start(name)
    cluster.unseal(name)
    assert_all_there(cluster, [cluster.servers[name]])


def test_damage_in_the_middle_of_a_log_is_no_torn_tail(cluster: Cluster, tmp_path: Path) -> None:
    """The node does not start, since what it had promised to keep can't be read."""
    name = next(name for name in NAMES if name != cluster.leader())
    cluster.servers[name].kill()
    segment = tmp_path / f"data-{name}" / "wal" / "0000000000000001.seg"
    content = bytearray(segment.read_bytes())
    content[len(content.rstrip(b"\0")) // 2] ^= 1
    segment.write_bytes(content)

    with pytest.raises(AssertionError, match="the log is damaged in segment 1 at byte"):
        cluster.start(name)

    assert_all_there(cluster, others(cluster, name))


def test_a_record_that_does_not_match_its_checksum_stops_the_node(tmp_path: Path) -> None:
    """Whoever asks for it gets no answer; the next start builds the base anew from the log."""
    port, log = free_port(), tmp_path / "one.log"
    file = configure(tmp_path, port)
    arguments = f"-config={file}"
    server = ServerProcess(port, arguments, log=log)
    try:
        seal = server.client.sys.initialize(secret_shares=1, secret_threshold=1)

        def unseal() -> None:
            server.client.sys.submit_unseal_keys(seal["keys"])
            server.client.token = seal["root_token"]
            server.leads()

        unseal()
        server.client.sys.enable_secrets_engine("kv", "secret", options={"version": "2"})
        for number in range(SECRETS):
            secret = {"v": f"{number:04d}" * 150_000}
            server.client.secrets.kv.v2.create_or_update_secret(f"{number}", secret)
        wait((tmp_path / "data-one" / "store" / "current").exists)
        server.stop()
        damage_longest(tmp_path / "data-one")
        server = ServerProcess(port, arguments, log=log)
        unseal()
        with pytest.raises((OSError, hvac.exceptions.VaultError)):
            read_all(server)
        code = ended(server)
        server = ServerProcess(port, arguments, log=log)
        unseal()
        found = read_all(server)
    finally:
        server.process.kill()
        server.process.wait()

    assert 1 == code
    assert "does not match its checksum" in log.read_text()
    assert "is damaged and is set aside" in log.read_text()
    assert [{"v": f"{number:04d}" * 150_000} for number in range(SECRETS)] == found
