"""Handing leadership over (thesis, section 3.10)."""

from core.moment import NEVER
from core.raft import election
from core.raft.messages import TimeoutNow
from core.raft.progress import Mode
from core.raft.state import Raft


def start(raft: Raft, now_ns: int) -> bool:
    """Choose a successor and bring it up to date; tell whether there is any.

    While this lasts the leader must not be handed proposals. It ends with a new leader, or is
    given up after an election timeout.
    """
    leadership = raft.leadership
    if leadership is None:
        return False
    candidates = [
        (-peer.match, node)
        for node, peer in leadership.peers.items()
        if peer.electable and peer.mode is Mode.REPLICATE and node in raft.configuration.incoming
    ]
    if not candidates:
        return False
    leadership.successor = min(candidates)[1]
    leadership.successor_asked = False
    leadership.transfer_due_ns = now_ns + raft.settings.election_timeout_max_ns
    leadership.broadcast_due = True
    return True


def is_under_way(raft: Raft) -> bool:
    """Tell whether this leader is handing over."""
    return raft.leadership is not None and raft.leadership.successor != ""


def proceed(raft: Raft) -> None:
    """Ask the successor to campaign once it has every entry and all of them are committed.

    Whoever waits here for an entry that another leader commits would be left in doubt.
    """
    leadership = raft.leadership
    if leadership is None or leadership.successor == "" or leadership.successor_asked:
        return
    peer = leadership.peers.get(leadership.successor)
    if peer is None:
        give_up(raft)
    elif peer.match == raft.log.last_index == raft.commit:
        # The message may arrive late, even after this transfer was given up, and it sets aside
        # the promise that a lease rests on: so there is no lease any more in this term.
        leadership.successor_asked = True
        leadership.lease_forgone = True
        leadership.lease_until_ns = 0
        raft.send(leadership.successor, TimeoutNow(raft.term))


def give_up(raft: Raft) -> None:
    """Go on leading."""
    if raft.leadership is not None:
        raft.leadership.successor = ""
        raft.leadership.successor_asked = False
        raft.leadership.transfer_due_ns = NEVER


def on_timeout_now(raft: Raft, sender: str, message: TimeoutNow, now_ns: int) -> None:
    """Campaign at once, if the leader of this very term asks and this node may lead."""
    if message.term == raft.term and sender == raft.leader and raft.campaign_due_ns != NEVER:
        election.campaign(raft, now_ns, pre=False, transfer=True)
