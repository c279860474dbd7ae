"""Messages as bytes."""

import msgspec
import pytest

from core.node.messages import Forward, Forwarded, Message, decode_message, encode_message
from core.raft.messages import ReadIndexRequest, TimeoutNow
from core.request import Request, Response

REQUEST = Request("update", "kv/a", "token", b"{}", {"a": "b"}, {"c": "d"}, "127.0.0.1", 1, "n2")


@pytest.mark.parametrize(
    "message",
    [
        Forward(1, 2, 3, REQUEST),
        Forwarded(1, 2, None),
        Forwarded(1, 2, Response(503, b"{}", {"Retry-After": "1"})),
        TimeoutNow(7),
        ReadIndexRequest(3),
    ],
)
def test_a_message_reads_as_it_was_written(message: Message) -> None:
    """Those of forwarding among those of consensus."""
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("data", [b"", b"\xc1", encode_message(7), encode_message([99, 1])])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """The transport drops it."""
    with pytest.raises(msgspec.DecodeError):
        decode_message(data)
