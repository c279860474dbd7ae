"""What the operator may set about a listener, with Vault's defaults."""

from typing import Final

import msgspec

HEAD_BYTES_MAX: Final = 16 << 10
"""Request line and headers together; Vault bounds a header or a token at 8 KiB."""


class ListenerTimeouts(msgspec.Struct, frozen=True):
    """How long a connection may take over each of its steps, in seconds.

    Attributes:
        idle_s: between an answer and the next request (`http_idle_timeout`).
        read_header_s: for a TLS handshake, and from the first to the last byte of a head
            (`http_read_header_timeout`).
        read_s: from the head to the last byte of the body (`http_read_timeout`).
        write_s: for the client to take a whole answer (`http_write_timeout`); 0 means for ever,
            which the number of connections bounds.
    """

    idle_s: float = 300.0
    read_header_s: float = 10.0
    read_s: float = 30.0
    write_s: float = 0.0


class ListenerSettings(msgspec.Struct, frozen=True):
    """The limits of one listener.

    Attributes:
        timeouts: see there.
        connections_max: open connections; one more is reset as soon as it is accepted.
        request_bytes_max: the body of a request (`max_request_size`); more is answered 413.
    """

    timeouts: ListenerTimeouts = ListenerTimeouts()
    connections_max: int = 8192
    request_bytes_max: int = 32 << 20
