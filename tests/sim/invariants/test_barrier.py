"""What is readable below the barrier is noticed."""

from typing import get_args

import msgspec
import pytest

from core.node.messages import Forward, encode_message
from core.raft.entry import KIND_WRITES, Entry
from core.raft.messages import AppendRequest, RaftMessage
from core.request import Request
from core.store.base import BaseMeta
from sim.invariants import Violated
from sim.invariants.barrier import MARKER, NothingReadable
from tests.sim.invariants.settled import Settled

SECRETS = [MARKER.encode(), b"hvs." + b"a" * 24]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_a_message_of_raft(settled: Settled, secret: bytes) -> None:
    message = AppendRequest(1, 0, 0, 0, 1, 0, (Entry(1, 1, KIND_WRITES, 0, b"." + secret),))

    with pytest.raises(Violated, match="readable in the AppendRequest"):
        NothingReadable().sent(settled.world, settled.leader, "n2", message)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_the_log(settled: Settled, secret: bytes) -> None:
    with pytest.raises(Violated, match="readable in the log"):
        NothingReadable().wrote(settled.world, settled.leader, b"\x00" + secret + b"\x00")


@pytest.mark.parametrize("item", [(MARKER.encode(), b""), (b"key", MARKER.encode())])
def test_a_secret_in_a_base(settled: Settled, item: tuple[bytes, bytes]) -> None:
    settled.leader.disk.base.flush(BaseMeta(1, 1), [item])

    with pytest.raises(Violated, match="readable in the base"):
        NothingReadable().at_end(settled.world)


def test_any_message_of_raft_with_content_is_looked_at() -> None:
    of_numbers = {
        each
        for each in get_args(RaftMessage)
        if all(field.type in {int, bool} for field in msgspec.structs.fields(each))
    }

    assert {*get_args(RaftMessage)} - of_numbers == {*NothingReadable.MESSAGES}


def test_a_forwarded_request_may_say_what_its_client_said(settled: Settled) -> None:
    message = Forward(1, 1, 1, Request("read", MARKER))
    invariant = NothingReadable()

    invariant.wrote(settled.world, settled.leader, b"zebra and hvs. alone are nothing")
    invariant.at_end(settled.world)
    with pytest.raises(Violated):
        invariant.wrote(settled.world, settled.leader, encode_message(message))
