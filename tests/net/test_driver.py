"""The driver runs a real node, and a scripted one for what no real one can be brought to."""

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from core import effects, events
from core.moment import Now
from core.node.messages import Forwarded
from core.raft.configuration import EMPTY, Configuration, Member
from core.request import Request, Response
from core.vault.answers import AUDIT_FAILED, NO_LEADER
from core.vault.audit_file import AuditFile
from net.driver import FAREWELL_S, LEASE_ATTEMPTS_MAX, Driver, NodeHalted
from net.http.application import Handle
from net.memory import MemoryStorage
from tests.net.driven import PATIENCE_S, Driven, running
from tests.net.small_disk import SmallDisk
from tests.net.storage import damage, killed

NEVER = 1 << 62
FILLING_MAX = 1_000
REQUEST = Request("read", "secret/a")
DONE = Response(200, b"{}")


# -- a real node ----------------------------------------------------------------------------


async def test_a_node_in_memory_answers() -> None:
    async with running(Driven()) as driven:
        await driven.initialise()
        await driven.told("update", "secret/a", {"b": "c"})

        read = await driven.told("read", "secret/a")

        assert {"b": "c"} == read["data"]
        with trio.fail_after(PATIENCE_S):
            await driven.driver.stop(PATIENCE_S)
        assert 503 == (await driven.ask("read", "secret/a")).status


@pytest.mark.slow
async def test_a_killed_node_has_what_it_has_acknowledged(tmp_path: Path) -> None:
    """Life after life, with flushes and a log that is cut; damage to the base included."""
    path = tmp_path / "data"
    driven = Driven(path)
    written: dict[str, str] = {}
    for life in range(4):
        async with running(driven):
            await (driven.unseal() if driven.keys else driven.initialise())
            for name, value in written.items():
                assert {"v": value} == (await driven.told("read", f"secret/{name}"))["data"]
            for number in range(20):
                name, value = f"{life}-{number}", f"{number}" * 900
                await driven.told("update", f"secret/{name}", {"v": value})
                written[name] = value
            copy = killed(path, life)
        following = Driven(copy)
        following.token, following.keys = driven.token, driven.keys
        driven, path = following, copy
    assert driven.files is not None
    assert driven.files.base.meta.index > 0
    assert not (path / "wal" / "0000000000000001.seg").exists()
    driven.close()


@pytest.mark.slow
async def test_damage_stops_the_node(tmp_path: Path) -> None:
    """Whoever asks for the record gets no answer, and nothing is done any more."""
    path = tmp_path / "data"
    async with running(Driven(path)) as driven:
        await driven.initialise()
        assert driven.files is not None
        base = driven.files.base
        for number in range(20):
            await driven.told("update", f"secret/{number}", {"v": "x" * 3_000})
        index = driven.driver.node.store.applied_index
        # Nothing tells when a flush has ended.
        for _ in range(FILLING_MAX):
            if base.meta.index >= index:
                break
            await driven.told("update", "secret/other", {"v": "x" * 1_000})
        longest = max((value for _, value in base.iterate(b"", b"\xff")), key=len)
    damage(path, longest)
    again = Driven(path)
    again.token, again.keys = driven.token, driven.keys
    answered: list[int] = []

    async def read_all() -> None:
        await again.unseal()
        for number in range(20):
            response = await again.ask("read", f"secret/{number}")
            answered.append(response.status)

    with pytest.raises(ExceptionGroup) as raised:
        async with running(again) as driven, trio.open_nursery() as nursery:
            nursery.start_soon(read_all)
    assert raised.group_contains(NodeHalted, match="does not match its checksum")
    assert len(answered) < 20


async def test_a_failing_storage_stops_the_node(tmp_path: Path) -> None:
    path = tmp_path / "data"
    driven = Driven(path)
    driven.start()

    async def lose_the_log() -> None:
        await driven.initialise()
        assert driven.files is not None
        driven.files._file_log.close()
        for segment in (path / "wal").iterdir():
            segment.unlink()
        await driven.ask("update", "secret/a", {"b": "c"})

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(driven.driver.run)
            nursery.start_soon(lose_the_log)

    with pytest.raises(ExceptionGroup) as raised:
        await run()

    assert raised.group_contains(NodeHalted, match="the log has failed")
    driven.driver.settle()
    driven.close()


