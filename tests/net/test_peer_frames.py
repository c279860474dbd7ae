"""Messages in a stream, however it is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.node.messages import Forward, Forwarded, Message, encode_message
from core.request import Request, Response
from net.peer_frames import FRAME_BYTES_MAX, FRAME_VERSION, FrameReader, Malformed, framed

MESSAGES: list[Message] = [
    Forward(1, 2, 3, Request("read", "secret/data/a", body=b"x" * 300)),
    Forwarded(1, 2, Response(200, b"{}")),
    Forwarded(1, 3, None),
]
STREAM = b"".join(framed(encode_message(message)) for message in MESSAGES)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_a_stream_may_be_cut_anywhere(cuts: list[int]) -> None:
    reader = FrameReader()
    bounds = [0, *sorted(cuts), len(STREAM)]
    taken: list[Message] = []
    for start, end in pairwise(bounds):
        taken += reader.take(STREAM[start:end])

    assert MESSAGES == taken


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (bytes([FRAME_VERSION + 1]) + bytes(4), "a frame of version 2 with 0 bytes"),
        (
            bytes([FRAME_VERSION]) + (FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
            f"a frame of version 1 with {FRAME_BYTES_MAX + 1} bytes",
        ),
        (framed(b""), "truncated"),
        (framed(b"\xc1"), "malformed"),
        (framed(b"\x93\xcc\xc8\x01\x02"), "Invalid value"),
    ],
)
def test_what_is_no_message_is_refused(stream: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        FrameReader().take(stream)
