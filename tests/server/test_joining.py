"""A node looks for its cluster in the places it was given, and goes on until it belongs to one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from core.request import Request, Response
from net.http.application import Handle, Waiter
from server.config.configuration import InmemStorage, RaftStorage, RetryJoin
from server.joining import PAUSE_S, RENEWAL_S, join

FIRST, SECOND = RetryJoin(leader_api_addr="https://one"), RetryJoin(leader_api_addr="https://two")
LET_IN_S = 100_000.0
"""When a cluster lets the node in, if it has been asked by then."""


class Outsider:
    """A node that asks clusters, of which some refuse.

    Attributes:
        asked: when it asked which cluster, with what else it was given.
    """

    def __init__(self, refusals: dict[str, str], is_patient: Callable[[float], bool]) -> None:
        self.asked: list[tuple[float, dict[str, Any]]] = []
        self._refusals = refusals
        self._is_patient = is_patient

    def ask(self, request: Request, waiter: Waiter) -> Response | Handle:
        assert waiter is not None
        now_s = trio.current_time()
        if request.path == "sys/init":
            return Response(200, json.dumps({"initialized": not self._is_patient(now_s)}).encode())
        body = json.loads(request.body)
        self.asked.append((now_s, body))
        refusal = self._refusals.get(body["leader_api_addr"])
        if refusal is None:
            return Response(200, b'{"joined":true}')
        return Response(500, json.dumps({"errors": [refusal]}).encode())

    def settle(self) -> None:
        """Everything is answered at once."""

    def abandon(self, handle: Handle) -> None:
        raise AssertionError(handle)

    @property
    def calls(self) -> list[tuple[float, str]]:
        return [(at_s, body["leader_api_addr"]) for at_s, body in self.asked]


def until(end_s: float) -> Callable[[float], bool]:
    start_s = trio.current_time()
    return lambda now_s: now_s - start_s < end_s


async def test_places_are_asked_in_turn_until_one_answers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    node = Outsider({"https://one": "sealed"}, until(RENEWAL_S))

    await join(node, RaftStorage(path="", retry_join=(FIRST, SECOND)))

    start_s = autojump_clock.current_time() - RENEWAL_S
    assert [(start_s, "https://one"), (start_s, "https://two")] == node.calls


async def test_a_node_that_waits_for_its_operators_asks_again_before_its_ticket_expires(
    autojump_clock: trio.testing.MockClock,
) -> None:
    node = Outsider({}, until(3 * RENEWAL_S))
    start_s = autojump_clock.current_time()

    await join(node, RaftStorage(path="", retry_join=(FIRST,)))

    assert [start_s, start_s + RENEWAL_S, start_s + 2 * RENEWAL_S] == [at for at, _ in node.asked]


async def test_the_same_refusals_are_logged_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    refusals = {"https://one": "sealed", "https://two": "not there"}
    node = Outsider(refusals, until(3 * PAUSE_S))
    start_s = autojump_clock.current_time()

    with structlog.testing.capture_logs() as logged:
        await join(node, RaftStorage(path="", retry_join=(FIRST, SECOND)))

    assert [start_s, start_s + PAUSE_S, start_s + 2 * PAUSE_S] == [at for at, _ in node.asked[::2]]
    assert [("https://one", "sealed"), ("https://two", "not there")] == [
        (line["leader"], line["reason"]) for line in logged
    ]


async def test_a_file_that_is_missing_ends_nothing(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    missing = tmp_path / "ca.pem"
    lost = RetryJoin(leader_api_addr="https://one", leader_ca_cert_file=str(missing))
    node = Outsider({"https://two": "sealed"}, until(2 * PAUSE_S))
    start_s = autojump_clock.current_time()

    with structlog.testing.capture_logs() as logged:
        await join(node, RaftStorage(path="", retry_join=(lost, SECOND)))

    assert [(start_s, "https://two"), (start_s + PAUSE_S, "https://two")] == node.calls
    assert f"{missing} cannot be read: No such file or directory" == logged[0]["reason"]


async def test_a_file_that_is_no_text_ends_nothing(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    (tmp_path / "ca.der").write_bytes(b"\xff")
    odd = RetryJoin(leader_api_addr="https://one", leader_ca_cert_file=str(tmp_path / "ca.der"))
    node = Outsider({}, until(PAUSE_S))

    with structlog.testing.capture_logs() as logged:
        await join(node, RaftStorage(path="", retry_join=(odd,)))

    assert autojump_clock.current_time() >= PAUSE_S
    assert ["a file of this retry_join is not PEM"] == [line["reason"] for line in logged]


async def test_files_are_read_and_sent(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    for name in ("ca", "certificate", "key"):
        (tmp_path / name).write_text(f"{name} as PEM")
    place = RetryJoin(
        leader_api_addr="https://one",
        leader_ca_cert_file=str(tmp_path / "ca"),
        leader_client_cert_file=str(tmp_path / "certificate"),
        leader_client_key_file=str(tmp_path / "key"),
        leader_tls_servername="one.example",
    )
    node = Outsider({}, until(RENEWAL_S))

    await join(node, RaftStorage(path="", retry_join=(place,)))

    assert autojump_clock.current_time() >= RENEWAL_S
    assert [
        {
            "leader_api_addr": "https://one",
            "leader_ca_cert": "ca as PEM",
            "leader_client_cert": "certificate as PEM",
            "leader_client_key": "key as PEM",
            "leader_tls_servername": "one.example",
        }
    ] == [body for _, body in node.asked]


@pytest.mark.parametrize("storage", [InmemStorage(), RaftStorage(path="")])
async def test_a_node_with_no_places_asks_nobody(storage: InmemStorage | RaftStorage) -> None:
    node = Outsider({}, until(LET_IN_S))

    await join(node, storage)

    assert [] == node.asked


async def test_a_node_that_belongs_to_a_cluster_asks_nobody() -> None:
    node = Outsider({}, until(0))

    await join(node, RaftStorage(path="", retry_join=(FIRST,)))

    assert [] == node.asked
