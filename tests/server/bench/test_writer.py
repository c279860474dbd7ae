"""Writes go on whatever a member does, and only what was acknowledged counts."""

import time
from collections.abc import Sequence

import pytest

from server.bench import writer as module
from server.bench.settings import BenchError
from server.bench.workload import Target, kv_write
from server.bench.writer import Acknowledged, Writer
from tests.server.bench.raw_server import RawServer, answer, hang_up

WORKLOAD = kv_write("hvs.x", 1, "w")
PATIENCE_S = 10.0


def write(writer: Writer, count: int, without: Target | None = None) -> list[Acknowledged]:
    """Write until so many are acknowledged."""
    stop_s = time.monotonic() + PATIENCE_S
    found: list[Acknowledged] = []
    while len(found) < count:
        assert time.monotonic() < stop_s
        found += writer.step(without)
    return found


def keys_of(requests: Sequence[bytes]) -> list[int]:
    return [int(request.split(b"secret/data/w")[1].split()[0]) for request in requests]


def test_every_write_has_a_key_of_its_own() -> None:
    with RawServer() as first, RawServer() as second:
        writer = Writer(WORKLOAD, [first.target, second.target])
        found = write(writer, 10)
        writer.close()
        asked = keys_of(first.requests) + keys_of(second.requests)

    assert len(asked) == len(set(asked))
    assert writer.acknowledged == [each.key for each in found]
    assert set(writer.acknowledged) <= set(asked)
    assert keys_of(first.requests)
    assert keys_of(second.requests)
    assert all(each.sent_ns < each.at_ns for each in found)


@pytest.mark.parametrize("pieces", [[answer(status=b"503 Sealed")], [hang_up]])
def test_others_go_on_when_one_fails(pieces: list[bytes]) -> None:
    """What it was asked does not count."""
    with RawServer(pieces) as failing, RawServer() as serving:
        writer = Writer(WORKLOAD, [failing.target, serving.target])
        write(writer, 5)
        writer.close()

    assert set(writer.acknowledged) <= set(keys_of(serving.requests))
    assert keys_of(failing.requests)


def test_one_that_does_not_listen_is_tried_again() -> None:
    with RawServer() as server:
        gone = server.target
    with RawServer() as serving:
        writer = Writer(WORKLOAD, [gone, serving.target])
        write(writer, 3)
        writer.close()

    assert 3 <= len(writer.acknowledged)


def test_one_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """And asked again on another connection."""
    monkeypatch.setattr(module, "PATIENCE_NS", 1_000_000)
    stop_s = time.monotonic() + PATIENCE_S
    with RawServer([]) as server:
        writer = Writer(WORKLOAD, [server.target])
        while len(server.requests) < 2:
            assert time.monotonic() < stop_s
            assert [] == writer.step()
        writer.close()


def test_an_answer_in_pieces() -> None:
    with RawServer([bytes([byte]) for byte in answer()]) as server:
        writer = Writer(WORKLOAD, [server.target])
        write(writer, 1)
        writer.close()

    assert [1] == writer.acknowledged[:1]


def test_a_member_may_be_left_alone() -> None:
    with RawServer() as first, RawServer() as second:
        writer = Writer(WORKLOAD, [first.target, second.target])
        write(writer, 3, without=first.target)
        assert [] == first.requests
        write(writer, 3, without=second.target)
        writer.close()

    assert first.requests


def test_there_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITES_MAX", 2)
    with RawServer() as server:
        writer = Writer(WORKLOAD, [server.target])
        with pytest.raises(BenchError, match="2 writes and no end"):
            write(writer, 3)
        writer.close()
