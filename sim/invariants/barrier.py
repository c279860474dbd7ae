"""Nothing readable below the barrier (architecture, D8)."""

import re
from typing import Final

from core.node.messages import Message, encode_message
from core.raft.messages import AppendRequest, SnapshotRequest
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import World

MARKER: Final = "zebra-in-the-clear"
"""Stands in every secret, name of a key, path and policy of the workload."""

_READABLE: Final = re.compile(rb"zebra-in-the-clear|hvs\.[0-9A-Za-z]{24}")
"""The marker, or a token as clients hold it."""
_HINT: Final = b"zebra"
_TOKEN_HINT: Final = b"hvs."
"""One of these is in all that is readable; to look for them costs little."""


class NothingReadable(Invariant):
    """Markers and tokens are found neither in the log, nor in a base, nor in Raft's messages.

    `Forward` and `Forwarded` carry what a client sent or is sent, as the client's own connection
    does: they are no part of what is stored, and only mutual TLS protects them.
    """

    MESSAGES = (AppendRequest, SnapshotRequest)
    """Those with content; all others of Raft are made of numbers."""

    def sent(self, _world: World, host: Host, _receiver: str, message: Message) -> None:
        """Look at a message of Raft, as it goes over the wire."""
        if type(message) is not AppendRequest or message.entries:
            self._search(host, encode_message(message), type(message).__name__)

    def wrote(self, _world: World, host: Host, data: bytes) -> None:
        """Look at what goes into the log."""
        self._search(host, data, "log")

    def at_end(self, world: World) -> None:
        """Look at all that is in the bases."""
        for host in world.hosts.values():
            for key, value in host.disk.base.pin().iterate(b""):
                self._search(host, key, "base")
                self._search(host, value, "base")

    def _search(self, host: Host, data: bytes, place: str) -> None:
        # Not `in`: that raises and drops an error first, to see whether a number is looked for.
        if data.find(_HINT) < 0 and data.find(_TOKEN_HINT) < 0:
            return
        found = _READABLE.search(data)
        if found is not None:
            raise self.violated(f"{found[0].decode()!r} is readable in the {place} of {host.name}")