@pytest.mark.slow
async def test_without_its_audit_record_no_answer_leaves(small_disk: SmallDisk) -> None:
    audit = small_disk.path / "audit.log"
    async with running(Driven()) as driven:
        await driven.initialise()
        await driven.told("update", "secret/a", {"b": "c"})
        options = {"type": "file", "options": {"file_path": str(audit)}}
        await driven.told("update", "sys/audit/f", options)
        small_disk.fill()
        # The last page of the file has room for some more.
        refused = [await driven.ask("read", "secret/a") for _ in range(20)][-1]
        small_disk.empty()
        read = await driven.told("read", "secret/a")

    assert AUDIT_FAILED == refused
    assert {"b": "c"} == read["data"]


@pytest.mark.slow
async def test_on_a_full_disk_reads_go_on_and_writes_resume(small_disk: SmallDisk) -> None:
    """Neither the log nor the base can grow; then there is room again."""
    async with running(Driven(small_disk.path / "data")) as driven:
        await driven.initialise()
        await driven.told("update", "secret/a", {"b": "c"})
        small_disk.fill()
        statuses: list[int] = []
        while len(statuses) < FILLING_MAX and 503 not in statuses:
            response = await driven.ask("update", "secret/full", {"v": "x" * 3_000})
            statuses.append(response.status)
        read = await driven.told("read", "secret/a")
        small_disk.empty()
        with trio.fail_after(PATIENCE_S):
            while (await driven.ask("update", "secret/a", {"b": "d"})).status == 503:  # noqa: ASYNC110 -- nothing tells it
                await trio.sleep(0.05)
        after = await driven.told("read", "secret/a")

    assert {204, 503} == set(statuses)
    assert [{"b": "c"}, {"b": "d"}] == [read["data"], after["data"]]


# -- a scripted node ------------------------------------------------------------------------


class ScriptedNode:
    """Answers each turn with what was prepared for it.

    Attributes:
        script: effects of the turns to come.
        turns: events of the turns so far.
        deadlines_ns: when a turn is due after the next one, and so on; then never.
        idle: the first turn was taken after which none is due.
    """

    def __init__(self, *script: list[effects.Effect]) -> None:
        self.script = list(script)
        self.turns: list[list[events.Event]] = []
        self.deadline_ns = NEVER
        self.deadlines_ns: list[int] = []
        self.idle = trio.Event()
        self.leads = False
        self.raft = self
        self.configuration = EMPTY

    def handle(self, taken: Sequence[events.Event], _now: Now) -> list[effects.Effect]:
        self.turns.append(list(taken))
        if self.deadlines_ns:
            self.deadline_ns = self.deadlines_ns.pop(0)
        else:
            self.deadline_ns = NEVER
            self.idle.set()
        return self.script.pop(0) if self.script else []


class Transport:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[effects.Effect] = []
        take: Callable[[Any], None] = self.asked.append
        self.send = self.admit = self.identify = self.ask = take


class Waiter:
    """Remembers its answers."""

    def __init__(self) -> None:
        self.answers: list[tuple[Handle, Response]] = []

    def deliver(self, handle: Handle, response: Response) -> None:
        self.answers.append((handle, response))


def driver_of(
    node: Any,  # noqa: ANN401 -- one that only plays a node
    transport: Transport | None = None,
) -> Driver:
    return Driver(node, MemoryStorage(), transport, 5)


def test_requests_that_come_together_share_a_turn() -> None:
    node = ScriptedNode([effects.Answer(2, DONE)])
    driver = driver_of(node)
    waiter = Waiter()
    handles = [driver.ask(REQUEST, waiter) for _ in range(2)]

    driver.settle()
    driver.settle()

    assert [1, 2] == handles
    assert [[events.Asked(1, REQUEST, 5), events.Asked(2, REQUEST, 5)]] == node.turns
    assert [(2, DONE)] == waiter.answers


