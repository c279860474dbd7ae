"""How messages and members look in a trace, one line each.

An entry is written `index.term=data`, as far as its data can be read; a position `index.term`.
"""

from collections.abc import Callable
from typing import Any, Final

from core.raft.configuration import Configuration, decode
from core.raft.entry import KIND_CONFIGURATION, KIND_EMPTY, Entry
from core.raft.messages import (
    SNAPSHOT_DONE,
    SNAPSHOT_MORE,
    AppendRequest,
    AppendResponse,
    RaftMessage,
    ReadIndexRequest,
    ReadIndexResponse,
    SnapshotRequest,
    SnapshotResponse,
    TimeoutNow,
    VoteRequest,
    VoteResponse,
)
from core.raft.state import Raft, Role

DATA_CHARACTERS_MAX: Final = 8


def members(configuration: Configuration) -> str:
    """Return who belongs to the cluster: incoming / outgoing + learners."""
    text = " ".join(configuration.incoming) or "nobody"
    if configuration.outgoing:
        text += " / " + " ".join(configuration.outgoing)
    return text + "".join(f" +{learner}" for learner in configuration.learners)


def entry(each: Entry) -> str:
    """Return an entry."""
    place = f"{each.index}.{each.term}"
    if each.kind == KIND_EMPTY:
        return place
    if each.kind == KIND_CONFIGURATION:
        return f"{place}=({members(decode(each.data))})"
    data = each.data.decode()
    return f"{place}={data if len(data) <= DATA_CHARACTERS_MAX else f'{len(data)} bytes'}"


def _vote_request(message: VoteRequest) -> str:
    kind = "pre-vote?" if message.pre else "vote?"
    asked = " for the leader" if message.transfer else ""
    return f"{kind} term {message.term} last {message.last_index}.{message.last_term}{asked}"


def _vote_response(message: VoteResponse) -> str:
    kind = "pre-vote" if message.pre else "vote"
    return f"{kind} term {message.term} {'granted' if message.granted else 'refused'}"


def _append_request(message: AppendRequest) -> str:
    entries = "".join(f" {entry(each)}" for each in message.entries)
    return (
        f"append term {message.term} after {message.previous_index}.{message.previous_term}"
        f" commit {message.commit}{':' if entries else ''}{entries}"
    )


def _append_response(message: AppendResponse) -> str:
    if message.success:
        text = f"appended term {message.term} to {message.index}"
    else:
        hint = f"{message.hint_index}.{message.hint_term}"
        text = f"mismatch term {message.term} at {message.index} hint {hint}"
    floor = f" floor {message.snapshot_floor}" if message.snapshot_floor else ""
    return f"{text}{floor}{'' if message.electable else ' unelectable'}"


def _snapshot_request(message: SnapshotRequest) -> str:
    place = f"#{message.number}{' last' if message.last else ''}"
    return f"chunk {place} term {message.term} of {message.index}.{message.last_term}"


def _snapshot_response(message: SnapshotResponse) -> str:
    if message.outcome == SNAPSHOT_MORE:
        return f"chunks {message.number} term {message.term}"
    outcome = "done" if message.outcome == SNAPSHOT_DONE else "refused"
    return f"snapshot {outcome} term {message.term} at {message.index}"


def _read_index_response(message: ReadIndexResponse) -> str:
    if not message.confirmed:
        return f"read {message.batch} term {message.term} not confirmed"
    return f"read {message.batch} term {message.term} at {message.index}"


_FORMATS: Final[dict[type, Callable[[Any], str]]] = {
    VoteRequest: _vote_request,
    VoteResponse: _vote_response,
    AppendRequest: _append_request,
    AppendResponse: _append_response,
    SnapshotRequest: _snapshot_request,
    SnapshotResponse: _snapshot_response,
    ReadIndexRequest: lambda message: f"read? {message.batch}",
    ReadIndexResponse: _read_index_response,
    TimeoutNow: lambda message: f"campaign! term {message.term}",
}


def message(sender: str, receiver: str, content: RaftMessage) -> str:
    """Return a message on its way."""
    return f"{sender}>{receiver} {_FORMATS[type(content)](content)}"


def member(raft: Raft | None) -> list[str]:
    """Return what a member is and has, in two lines; the second is about the membership."""
    if raft is None:
        return ["down", ""]
    log = raft.log
    following = f" of {raft.leader}" if raft.leader and raft.role is Role.FOLLOWER else ""
    durable = "" if log.stable_index == log.last_index else f" durable {log.stable_index}"
    floor = f" floor {raft.snapshot_floor}" if raft.snapshot_floor else ""
    standing = f"{raft.role.value}{following} term {raft.term} vote {raft.vote or '-'}"
    return [
        f"{standing} last {log.last_index}.{log.last_term}{durable} commit {raft.commit}{floor}",
        f"members {members(raft.configuration)}",
    ]


def log(raft: Raft) -> str:
    """Return the whole window of a log."""
    window = raft.log
    entries = window.between(window.start_index + 1, window.last_index)
    start = f"{window.start_index}.{window.start_term}"
    return " ".join([f"behind {start}:", *(entry(each) for each in entries)])
