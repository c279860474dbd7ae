"""Elections (Raft paper 5.2 and 5.4.1), with pre-votes and loyal voters (thesis 9.6 and 4.2.3)."""

from core.raft import quorum, replication
from core.raft.entry import KIND_EMPTY
from core.raft.leadership import Leadership
from core.raft.messages import VoteRequest, VoteResponse
from core.raft.state import Raft, Role


def campaign(raft: Raft, now_ns: int, *, pre: bool, transfer: bool) -> None:
    """Ask the voters for this node: first whether it would win, then for their votes."""
    raft.leader = ""
    raft.matched = 0
    if pre:
        raft.role = Role.PRE_CANDIDATE
        term = raft.term + 1
    else:
        raft.role = Role.CANDIDATE
        raft.term += 1
        raft.vote = raft.node
        raft.hard_state_changed = True
        term = raft.term
    raft.restart_timer(now_ns)
    raft.draw_timeout()
    raft.votes = {raft.node: True} if pre else {}
    request = VoteRequest(term, raft.log.last_index, raft.log.last_term, pre=pre, transfer=transfer)
    for voter in _voters(raft):
        if voter != raft.node:
            raft.send(voter, request, when_durable=not pre)
    if pre:
        _count(raft, now_ns)
    else:
        # A candidate's own vote counts when it is durable, like any other.
        raft.send(raft.node, VoteResponse(term, granted=True, pre=False), when_durable=True)


def on_vote_request(raft: Raft, sender: str, message: VoteRequest, now_ns: int) -> None:
    """Grant a vote or refuse it."""
    loyal = raft.hears_leader(now_ns) and not message.transfer
    if message.term > raft.term and loyal:
        # A loyal voter neither votes nor learns the term: a node that was cut off can't unseat
        # the leader that all others hear. It is told the truth about pre-votes only.
        if message.pre:
            raft.send(sender, VoteResponse(raft.term, granted=False, pre=True))
        return
    if raft.leadership is not None and message.pre:
        raft.send(sender, VoteResponse(raft.term, granted=False, pre=True))
        return
    if message.term < raft.term:
        raft.send(
            sender, VoteResponse(raft.term, granted=False, pre=message.pre), when_durable=True
        )
        return
    up_to_date = raft.log.is_up_to_date(message.last_index, message.last_term)
    if message.pre:
        granted = up_to_date and message.term > raft.term
        term = message.term if granted else raft.term
        raft.send(sender, VoteResponse(term, granted=granted, pre=True), when_durable=True)
        return
    if message.term > raft.term:
        raft.follow(message.term, "", now_ns)
    # Loyalty does not depend on how a voter learned the term: it may have been told of it by an
    # answer to an old message, while the lease of the leader that it heard still lasts.
    promised = raft.vote == sender or (raft.vote == "" and not loyal)
    granted = up_to_date and promised and raft.leader == ""
    if granted and raft.vote == "":
        raft.vote = sender
        raft.hard_state_changed = True
        raft.restart_timer(now_ns)
    raft.send(sender, VoteResponse(raft.term, granted=granted, pre=False), when_durable=True)


def on_vote_response(raft: Raft, sender: str, message: VoteResponse, now_ns: int) -> None:
    """Count a vote once, for the campaign that it was asked for."""
    pre = raft.role is Role.PRE_CANDIDATE
    if message.term > raft.term and not (message.pre and message.granted):
        raft.follow(message.term, "", now_ns)
        return
    campaign_term = raft.term + 1 if pre else raft.term
    # Only the refusal of a pre-vote tells the voter's own term, which may be an older one.
    answers_this = message.term == campaign_term or (pre and not message.granted)
    if message.pre is not pre or not answers_this or not raft.configuration.votes(sender):
        return
    raft.votes.setdefault(sender, message.granted)
    _count(raft, now_ns)


def on_late_vote_response(raft: Raft, _sender: str, message: VoteResponse, now_ns: int) -> None:
    """Learn a newer term from an answer to a campaign that is over."""
    if message.term > raft.term and not message.pre:
        raft.follow(message.term, "", now_ns)


def _voters(raft: Raft) -> tuple[str, ...]:
    configuration = raft.configuration
    if not configuration.outgoing:
        return configuration.incoming
    return tuple(sorted({*configuration.incoming, *configuration.outgoing}))


def _count(raft: Raft, now_ns: int) -> None:
    configuration = raft.configuration
    standing = quorum.tally(raft.votes, configuration.incoming, configuration.outgoing)
    if standing is quorum.Vote.WON:
        if raft.role is Role.PRE_CANDIDATE:
            campaign(raft, now_ns, pre=False, transfer=False)
        else:
            _lead(raft, now_ns)
    elif standing is quorum.Vote.LOST:
        raft.follow(raft.term, "", now_ns)


def _lead(raft: Raft, now_ns: int) -> None:
    """Take office: begin the term with an entry of its own (thesis, section 6.4)."""
    raft.role = Role.LEADER
    raft.leader = raft.node
    raft.votes = {}
    leadership = Leadership(
        peers={},
        first_index=raft.log.last_index + 1,
        elected_ns=now_ns,
        heartbeat_due_ns=now_ns,
        uncommitted_bytes=sum(
            len(entry.data) for entry in raft.log.between(raft.commit + 1, raft.log.last_index)
        ),
    )
    raft.leadership = leadership
    raft.refresh_peers(leadership)
    raft.append(KIND_EMPTY, b"")
    replication.heartbeat(raft, now_ns)