def test_an_abandoned_request_is_not_answered() -> None:
    driver = driver_of(ScriptedNode([effects.Answer(1, DONE)]))
    waiter = Waiter()
    handle = driver.ask(REQUEST, waiter)
    assert isinstance(handle, int)
    driver.abandon(handle)

    driver.settle()

    assert [] == waiter.answers


def test_what_storage_does_at_once_is_told_at_once() -> None:
    node = ScriptedNode([effects.WriteLog(1, ()), effects.PrepareSegment(1, 1)])
    driver = driver_of(node)

    driver.post(events.StopAsked())

    told: list[events.Event] = [events.LogWritten(1), events.SegmentReady(1)]
    assert [[events.StopAsked()], told] == node.turns


def test_what_arrives_together_shares_a_turn() -> None:
    node = ScriptedNode()
    driver = driver_of(node)

    driver.post(events.LogWritten(1), events.LogWritten(2))

    assert [[events.LogWritten(1), events.LogWritten(2)]] == node.turns


def test_a_read_whose_lease_has_passed_is_asked_again() -> None:
    past_ns = time.monotonic_ns()
    node = ScriptedNode(
        [effects.Answer(1, Response(200, b"stale"), past_ns)], [effects.Answer(1, DONE, NEVER)]
    )
    driver = driver_of(node)
    waiter = Waiter()
    driver.ask(REQUEST, waiter)

    driver.settle()

    assert [[events.Asked(1, REQUEST, 5)]] * 2 == node.turns
    assert [(1, DONE)] == waiter.answers


def test_a_read_is_not_asked_again_for_ever_and_never_stale() -> None:
    past_ns = time.monotonic_ns()
    stale: list[effects.Effect] = [effects.Answer(1, Response(200, b"stale"), past_ns)]
    node = ScriptedNode(*[stale] * 100)
    driver = driver_of(node)
    waiter = Waiter()
    driver.ask(REQUEST, waiter)

    driver.settle()

    assert 1 + LEASE_ATTEMPTS_MAX == len(node.turns)
    assert [(1, NO_LEADER)] == waiter.answers


@pytest.mark.parametrize(
    ("files", "failed"),
    [
        ({"/dev/full": b"line\n"}, True),
        ({"/dev/full": b"line\n", "x": b"line\n"}, False),
        ({"/dev/full": b"line\n", "only asked": b""}, True),
    ],
)
def test_one_audit_file_is_enough(tmp_path: Path, files: dict[str, bytes], *, failed: bool) -> None:
    """Without any, neither answers nor messages that are audited leave."""
    lines = {AuditFile(str(tmp_path / path), 0): text for path, text in files.items()}
    transport = Transport()
    message = Forwarded(1, 2, None)
    audited = [effects.Send("b", message, audited=True), effects.Send("c", message)]
    node = ScriptedNode(
        [effects.AppendAudit(7, lines), effects.Answer(1, DONE, audited=True), *audited],
        [effects.Answer(2, DONE, audited=True)],
    )
    driver = driver_of(node, transport)
    waiter = Waiter()
    for _ in range(2):
        driver.ask(REQUEST, waiter)

    driver.settle()

    assert [events.AuditAppended(7, ("/dev/full",))] == node.turns[1]
    assert [(1, AUDIT_FAILED if failed else DONE), (2, DONE)] == waiter.answers
    assert audited[failed:] == transport.asked
    driver.audit_files.reopen()


def test_the_transport_gets_what_is_its_own() -> None:
    asked: list[effects.Effect] = [
        effects.Send("b", Forwarded(1, 2, None)),
        effects.AdmitPeers(Configuration()),
        effects.AskCluster(1, effects.ClusterAddress("https://a"), "sys/init", b"{}"),
        effects.IssueIdentity(b"", b"", b"", "cluster"),
    ]
    transport = Transport()
    for each in (transport, None):
        driver_of(ScriptedNode([*asked]), each).post(events.StopAsked())

    assert asked == transport.asked


