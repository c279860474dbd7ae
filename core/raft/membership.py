"""Changes of membership, one server at a time (thesis, section 4.2).

A configuration is in force as soon as it is appended. A leader proposes one only when the one
before is committed and it has committed an entry of its own term, which closes the hole that
Ongaro reported in 2015 (two leaders' changes with disjoint majorities).

Who is removed would ask for votes for ever if nobody told it (section 4.2.3). So its leader goes on
feeding it, outside of all quorums, until it knows that its removal is committed.
"""

from core.raft.configuration import Configuration, Member
from core.raft.entry import KIND_CONFIGURATION
from core.raft.progress import Mode
from core.raft.state import Raft


def may_change(raft: Raft) -> bool:
    """Tell whether this node may propose a change now."""
    leadership = raft.leadership
    return (
        leadership is not None
        and leadership.successor == ""
        and raft.commit >= leadership.first_index
        and raft.configuration_index <= raft.commit
    )


def bootstrap(raft: Raft, member: Member, now_ns: int) -> None:
    """Make this node the only voter of a new cluster, and its leader as soon as that is durable.

    Until it leads it only assumes its configuration; then it proposes it as an entry.
    """
    configuration = Configuration((raft.node,), (), (), {raft.node: member})
    raft.configuration = configuration
    raft.set_electable(now_ns, electable=True)
    raft.campaign_due_ns = now_ns


def propose(raft: Raft, configuration: Configuration) -> int:
    """Append a configuration, as leader that may change it; return its index."""
    return raft.append(KIND_CONFIGURATION, configuration.encode())


def dismiss(raft: Raft, now_ns: int) -> None:
    """Let go, as leader, of removed members that know it, or that could not be told in time."""
    leadership = raft.leadership
    if leadership is None or not leadership.leaving:
        return
    for node, leaving in list(leadership.leaving.items()):
        if leaving.index > raft.commit:
            continue
        if not leaving.told_stamp:
            leaving.told_stamp = raft.stamp(now_ns)
            leaving.due_ns = now_ns + raft.settings.farewell_ns
        peer = leadership.peers[node]
        acked_stamp = leadership.acked_stamps.get(node, 0)
        knows = peer.match >= leaving.index and acked_stamp > leaving.told_stamp
        if knows or now_ns >= leaving.due_ns:
            leadership.dismiss(node)


def caught_up_learner(raft: Raft) -> str:
    """Return a learner that is to vote and has all but the latest entries, or empty."""
    leadership = raft.leadership
    if leadership is None:
        return ""
    for learner in raft.configuration.learners:
        peer = leadership.peers.get(learner)
        if (
            peer is not None
            and peer.mode is Mode.REPLICATE
            and peer.match >= raft.commit
            and not raft.configuration.members[learner].stays_learner
        ):
            return learner
    return ""
