"""Three real processes: one loses its base, and has all of it again from the others."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import hvac
import pytest

from net.data_directory import DataDirectory
from net.lmdb_base import LmdbBase
from tests.server.test_cluster import NAMES, Cluster, is_open, read, wait

pytestmark = pytest.mark.slow

VALUE_BYTES = 500_000
VALUES = 80
"""More than one flush of the base and two segments of the log."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    try:
        cluster.found()
        yield cluster
    finally:
        cluster.stop()


def value(number: int) -> dict[str, str]:
    return {"v": f"{number:04d}" * (VALUE_BYTES // 4)}


def longest_record(data: Path) -> bytes:
    """Return the longest value in the base of a node that does not run."""
    directory = DataDirectory(data)
    base = LmdbBase(next((data / "store").glob("base-*")), directory.identity.node.encode())
    longest = max((value for _, value in base.iterate(b"", b"\xff")), key=len)
    base.close()
    directory.close()
    return longest


def damage(data: Path, size: int | None) -> None:
    """Change one bit of the longest record, or cut the file short."""
    longest = longest_record(data)
    file = next((data / "store").glob("base-*")) / "data.mdb"
    content = bytearray(file.read_bytes())
    # A longer value spans pages, as one piece.
    content[content.index(longest[:1_000])] ^= 1
    file.write_bytes(content[:size])


def can_unseal(cluster: Cluster, name: str) -> bool:
    try:
        cluster.unseal(name)
    except hvac.exceptions.InvalidRequest:
        return False
    return True


def can_read(cluster: Cluster, name: str, number: int) -> bool:
    try:
        return read(cluster.servers[name], f"{number}") == value(number)
    except hvac.exceptions.VaultError:
        return False


@pytest.mark.parametrize("size", [None, 5_000, 0], ids=["flipped", "cut short", "empty"])
def test_a_lost_base_comes_back_from_the_others(
    cluster: Cluster, tmp_path: Path, size: int | None
) -> None:
    """Its log begins behind the base by then, so only a snapshot can help."""
    lost = next(name for name in NAMES if name != cluster.leader())
    data = tmp_path / f"data-{lost}"
    leader = cluster.servers[cluster.leader()]
    for number in range(VALUES):
        leader.client.secrets.kv.v2.create_or_update_secret(f"{number}", value(number))
    wait(lambda: not (data / "wal" / "0000000000000001.seg").exists())
    cluster.servers[lost].kill()
    damage(data, size)

    cluster.start(lost)

    # It can be opened once the snapshot has come, for the seal is a part of that.
    wait(partial(can_unseal, cluster, lost))
    wait(partial(is_open, cluster.servers[lost]))
    for number in (0, VALUES // 2, VALUES - 1):
        wait(partial(can_read, cluster, lost, number))
    assert (data / "store" / "damaged").exists()
    assert "is set aside" in (tmp_path / f"{lost}.log").read_text()
