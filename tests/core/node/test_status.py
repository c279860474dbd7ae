"""What members tell anybody about themselves."""

import pytest

from tests.core.node.cluster import Cluster
from tests.core.node.single import decoded


@pytest.fixture
def cluster() -> Cluster:
    """Three open members, of which the first leads."""
    return Cluster().open()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, 429),
        ({"standbyok": "true"}, 200),
        ({"standbyok": "false"}, 429),
        ({"standbyok": ""}, 200),
        ({"standbycode": "299"}, 299),
        ({"standbyok": "1", "activecode": "298"}, 298),
        ({"haunhealthycode": "x"}, 400),
        ({"standbyok": "yes"}, 400),
        ({"drsecondarycode": "x"}, 400),
        ({"performancestandbycode": "473"}, 429),
    ],
)
def test_the_health_of_a_follower(
    cluster: Cluster, parameters: dict[str, str], expected: int
) -> None:
    """It is a standby that serves reads, not a performance standby."""
    response = cluster.request("n2", "read", "sys/health", parameters=parameters)

    assert response.status == expected
    if expected != 400:
        shown = decoded(response)
        assert (shown["standby"], shown["performance_standby"]) == (True, False)
        assert shown["ha_connection_healthy"] is True


def test_a_follower_knows_its_leader(cluster: Cluster) -> None:
    """And says where it is; without one it says nothing."""
    shown = decoded(cluster.request("n2", "read", "sys/leader"))
    assert (shown["is_self"], shown["leader_address"], shown["leader_cluster_address"]) == (
        False,
        "http://n1:8200",
        "https://n1:8201",
    )
    assert shown["active_time"] == "0001-01-01T00:00:00Z"

    cluster.isolate("n2")
    cluster.run(3)
    shown = decoded(cluster.request("n2", "read", "sys/leader"))
    assert (shown["leader_address"], shown["leader_cluster_address"]) == ("", "")
    assert cluster.request("n2", "read", "sys/health").status == 474
    healthy = decoded(cluster.request("n2", "read", "sys/health"))["ha_connection_healthy"]
    assert healthy is False
