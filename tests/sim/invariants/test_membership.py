"""A configuration that is ignored, or changed by leaps, is noticed."""

import pytest

from core.raft.configuration import Configuration
from core.raft.entry import KIND_CONFIGURATION, Entry
from sim.host import Host
from sim.invariants import Violated
from sim.invariants.membership import REMOVE_PATH, MembersChangeOneByOne
from tests.sim.invariants.settled import Settled, enthrone, raft_of


def _shown(settled: Settled) -> MembersChangeOneByOne:
    invariant = MembersChangeOneByOne()
    settled.show(invariant)
    return invariant


def _append(host: Host, configuration: Configuration) -> Entry:
    raft = raft_of(host)
    data = configuration.encode()
    entry = Entry(raft.log.last_index + 1, raft.term, KIND_CONFIGURATION, raft.wall_ns, data)
    raft.log.append(entry)
    return entry


def _propose(host: Host, configuration: Configuration) -> None:
    raft = raft_of(host)
    entry = _append(host, configuration)
    raft.configuration, raft.configuration_index = configuration, entry.index


def _remove(settled: Settled, invariant: MembersChangeOneByOne, name: str, status: int) -> None:
    body = b'{"server_id":"%s"}' % name.encode()
    settled.answer(invariant, settled.question("update", REMOVE_PATH, "root", body), status)


def test_a_configuration_that_is_appended_and_not_in_force(settled: Settled) -> None:
    invariant = _shown(settled)
    raft = raft_of(settled.follower)
    _append(settled.follower, raft.configuration.without("n3"))

    with pytest.raises(Violated, match="follows the configuration at"):
        settled.look(invariant, settled.follower)


def test_a_configuration_that_takes_the_place_of_entries(settled: Settled) -> None:
    invariant = _shown(settled)
    raft = raft_of(settled.follower)
    raft.log.truncate(raft.log.last_index)
    raft.term += 1
    _append(settled.follower, raft.configuration.without("n3"))

    with pytest.raises(Violated, match="follows the configuration at"):
        settled.look(invariant, settled.follower)


def test_one_voter_less(settled: Settled) -> None:
    invariant = _shown(settled)
    _propose(settled.leader, raft_of(settled.leader).configuration.without("n3"))

    settled.look(invariant, settled.leader)


def test_two_voters_less(settled: Settled) -> None:
    invariant = _shown(settled)
    configuration = raft_of(settled.leader).configuration
    _propose(settled.leader, configuration.without("n2").without("n3"))

    with pytest.raises(Violated, match="more than one voter"):
        settled.look(invariant, settled.leader)


def test_a_change_while_another_is_under_way(settled: Settled) -> None:
    invariant = _shown(settled)
    configuration = raft_of(settled.leader).configuration
    _propose(settled.leader, configuration.without("n3"))
    settled.look(invariant, settled.leader)
    _propose(settled.leader, configuration)

    with pytest.raises(Violated, match="while one is under way"):
        settled.look(invariant, settled.leader)


def test_a_voter_that_is_no_member(settled: Settled) -> None:
    invariant = _shown(settled)
    configuration = raft_of(settled.leader).configuration
    smaller = configuration.without("n3")
    _propose(settled.leader, Configuration(configuration.incoming, (), (), smaller.members))

    with pytest.raises(Violated, match="who are no members"):
        settled.look(invariant, settled.leader)


@pytest.mark.parametrize("status", [204, 400])
def test_a_member_that_was_removed_and_leads_later(settled: Settled, status: int) -> None:
    invariant = _shown(settled)
    _remove(settled, invariant, settled.follower.name, status)
    enthrone(settled, settled.follower, raft_of(settled.follower).term + 1)

    with pytest.raises(Violated, match="was removed and leads"):
        settled.look(invariant, settled.follower)


def test_a_member_whose_removal_failed_may_lead(settled: Settled) -> None:
    invariant = _shown(settled)
    _remove(settled, invariant, settled.follower.name, 500)
    enthrone(settled, settled.follower, raft_of(settled.follower).term + 1)

    settled.look(invariant, settled.follower)


def test_a_later_leader_that_counts_a_removed_member(settled: Settled) -> None:
    invariant = _shown(settled)
    _remove(settled, invariant, "n3", 204)
    raft_of(settled.leader).term += 1
    configuration = raft_of(settled.leader).configuration
    _propose(settled.leader, configuration.with_learner("n4", configuration.members["n3"]))

    with pytest.raises(Violated, match="who are no members"):
        settled.look(invariant, settled.leader)
