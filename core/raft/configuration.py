"""The membership record: who votes, who learns, and where they are."""

from typing import Final

import cbor2
import msgspec

from core.check import check

_FORMAT: Final = 2

REMOVED_MAX: Final = 256
"""Members that were removed and are remembered; the one removed first is forgotten first."""


class Member(msgspec.Struct, frozen=True, array_like=True):
    """One member.

    Attributes:
        name: the operator's label (`node_id` in a configuration file).
        cluster_address: `host:port` where its peers reach it.
        api_address: the URL where its clients reach it.
        stays_learner: it is never made a voter.
    """

    name: str
    cluster_address: str
    api_address: str
    stays_learner: bool = False


class Configuration(msgspec.Struct, frozen=True):
    """Who belongs to the cluster, in force from when it is appended.

    Attributes:
        incoming: the voters; while a joint change is under way the new ones.
        outgoing: while a joint change is under way the old voters, else empty.
        learners: members that receive everything and do not vote.
        members: what is known of each of the above, by node id.
        removed: who belongs to the cluster no more, and never will again: a node that comes back
            is another one, as it has forgotten what it had promised.
    """

    incoming: tuple[str, ...] = ()
    outgoing: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    members: dict[str, Member] = {}
    removed: tuple[str, ...] = ()

    def votes(self, node: str) -> bool:
        """Tell whether `node` is a voter."""
        return node in self.incoming or node in self.outgoing

    def with_learner(self, learner: str, member: Member) -> "Configuration":
        """Return this configuration with one more learner, or with its addresses renewed."""
        check(learner not in self.removed, "who was removed is let in again")
        learners = self.learners
        if not self.votes(learner) and learner not in learners:
            learners = tuple(sorted((*learners, learner)))
        members = {**self.members, learner: member}
        return Configuration(self.incoming, self.outgoing, learners, members, self.removed)

    def promoted(self, learner: str) -> "Configuration":
        """Return this configuration with `learner` made a voter."""
        check(learner in self.learners, "only a learner is promoted")
        return Configuration(
            tuple(sorted((*self.incoming, learner))),
            self.outgoing,
            tuple(node for node in self.learners if node != learner),
            self.members,
            self.removed,
        )

    def without(self, node: str) -> "Configuration":
        """Return this configuration with `node` removed."""
        return Configuration(
            tuple(voter for voter in self.incoming if voter != node),
            self.outgoing,
            tuple(learner for learner in self.learners if learner != node),
            {name: member for name, member in self.members.items() if name != node},
            (*self.removed, node)[-REMOVED_MAX:],
        )

    def encode(self) -> bytes:
        """Return the canonical bytes, equal for equal configurations."""
        return cbor2.dumps(
            [
                _FORMAT,
                list(self.incoming),
                list(self.outgoing),
                list(self.learners),
                {
                    name: [
                        member.name,
                        member.cluster_address,
                        member.api_address,
                        member.stays_learner,
                    ]
                    for name, member in self.members.items()
                },
                list(self.removed),
            ],
            canonical=True,
        )


EMPTY: Final = Configuration()
"""Nobody yet: a node that has neither been initialised nor joined."""


def decode(data: bytes) -> Configuration:
    """Return the configuration that `data` encodes; no data is the empty one."""
    if not data:
        return EMPTY
    version, *fields = cbor2.loads(data)
    check(version == _FORMAT, "a configuration of an unknown format")
    incoming, outgoing, learners, members, removed = fields
    return Configuration(
        tuple(incoming),
        tuple(outgoing),
        tuple(learners),
        {name: Member(*known) for name, known in members.items()},
        tuple(removed),
    )
