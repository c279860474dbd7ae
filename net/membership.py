"""Who belongs to its cluster and who does no more, as a node was told last.

Owns the file and the rule who is let in. What the log and the base say is what counts; but a node
that has lost its base, or has joined and received nothing yet, knows nobody without this.

A node may know less than its leader: others joined while it was down, and one of them leads by now.
Refusing whoever is unknown would keep it from ever being told. So a certificate of the cluster
opens the door, unless this node has seen that its owner was removed (ids are never used again).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from core.raft.configuration import EMPTY, Configuration
from net.data_directory import DataDirectoryError
from net.durably import write_durably

REMOVED_MAX: Final = 1_000
"""How many that were removed are remembered; certificates end long before there are more."""

_FILE: Final = "peers.json"


class Membership(msgspec.Struct, frozen=True):
    """What one node knows.

    Attributes:
        configuration: the members in force, as far as it was told.
        removed: node ids that are refused, in the order of their removal; among them this node's
            own, once it knows that it was removed.
    """

    configuration: Configuration = EMPTY
    removed: tuple[str, ...] = ()

    def followed_by(self, configuration: Configuration, gone: Iterable[str] = ()) -> "Membership":
        """Return what is known once `configuration` is in force and `gone` were removed."""
        members = configuration.members
        removed = [node for node in (*self.removed, *gone) if node not in members]
        return Membership(configuration, tuple(removed[-REMOVED_MAX:]))


def save(directory: Path, known: Membership) -> None:
    """Keep it, durably."""
    write_durably(directory / _FILE, msgspec.json.encode(known))


def load(directory: Path) -> Membership:
    """Return it; nobody before this node belongs to a cluster.

    Raises:
        DataDirectoryError: the file can't be read.
    """
    file = directory / _FILE
    if not file.exists():
        return Membership()
    try:
        return msgspec.json.decode(file.read_bytes(), type=Membership)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataDirectoryError(f"{file} cannot be read: {error}") from None
