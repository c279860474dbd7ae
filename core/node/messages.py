"""What members of a cluster say to each other, consensus and forwarding alike."""

from typing import final

import msgspec

from core.raft.messages import RaftMessage
from core.request import Request, Response


@final
class Forward(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """A member passes a client's request on to the leader.

    Attributes:
        incarnation: drawn by the sender when it started.
        call: counted up by the sender; with the incarnation it names the request for ever, so
            that a message that arrives twice is executed once.
        patience_ns: how long the client is still willing to wait.
        request: what the client asked.
    """

    incarnation: int
    call: int
    patience_ns: int
    request: Request


@final
class Forwarded(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """The answer to a `Forward`.

    Attributes:
        incarnation: as in the question.
        call: as in the question.
        response: what to tell the client; None if the request was surely not executed, so that it
            may be forwarded again.
    """

    incarnation: int
    call: int
    response: Response | None


Message = RaftMessage | Forward | Forwarded

encode_message = msgspec.msgpack.Encoder().encode
"""Return a message as bytes."""

_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def decode_message(data: bytes) -> Message:
    """Return the message that `data` encodes.

    Raises:
        msgspec.DecodeError: it encodes none.
    """
    return _decoder.decode(data)
