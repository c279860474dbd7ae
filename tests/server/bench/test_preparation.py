"""What a server is prepared with, as it is asked for."""

import pytest

from core.vault.policy import parse_policy
from server.bench import preparation
from server.bench.settings import BenchError
from tests.server.bench.raw_server import RawServer, answer


def test_the_policy_has_as_many_rules_as_it_says() -> None:
    assert preparation.RULES == len(parse_policy("bench", preparation.policy_text()).rules)


def test_refusals_are_told_with_their_path() -> None:
    with (
        RawServer([answer(b'{"errors":["permission denied"]}', b"403 Forbidden")]) as server,
        pytest.raises(BenchError, match=r"sys/policies/acl/bench: (.|\n)*permission denied"),
    ):
        preparation.make_token(server.target, "hvs.x")


def test_who_refuses_or_is_gone_does_not_lead() -> None:
    refusal = answer(b'{"errors":["sealed"]}', b"503 Service Unavailable")
    with RawServer([refusal]) as sealed, RawServer([answer(b'{"is_self":false}')]) as standby:
        assert preparation.active(sealed.target)() is None
        assert preparation.active(standby.target)() is None
    assert preparation.active(sealed.target)() is None


def test_a_leader_leads() -> None:
    with RawServer([answer(b'{"is_self":true}')]) as server:
        assert preparation.active(server.target)() is True


def test_keys_that_are_refused() -> None:
    with (
        RawServer([answer(status=b"403 Forbidden")]) as server,
        pytest.raises(BenchError, match="only 0 of 5 keys"),
    ):
        preparation.fill(server.target, "hvs.x", 5, 2)


def test_keys_for_nobody() -> None:
    with RawServer() as server:
        target = server.target
    with pytest.raises(BenchError, match=r"the keys cannot be written: .*refused"):
        preparation.fill(target, "hvs.x", 5, 2)
