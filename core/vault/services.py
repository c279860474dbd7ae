"""What the handlers of paths work with: one record of the unsealed node's services."""

from typing import Protocol

import msgspec

from core.barrier.barrier import Barrier
from core.entropy import Entropy
from core.raft.configuration import Configuration
from core.settings import RequestSettings
from core.vault.audit_devices import AuditDevices
from core.vault.encryptions import EncryptionCount
from core.vault.mounts import Mounts
from core.vault.policies import Policies
from core.vault.tokens import Tokens


class Cluster(Protocol):
    """What paths may know of the node below and its cluster."""

    @property
    def configuration(self) -> Configuration:
        """The membership in force."""
        ...

    @property
    def configuration_index(self) -> int:
        """The log index of that membership."""
        ...

    @property
    def leader(self) -> str:
        """The node id of the leader, or empty."""
        ...


class Services(msgspec.Struct, frozen=True):
    """The services of one unsealed node.

    Attributes:
        barrier: seals and opens.
        entropy: where fresh bytes come from.
        settings: limits and default lease times.
        tokens: the token store.
        policies: the policy store.
        mounts: the mount table.
        audit_devices: the audit devices.
        cluster: the node below.
        root_key: what the stored keyrings are sealed under.
        encryptions: counts what this node seals.
    """

    barrier: Barrier
    entropy: Entropy
    settings: RequestSettings
    tokens: Tokens
    policies: Policies
    mounts: Mounts
    audit_devices: AuditDevices
    cluster: Cluster
    root_key: bytes
    encryptions: EncryptionCount = msgspec.field(default_factory=EncryptionCount)

    def __repr__(self) -> str:
        """Say nothing of what is within: the root key must reach no log."""
        return "Services()"
