"""Requests that wait for their audit record, and what becomes of them when a node is sealed."""

import msgspec
import pytest

from core import events
from core.node.messages import Forward, Forwarded
from core.request import Request, Response
from core.settings import RequestSettings, Settings
from core.vault import answers
from tests.core.node.cluster import Cluster
from tests.core.node.single import SingleNode, decoded

CLIENT_REQUEST = Request("update", "kv/a", "token")


@pytest.fixture
def cluster() -> Cluster:
    """Three open members, of which the first leads."""
    return Cluster().open()


def value(response: Response) -> object:
    return decoded(response)["data"]["b"]


def audited(cluster: Cluster) -> None:
    body = {"type": "file", "options": {"file_path": "/audit"}}
    assert cluster.request("n1", "update", "sys/audit/file", body).status == 204
    cluster.run(0.5)


def records(cluster: Cluster, name: str, path: str) -> list[str]:
    """Return the kinds of the audit records that a member wrote about a path."""
    lines = b"".join(cluster.machines[name].audit).splitlines()
    decoded_lines = [msgspec.json.decode(line) for line in lines]
    return [line["type"] for line in decoded_lines if line["request"]["path"] == path]


# -- audit ------------------------------------------------------------------------------------


def test_a_write_is_executed_after_its_record_was_written(cluster: Cluster) -> None:
    """Until then nobody sees it."""
    audited(cluster)
    leader = cluster.machines["n1"]
    leader.held = (events.AuditAppended,)
    write = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.2)
    assert not cluster.answered(write)
    assert records(cluster, "n1", "kv/a") == ["request"]
    assert value(cluster.request("n2", "read", "kv/a")) == "1"

    cluster.release("n1")
    assert cluster.answer(write).status == 204
    assert cluster.effect(write).audited
    assert records(cluster, "n1", "kv/a") == ["request", "response"]


def test_a_write_whose_record_cannot_be_kept_is_not_executed(cluster: Cluster) -> None:
    """The client learns why, at whichever member."""
    audited(cluster)
    cluster.machines["n1"].unwritable = ("/audit",)

    for name in ("n1", "n2"):
        assert cluster.request(name, "update", "kv/a", {"b": "2"}) == answers.AUDIT_FAILED
    cluster.machines["n1"].unwritable = ()
    assert value(cluster.request("n1", "read", "kv/a")) == "1"


def test_a_write_whose_leader_changed_while_its_record_was_written(cluster: Cluster) -> None:
    """It is not executed there any more, and recorded by the leader that executes it."""
    audited(cluster)
    cluster.machines["n1"].held = (events.AuditAppended,)
    own = cluster.ask("n1", "update", "kv/own", {"b": "2"})
    other = cluster.ask("n2", "update", "kv/other", {"b": "3"})
    cluster.run(0.01)
    cluster.isolate("n1")
    leader = cluster.successor()
    cluster.cut.clear()
    cluster.run(0.5)
    cluster.release("n1")

    assert cluster.answer(own).status == 204
    assert cluster.answer(other).status in (204, 500)
    assert records(cluster, leader, "kv/own") == ["request", "response"]


def test_a_write_that_is_executed_elsewhere_after_all_is_recorded_here_once() -> None:
    """Its record as a request was kept before office was lost; the next leader has its own."""
    cluster = Cluster().open()
    audited(cluster)
    cluster.isolate("n1")
    cluster.run(0.6)  # no lease any more: what only looks on waits for an entry
    refused = cluster.ask("n1", "update", "kv/x", {"b": "2"}, token="unknown")
    cluster.run(0.01)
    leader = cluster.successor()
    cluster.cut.clear()

    assert cluster.answer(refused).status == 403
    assert records(cluster, "n1", "kv/x") == ["request"]
    assert records(cluster, leader, "kv/x") == ["request", "response"]


def test_who_may_not_enable_the_first_audit_device_is_told_so() -> None:
    """There is nothing to record yet, and no file to try."""
    node = SingleNode().open()
    body = {"type": "file", "options": {"file_path": "/audit"}}

    assert node.ask("update", "sys/audit/file", body, token="unknown").status == 403
    assert node.audit == {}


def test_writes_that_wait_for_their_records_count_as_waiting() -> None:
    """A device that hangs does not fill the memory."""
    cluster = Cluster(settings=Settings(requests=RequestSettings(waiting_max=2))).open()
    audited(cluster)
    cluster.machines["n1"].held = (events.AuditAppended,)
    held = [cluster.ask("n1", "update", "kv/a", {"b": value}) for value in ("2", "3")]
    cluster.run(0.001)
    refused = cluster.ask("n1", "update", "kv/a", {"b": "4"})
    cluster.run(0.001)

    assert cluster.answer(refused) == answers.OVERLOADED
    cluster.release("n1")
    assert [cluster.answer(handle).status for handle in held] == [204, 204]


# -- the seal ---------------------------------------------------------------------------------


def test_a_sealed_node_serves_nothing(cluster: Cluster) -> None:
    """Another member leads then."""
    assert cluster.request("n1", "update", "sys/seal").status == 204
    assert cluster.request("n1", "read", "kv/a") == answers.SEALED
    leader = cluster.successor()
    assert value(cluster.request(leader, "read", "kv/a")) == "1"
    call = Forward(7, 1, 10**9, CLIENT_REQUEST)
    began = len(cluster.sent)
    cluster.deliver("n1", events.Received(leader, call))
    cluster.run(0.001)
    assert ("n1", leader, Forwarded(7, 1, None)) in cluster.sent[began:]


def test_sealing_answers_all_that_waits(cluster: Cluster) -> None:
    """What may have been executed is unknown, the rest was not."""
    audited(cluster)
    cluster.isolate("n1")
    written = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.6)
    read = cluster.ask("n1", "read", "kv/a")
    seal = cluster.ask("n1", "update", "sys/seal")
    cluster.run(0.001)
    assert cluster.answer(seal).status == 204
    assert cluster.answer(written) == answers.UNKNOWN_OUTCOME
    assert cluster.answer(read) == answers.SEALED


def test_sealing_while_records_are_written(cluster: Cluster) -> None:
    """A write that waits for its record is not executed any more."""
    audited(cluster)
    cluster.machines["n1"].held = (events.AuditAppended,)
    seal = cluster.ask("n1", "update", "sys/seal")
    cluster.run(0.01)
    first = cluster.machines["n1"].waiting.pop()
    write = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.01)
    cluster.deliver("n1", first)
    cluster.run(0.01)

    assert cluster.answer(seal).status == 204
    assert cluster.answer(write) == answers.SEALED
    cluster.release("n1")
    leader = cluster.successor()
    assert value(cluster.request(leader, "read", "kv/a")) == "1"