class FullTransport(Transport):
    """Has no room for anything that it is to keep.

    Attributes:
        failure: what it meets instead.
    """

    def __init__(self, failure: int) -> None:
        super().__init__()
        self.failure = failure
        self.tries = 0
        self.admit = self.identify = self._refuse

    def _refuse(self, effect: effects.Effect) -> None:
        self.tries += 1
        if self.failure:
            raise OSError(self.failure, os.strerror(self.failure))
        self.asked.append(effect)


async def test_what_there_was_no_room_for_is_kept_later(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the last of each kind; the node goes on meanwhile."""
    monkeypatch.setattr("net.driver.RETRY_NS", 0)
    transport = FullTransport(errno.ENOSPC)
    former, latter = (effects.AdmitPeers(Configuration((name,))) for name in ("a", "b"))
    node = ScriptedNode([former], [latter])
    driver = driver_of(node, transport)
    driver.post(events.LogWritten(1))
    driver.post(events.LogWritten(2))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        await trio.testing.wait_all_tasks_blocked()
        tries = transport.tries
        transport.failure = 0
        await trio.sleep(60)  # of a clock that jumps, long enough for the next try
        nursery.cancel_scope.cancel()

    assert autojump_clock.current_time() == trio.current_time()
    assert 3 <= tries
    assert [latter] == transport.asked


@pytest.mark.parametrize(
    "effect",
    [effects.AdmitPeers(EMPTY), effects.IssueIdentity(b"", b"", b"", "cluster")],
)
async def test_what_can_not_be_kept_at_all_stops_the_node(effect: effects.Effect) -> None:
    driver = driver_of(ScriptedNode([effect]), FullTransport(errno.EIO))
    driver.post(events.LogWritten(1))

    with pytest.raises(NodeHalted, match=os.strerror(errno.EIO)):
        await driver.run()


def test_reports_are_logged() -> None:
    driver = driver_of(ScriptedNode([effects.Report("it rains", {"where": "here"})]))

    with structlog.testing.capture_logs() as logs:
        driver.post(events.StopAsked())

    assert [{"event": "it rains", "where": "here", "log_level": "info"}] == logs


async def test_a_turn_is_taken_when_one_is_due() -> None:
    """Also one that is due earlier than the loop was to wake up."""
    node = ScriptedNode()
    driver = driver_of(node)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        await trio.testing.wait_all_tasks_blocked()
        assert [] == node.turns
        due_ns = time.monotonic_ns() + 5_000_000
        node.deadlines_ns = [due_ns]
        driver.post(events.LogWritten(1))
        with trio.fail_after(PATIENCE_S):
            await node.idle.wait()
        nursery.cancel_scope.cancel()

    assert [[events.LogWritten(1)], []] == node.turns
    assert due_ns <= time.monotonic_ns()


async def test_a_node_that_halts_ends_the_run_wherever_it_happened() -> None:
    """In the turn of a request as in one that a thread has asked for; then no more turns."""
    node = ScriptedNode([effects.Halt("an invariant is broken")])
    driver = driver_of(node)
    trio.lowlevel.current_trio_token().run_sync_soon(driver.post, events.LogWritten(1))

    with trio.fail_after(PATIENCE_S), pytest.raises(NodeHalted, match="an invariant is broken"):
        await driver.run()

    driver.post(events.LogWritten(2))
    assert [[events.LogWritten(1)]] == node.turns


async def test_a_leader_stops_once_another_leads(autojump_clock: trio.testing.MockClock) -> None:
    """If anybody does in time."""
    node = ScriptedNode()
    node.leads = True
    members = {name: Member(name, "", "") for name in ("a", "b")}
    node.configuration = Configuration(("a", "b"), members=members)
    driver = driver_of(node)
    began_s = trio.current_time()
    await driver.stop(5)
    patience_s = trio.current_time() - began_s

    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.stop, 5)
        await trio.testing.wait_all_tasks_blocked()
        node.leads = False
        driver.post(events.LogWritten(1))
    succeeded_s = trio.current_time() - began_s - patience_s

    assert autojump_clock.current_time() == trio.current_time()
    assert [5, FAREWELL_S] == [round(patience_s, 6), round(succeeded_s, 6)]
    assert [events.StopAsked()] == node.turns[0]
