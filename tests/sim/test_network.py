"""When messages arrive."""

import pytest

from sim.faults import AnyLinkFault, Clog, Delay, Duplication, Loss, Partition
from sim.network import FLOOR_NS_MAX, FLOOR_NS_MIN, Network
from sim.streams import Streams

NODES = ("n1", "n2", "n3")
NOW_NS = 1_000_000_000
COUNT = 2_000


def _network() -> Network:
    return Network(Streams(7), NODES, ("c1",))


def _sent(network: Network, sender: str, receiver: str) -> list[tuple[int, ...]]:
    return [network.arrivals(sender, receiver, NOW_NS) for _ in range(COUNT)]


def test_a_healthy_link_delivers_once_and_sometimes_late() -> None:
    delays = sorted(arrival - NOW_NS for (arrival,) in _sent(_network(), "n1", "n2"))

    assert FLOOR_NS_MIN <= delays[0] <= FLOOR_NS_MAX
    assert delays[COUNT // 2] < 2 * delays[0]
    assert delays[-1] > 20 * delays[0]


def test_messages_overtake_each_other() -> None:
    sent = _sent(_network(), "n1", "n2")

    assert sorted(sent) != sent


def test_clients_reach_nodes_and_nobody_else() -> None:
    network = Network(Streams(7), NODES, ("c1", "c2"))

    assert 1 == len(network.arrivals("c1", "n3", NOW_NS))
    assert 1 == len(network.arrivals("n3", "c2", NOW_NS))
    with pytest.raises(KeyError):
        network.arrivals("c1", "c2", NOW_NS)
    with pytest.raises(KeyError):
        network.arrivals("n1", "n1", NOW_NS)


def test_a_partition_cuts_its_links_and_spares_clients() -> None:
    network = _network()
    network.begin(Partition(at_ns=0, for_ns=1, left=("n1",)))

    assert () == network.arrivals("n1", "n2", NOW_NS)
    assert () == network.arrivals("n3", "n1", NOW_NS)
    assert 1 == len(network.arrivals("n2", "n3", NOW_NS))
    assert 1 == len(network.arrivals("c1", "n1", NOW_NS))


def test_a_one_way_partition_lets_answers_through() -> None:
    network = _network()
    network.begin(Partition(at_ns=0, for_ns=1, left=("n1",), way="rightward"))

    assert () == network.arrivals("n1", "n2", NOW_NS)
    assert 1 == len(network.arrivals("n2", "n1", NOW_NS))


def test_a_link_is_cut_until_the_last_of_its_partitions_ends() -> None:
    network = _network()
    long = Partition(at_ns=0, for_ns=9, left=("n1",))
    short = Partition(at_ns=0, for_ns=1, left=("n1",), right=("n2",))
    network.begin(long)
    network.begin(short)

    network.end(short)
    assert () == network.arrivals("n1", "n2", NOW_NS)

    network.end(long)
    assert 1 == len(network.arrivals("n1", "n2", NOW_NS))


def _share(sent: list[tuple[int, ...]], arrivals: int) -> float:
    return sum(len(times) == arrivals for times in sent) / COUNT


def test_loss_and_duplication_have_their_odds() -> None:
    network = _network()
    network.begin(Loss(at_ns=0, for_ns=1, left=("n1",), right=("n2",), percent=30))
    network.begin(Duplication(at_ns=0, for_ns=1, left=("n1",), right=("n2",), percent=50))
    sent = _sent(network, "n1", "n2")

    assert _share(sent, 0) == pytest.approx(0.3, abs=0.03)
    assert _share(sent, 2) == pytest.approx(0.35, abs=0.03)
    assert any(first > second for first, second in (pair for pair in sent if len(pair) == 2))


def test_of_two_faults_of_a_kind_the_worse_counts() -> None:
    network = _network()
    for percent in (5, 30, 10):
        network.begin(Loss(at_ns=0, for_ns=1, left=("n1",), right=("n2",), percent=percent))

    assert _share(_sent(network, "n1", "n2"), 0) == pytest.approx(0.3, abs=0.03)


def test_loss_does_not_bend_the_law_of_latencies() -> None:
    """One draw decides on both, so the two must not lean on the same bits."""
    lossy = _network()
    lossy.begin(Loss(at_ns=0, for_ns=1, left=NODES, right=NODES, percent=30))
    healthy = sorted(_sent(_network(), "n1", "n2"))
    arrived = sorted(times for times in _sent(lossy, "n1", "n2") if times)

    healthy_median_ns = healthy[len(healthy) // 2][0] - NOW_NS
    assert arrived[len(arrived) // 2][0] - NOW_NS == pytest.approx(healthy_median_ns, rel=0.03)


def test_delay_multiplies_and_leaves_the_draws_alone() -> None:
    network = _network()
    network.begin(Delay(at_ns=0, for_ns=1, left=("n1",), factor=3))
    slow_ns = [arrival - NOW_NS for (arrival,) in _sent(network, "n1", "n2")]
    healthy_ns = [arrival - NOW_NS for (arrival,) in _sent(_network(), "n1", "n2")]

    assert all(
        abs(slow - 3 * healthy) <= 3 for slow, healthy in zip(slow_ns, healthy_ns, strict=True)
    )


def test_a_clog_holds_back_until_its_end() -> None:
    network = _network()
    network.begin(Clog(at_ns=0, for_ns=2 * NOW_NS, left=("n1",)))
    network.begin(Duplication(at_ns=0, for_ns=1, left=("n1",), percent=50))
    sent = _sent(network, "n1", "n2")

    assert 2 * NOW_NS < min(min(times) for times in sent)
    assert _share(sent, 2) == pytest.approx(0.5, abs=0.04)


def test_faults_on_one_link_leave_the_draws_of_others_alone() -> None:
    troubled = _network()
    troubled.begin(Duplication(at_ns=0, for_ns=1, left=("n1",), right=("n2",), percent=100))
    _sent(troubled, "n1", "n2")

    assert _sent(_network(), "n2", "n3") == _sent(troubled, "n2", "n3")


@pytest.mark.parametrize(
    "fault",
    [
        Partition(at_ns=0, for_ns=1, left=("n1",)),
        Loss(at_ns=0, for_ns=1, left=("n1",), percent=100),
        Duplication(at_ns=0, for_ns=1, left=("n1",), percent=100),
        Delay(at_ns=0, for_ns=1, left=("n1",), factor=7),
        Clog(at_ns=0, for_ns=2 * NOW_NS, left=("n1",)),
    ],
)
def test_healing_takes_back_every_fault(fault: AnyLinkFault) -> None:
    healed, healthy = _network(), _network()
    healed.begin(fault)
    healed.heal()
    healed.end(fault)

    assert _sent(healthy, "n1", "n2") == _sent(healed, "n1", "n2")
