"""Real processes on a disk that is full: writes are refused, reads go on, writing resumes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import hvac
import pytest

from tests.net.small_disk import SmallDisk, mounted
from tests.server.bases import VALUES, damage_longest, value
from tests.server.cluster import NAMES, Cluster, can_unseal, can_write, founded, is_open, read
from tests.server.processes import ServerProcess, configure, free_port, wait

pytestmark = pytest.mark.slow

DISK_BYTES = 160 << 20
WRITES_MAX = 200
"""More than the segments that were ready before the disk was full can take."""
FULL = "this node's log has no room for further writes"


def write_until_full(server: ServerProcess) -> int:
    """Write until that is refused; return how many values were acknowledged."""
    acknowledged: list[int] = []

    def write_all() -> None:
        for number in range(WRITES_MAX):
            server.client.secrets.kv.v2.create_or_update_secret(f"{number}", value(number))
            acknowledged.append(number)

    with pytest.raises(hvac.exceptions.VaultDown, match=FULL):
        write_all()
    return len(acknowledged)


def can_read(server: ServerProcess, number: int) -> bool:
    try:
        return read(server, f"{number}") == value(number)
    except hvac.exceptions.VaultError:
        return False


def test_one_node_refuses_writes_and_resumes_by_itself(tmp_path: Path) -> None:
    """Also after a kill nothing acknowledged is lost."""
    port, log = free_port(), tmp_path / "log"
    with mounted(tmp_path / "data-one", DISK_BYTES) as disk:
        file = configure(tmp_path, port)
        server = ServerProcess(port, f"-config={file}", log=log)
        try:
            seal = server.client.sys.initialize(secret_shares=1, secret_threshold=1)
            server.client.sys.submit_unseal_keys(seal["keys"])
            server.client.token = seal["root_token"]
            server.leads()
            server.client.sys.enable_secrets_engine("kv", "secret", options={"version": "2"})
            disk.fill()
            count = write_until_full(server)
            reads = [read(server, f"{number}") == value(number) for number in range(count)]
            disk.empty()
            wait(lambda: can_write(server, "after"))
            server.kill()
            server = ServerProcess(port, f"-config={file}", log=log)
            server.client.sys.submit_unseal_keys(seal["keys"])
            server.client.token = seal["root_token"]
            server.leads()
            reads += [read(server, f"{number}") == value(number) for number in range(count)]
            after = read(server, "after")
            code = server.stop()
        finally:
            server.process.kill()
            server.process.wait()

    assert count > 0
    assert {True} == set(reads)
    assert {"v": "after"} == after
    assert 0 == code
    assert "the log cannot be extended" in log.read_text()


class Disks:
    """Three nodes, each on a small disk of its own."""

    def __init__(self, cluster: Cluster, disks: dict[str, SmallDisk]) -> None:
        self.cluster = cluster
        self.disks = disks


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disks]:
    one, two, three = (mounted(tmp_path / f"data-{name}", DISK_BYTES) for name in NAMES)
    with one as first, two as second, three as third, founded(tmp_path) as cluster:
        yield Disks(cluster, dict(zip(NAMES, (first, second, third), strict=True)))


def test_the_others_go_on_without_a_follower_that_is_full(small: Disks) -> None:
    """It still answers reads, and catches up as soon as there is room."""
    cluster = small.cluster
    leader = cluster.servers[cluster.leader()]
    name = next(name for name in NAMES if name != cluster.leader())
    follower = cluster.servers[name]
    small.disks[name].fill()
    for number in range(WRITES_MAX // 2):
        leader.client.secrets.kv.v2.create_or_update_secret(f"{number}", value(number))
    assert follower.process.poll() is None
    small.disks[name].empty()

    wait(lambda: can_read(follower, WRITES_MAX // 2 - 1))
    assert can_read(follower, 0)


def test_a_leader_that_is_full_refuses_writes_and_resumes(small: Disks) -> None:
    cluster = small.cluster
    name = cluster.leader()
    leader = cluster.servers[name]
    small.disks[name].fill()
    count = write_until_full(leader)
    for server in cluster.servers.values():
        wait(partial(can_read, server, count - 1))
    small.disks[name].empty()

    wait(lambda: can_write(leader, "after"))
    for server in cluster.servers.values():
        wait(partial(is_open, server))
        wait(partial(can_read, server, 0))
        assert {"v": "after"} == read(server, "after")


def test_a_snapshot_waits_for_room(small: Disks, tmp_path: Path) -> None:
    """A follower without a base has no room for one; it lives on, and has it when there is."""
    cluster = small.cluster
    leader = cluster.servers[cluster.leader()]
    name = next(name for name in NAMES if name != cluster.leader())
    data, log = tmp_path / f"data-{name}", tmp_path / f"{name}.log"
    for number in range(VALUES):
        leader.client.secrets.kv.v2.create_or_update_secret(f"{number}", value(number))
    wait(lambda: not (data / "wal" / "0000000000000001.seg").exists())
    cluster.servers[name].kill()
    damage_longest(data, 0)
    small.disks[name].fill(but_bytes=4 << 20)
    follower = cluster.start(name)
    wait(lambda: "the snapshot cannot be kept aside" in log.read_text())
    assert follower.process.poll() is None
    small.disks[name].empty()

    wait(partial(can_unseal, cluster, name))
    wait(partial(is_open, follower))
    for number in (0, VALUES - 1):
        wait(partial(can_read, follower, number))
