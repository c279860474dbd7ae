"""`sys/storage/raft`: members by their labels."""

from core.vault.reply import RemovePeer, Reply
from tests.core.vault.node import Node


def test_members_are_shown_by_their_labels() -> None:
    def server(label: str, digit: int, *, leader: bool = False, voter: bool = True) -> object:
        return {
            "node_id": label,
            "address": f"10.0.0.{digit}:8201",
            "leader": leader,
            "protocol_version": "3",
            "voter": voter,
        }

    servers = [server("left", 2), server("middle", 3, voter=False), server("right", 1, leader=True)]
    expected = {"config": {"index": 7, "servers": servers}}

    assert expected == Node().read("sys/storage/raft/configuration")


def test_a_member_is_removed_by_the_node_itself() -> None:
    expected = Reply(action=RemovePeer("left"))

    assert expected == Node().ask("update", "sys/storage/raft/remove-peer", {"server_id": "left"})


def test_nobody_is_removed_without_a_name() -> None:
    assert (400, "missing server_id") == Node().refused("update", "sys/storage/raft/remove-peer")
