"""Three real processes: one loses its base, and has all of it again from the others."""

from functools import partial
from pathlib import Path

import hvac
import pytest

from tests.server.bases import VALUES, damage_longest, value
from tests.server.cluster import NAMES, Cluster, can_unseal, is_open, read
from tests.server.processes import wait

pytestmark = pytest.mark.slow


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
    damage_longest(data, size)

    cluster.start(lost)

    # It can be opened once the snapshot has come, for the seal is a part of that.
    wait(partial(can_unseal, cluster, lost))
    wait(partial(is_open, cluster.servers[lost]))
    for number in (0, VALUES // 2, VALUES - 1):
        wait(partial(can_read, cluster, lost, number))
    assert (data / "store" / "damaged").exists()
    assert "is set aside" in (tmp_path / f"{lost}.log").read_text()
