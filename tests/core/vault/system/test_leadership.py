"""`sys/seal`, `sys/step-down` and `sys/ha-status`."""

from core.vault.reply import Reply, Seal, StepDown
from tests.core.vault.node import Node


def test_a_leader_seals_itself() -> None:
    assert Reply(action=Seal()) == Node().ask("update", "sys/seal")


def test_a_standby_does_not_seal_the_leader() -> None:
    text = "cannot seal when in standby mode; please restart instead"

    assert (500, text) == Node().refused("update", "sys/seal", forwarded_from="b2")


def test_a_leader_steps_down_also_for_others() -> None:
    assert Reply(action=StepDown()) == Node().ask("update", "sys/step-down")
    assert Reply(action=StepDown()) == Node().ask("update", "sys/step-down", forwarded_from="b2")


def test_all_members_and_which_of_them_leads() -> None:
    def shown(label: str, digit: int, *, leads: bool = False) -> object:
        return {
            "hostname": label,
            "api_address": f"https://10.0.0.{digit}:8200",
            "cluster_address": f"https://10.0.0.{digit}:8201",
            "active_node": leads,
            "last_echo": None,
            "echo_duration_ms": 0,
            "clock_skew_ms": 0,
        }

    reply = Node().ask("read", "sys/ha-status")

    assert reply.repeated
    assert {"nodes": [shown("left", 2), shown("middle", 3), shown("right", 1, leads=True)]} == (
        reply.data
    )
