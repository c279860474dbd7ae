"""What a node is told about itself when it is made."""

from typing import Final

import msgspec

VERSION: Final = "0.1.0"
API_VERSION: Final = f"1.19.0+holdfast.{VERSION}"
"""Strict semver: the level of Vault's API that clients may expect, and our own version."""

BUILD_DATE: Final = "2026-11-24T00:00:00Z"


class NodeInfo(msgspec.Struct, frozen=True):
    """One node.

    Attributes:
        node: its id in consensus, made with its data directory.
        name: the operator's label for it.
        cluster_address: `host:port` where its peers reach it.
        api_address: the URL where its clients reach it.
        cluster_name: what a cluster that is initialised here is called; drawn if empty.
        storage_type: `raft` or `inmem`.
        removed: it learned in an earlier life that it was removed from its cluster.
    """

    node: str
    name: str
    cluster_address: str
    api_address: str
    cluster_name: str = ""
    storage_type: str = "raft"
    removed: bool = False
