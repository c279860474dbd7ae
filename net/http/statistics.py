"""What a listener counts."""

import msgspec


class Statistics(msgspec.Struct):
    """Counters since the listener was opened.

    Attributes:
        accepted: connections taken.
        refused: connections reset because there were too many.
        not_accepted: attempts to take one that failed for want of descriptors or memory.
        handshakes_failed: connections that never came to a request because they failed at TLS.
        requests: requests that the thin lane served.
        handed_over: requests of HTTP/1 and connections of HTTP/2 that went to Hypercorn.
        handovers_failed: those of them that ended by a fault of Hypercorn.
        expired: connections that ended because they took too long.
    """

    accepted: int = 0
    refused: int = 0
    not_accepted: int = 0
    handshakes_failed: int = 0
    requests: int = 0
    handed_over: int = 0
    handovers_failed: int = 0
    expired: int = 0
