"""Each way in which a request can wait, and the one answer that ends it."""

import pytest

from core import events
from core.node import forwarding
from core.node.forwarding import FORWARDED_BYTES_MAX
from core.node.messages import Forward, Forwarded
from core.request import Request, Response
from core.settings import RaftSettings, RequestSettings, Settings, StoreSettings
from core.vault import answers
from tests.core.node.cluster import Cluster
from tests.core.node.single import SingleNode, decoded

TIMEOUT_S = RaftSettings().election_timeout_max_ns / 1e9
STALE = {"x-holdfast-read": "stale"}
CLIENT_REQUEST = Request("update", "kv/a", "token")
NOT_FORWARDED = {"x-vault-no-request-forwarding": "true"}


@pytest.fixture
def cluster() -> Cluster:
    """Three open members, of which the first leads."""
    return Cluster().open()


def value(response: Response) -> object:
    return decoded(response)["data"]["b"]


# -- the plain ways ---------------------------------------------------------------------------


def test_every_member_reads_what_any_member_wrote(cluster: Cluster) -> None:
    """The leader under its lease, the others after a confirmed read index."""
    for name in cluster.machines:
        assert cluster.request(name, "update", "kv/a", {"b": name}).status == 204
        effects = [cluster.effect(cluster.ask(each, "read", "kv/a")) for each in cluster.machines]
        assert [value(effect.response) for effect in effects] == [name] * 3
        assert effects[0].lease_until_ns > cluster.time_ns
        assert [effect.lease_until_ns for effect in effects[1:]] == [0, 0]


def test_a_stale_read_asks_nobody(cluster: Cluster) -> None:
    """It answers with what was applied here, whatever came since."""
    cluster.isolate("n3")
    assert cluster.request("n1", "update", "kv/a", {"b": "2"}).status == 204
    stale = cluster.ask("n3", "read", "kv/a", headers=STALE)
    cluster.run(0.001)

    assert cluster.answered(stale)
    assert value(cluster.answer(stale)) == "1"


def test_a_use_limited_token_is_used_up_by_the_leader(cluster: Cluster) -> None:
    """A read with it is a write, wherever it arrives."""
    body = {"policies": ["root"], "num_uses": 2}
    auth = decoded(cluster.request("n1", "update", "auth/token/create", body))["auth"]
    token = auth["client_token"]

    assert value(cluster.request("n2", "read", "kv/a", token=token)) == "1"
    assert value(cluster.request("n1", "read", "kv/a", token=token)) == "1"
    assert cluster.request("n3", "read", "kv/a", token=token).status == 403


def test_an_action_uses_up_a_use_limited_token_too(cluster: Cluster) -> None:
    """What a request asks of the node itself is a use like any other."""
    body = {"policies": ["root"], "num_uses": 2}
    auth = decoded(cluster.request("n1", "update", "auth/token/create", body))["auth"]
    token = auth["client_token"]
    path = "sys/storage/raft/remove-peer"

    assert cluster.request("n1", "update", path, {"server_id": "x"}, token=token).status == 400
    assert cluster.request("n2", "update", path, {"server_id": "n3"}, token=token).status == 204
    assert cluster.request("n1", "update", path, {"server_id": "n2"}, token=token).status == 403
    assert cluster.machines["n1"].running.raft.configuration.incoming == ("n1", "n2")


# -- leaders that come and go -----------------------------------------------------------------


@pytest.mark.parametrize("operation", ["read", "update"])
def test_without_a_leader_there_is_a_refusal_within_two_timeouts(operation: str) -> None:
    """With the advice to come back: nothing was done."""
    cluster = Cluster().open()
    for name in ("n1", "n2"):
        cluster.crash(name)
    cluster.run(2 * TIMEOUT_S)
    began_ns = cluster.time_ns
    handle = cluster.ask("n3", operation, "kv/a", {"b": "2"})  # type: ignore[arg-type]  # pytest hands over any text

    assert cluster.answer(handle) == answers.NO_LEADER
    assert cluster.answer(handle).headers == {"Retry-After": "1"}
    assert cluster.time_ns - began_ns <= 2e9 * TIMEOUT_S


def test_a_client_that_waits_less_long_is_answered_sooner(cluster: Cluster) -> None:
    """A read, a forwarded write and a request without a leader end with its patience."""
    cluster.isolate("n3")
    read = cluster.ask("n3", "read", "kv/a", patience_s=0.1)
    write = cluster.ask("n3", "update", "kv/a", {"b": "2"}, patience_s=0.1)
    cluster.run(0.1)
    cluster.run(0.001)
    assert cluster.answered(read)
    assert cluster.answered(write)
    assert cluster.answer(read) == answers.NO_LEADER
    assert cluster.answer(write) == answers.UNKNOWN_OUTCOME

    cluster.run(2 * TIMEOUT_S)
    early = cluster.ask("n3", "update", "kv/a", {"b": "2"}, patience_s=0.1)
    late = cluster.ask("n3", "update", "kv/a", {"b": "2"})
    cluster.run(0.11)
    assert cluster.answered(early)
    assert not cluster.answered(late)


def test_a_leader_that_loses_its_office_does_not_know_what_became_of_writes(
    cluster: Cluster,
) -> None:
    """What only looked at a pending write is asked again, and knows."""
    cluster.isolate("n1")
    body = {"type": "kv"}
    write = cluster.ask("n1", "update", "sys/mounts/new", body)
    looked = cluster.ask("n1", "update", "sys/mounts/new", body)
    assert cluster.answer(write) == answers.UNKNOWN_OUTCOME
    assert not cluster.answered(looked)

    cluster.cut.clear()
    assert cluster.answer(looked).status == 204
    assert cluster.request("n1", "update", "sys/mounts/new", body).status == 400


def test_reads_without_a_lease_wait_for_a_quorum(cluster: Cluster) -> None:
    """A leader that is cut off answers none; they run when it is back."""
    cluster.isolate("n1")
    cluster.run(0.6)
    assert cluster.machines["n1"].running.leads
    read = cluster.ask("n1", "read", "kv/a")
    cluster.run(0.05)
    assert not cluster.answered(read)

    cluster.cut.clear()
    assert value(cluster.answer(read)) == "1"


def test_reads_that_wait_when_office_is_lost_go_elsewhere(cluster: Cluster) -> None:
    """The former leader asks the new one."""
    cluster.isolate("n1")
    cluster.run(0.6)
    read = cluster.ask("n1", "read", "kv/a")
    leader = cluster.successor()
    assert cluster.request(leader, "update", "kv/a", {"b": "2"}).status == 204
    assert not cluster.answered(read)
    cluster.cut.clear()

    assert value(cluster.answer(read)) == "2"


def test_a_lost_question_is_asked_again(cluster: Cluster) -> None:
    """A follower's read survives the loss of its message and of the answer."""
    cluster.cut = {("n3", "n1")}
    read = cluster.ask("n3", "read", "kv/a")
    cluster.run(0.2)
    assert not cluster.answered(read)
    cluster.cut.clear()

    assert value(cluster.answer(read, 0.6)) == "1"


def test_writes_go_on_after_a_leader_was_killed(cluster: Cluster) -> None:
    """What was under way there is unknown, as soon as another leads; all else goes on."""
    cluster.crash("n1")
    lost = cluster.ask("n3", "update", "kv/a", {"b": "2"})
    assert cluster.answer(lost) == answers.UNKNOWN_OUTCOME
    leader = cluster.successor()
    for name in ("n2", "n3"):
        assert cluster.request(name, "update", "kv/a", {"b": leader}).status == 204


def test_stepping_down_disturbs_nobody(cluster: Cluster) -> None:
    """Requests that arrive meanwhile wait, wherever they arrive, and are then executed."""
    down = cluster.ask("n1", "update", "sys/step-down")
    writes = [cluster.ask(name, "update", f"kv/{name}", {"b": name}) for name in cluster.machines]
    reads = [cluster.ask(name, "read", "kv/a") for name in cluster.machines]

    assert cluster.answer(down).status == 204
    assert [cluster.answer(write).status for write in writes] == [204] * 3
    assert [value(cluster.answer(read)) for read in reads] == ["1"] * 3
    assert cluster.leader in ("n2", "n3")


def test_a_leader_that_resigns_hands_back_what_was_passed_on(cluster: Cluster) -> None:
    """At once: it may be about to end, and those who passed it on wait as well as it could."""
    cluster.ask("n1", "update", "sys/step-down")
    writes = [cluster.ask(name, "update", f"kv/{name}", {"b": name}) for name in ("n2", "n3")]
    cluster.run(5, lambda: not cluster.machines["n1"].running.leads)
    cluster.crash("n1")

    assert [cluster.answer(write).status for write in writes] == [204, 204]


def test_nobody_takes_over_before_all_that_was_written_is_committed(cluster: Cluster) -> None:
    """Else those who wait for it would be told that its outcome is unknown."""
    cluster.machines["n1"].held = (events.LogWritten,)
    cluster.cut.add(("n1", "n3"))
    write = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.1)
    cluster.ask("n1", "update", "sys/step-down")
    cluster.run(0.1)
    assert cluster.leader == "n1"
    assert not cluster.answered(write)

    cluster.release("n1")
    assert cluster.answer(write).status == 204
    assert cluster.successor() == "n2"


def test_whom_a_member_takes_for_the_leader_may_be_none(cluster: Cluster) -> None:
    """It says so, and the request is passed on to the one that is."""
    cluster.isolate("n1")
    leader = cluster.successor()
    follower = "n3" if leader == "n2" else "n2"
    cluster.run(1)
    request = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.001)
    cluster.cut.clear()
    assert cluster.answer(request).status == 204

    began = len(cluster.sent)
    call = Forward(7, 1, 10**9, CLIENT_REQUEST)
    cluster.deliver("n1", events.Received(follower, call))
    cluster.run(0.001)
    replies = [each for each in cluster.sent[began:] if isinstance(each[2], Forwarded)]
    assert replies == [("n1", follower, Forwarded(7, 1, None))]


def test_a_node_that_stops_hands_over(cluster: Cluster) -> None:
    """New requests are refused there, and served by the others."""
    cluster.deliver("n1", events.StopAsked())
    refused = cluster.request("n1", "read", "kv/a")
    assert refused == answers.STOPPING
    cluster.run(1, lambda: cluster.leader not in ("n1", ""))
    assert value(cluster.request(cluster.leader, "read", "kv/a")) == "1"
    cluster.deliver("n1", events.StopAsked())
    assert cluster.request("n1", "read", "sys/health").status == 429


def test_who_leads_no_more_is_not_asked_again_and_again(cluster: Cluster) -> None:
    """A request that was declined waits for another leader; so does a read."""
    assert cluster.request("n1", "update", "sys/seal").status == 204
    began = len(cluster.sent)
    write = cluster.ask("n2", "update", "kv/a", {"b": "2"})
    read = cluster.ask("n3", "read", "kv/a")
    assert cluster.answer(write).status == 204
    assert value(cluster.answer(read)) in ("1", "2")
    forwards = [receiver for _, receiver, each in cluster.sent[began:] if isinstance(each, Forward)]
    assert forwards in (["n1"], ["n1", cluster.leader])


# -- forwarding -------------------------------------------------------------------------------


def test_a_message_that_arrives_twice_is_executed_once(cluster: Cluster) -> None:
    """And answered once, which the cluster of the tests watches over."""
    assert cluster.request("n1", "update", "sys/mounts/two", {"type": "kv-v2"}).status == 204
    cluster.run(0.5)
    cluster.copies = 3
    written = cluster.request("n2", "update", "two/data/a", {"data": {"b": "1"}})
    cluster.run(0.1)

    assert decoded(written)["data"]["version"] == 1
    shown = decoded(cluster.request("n3", "read", "two/metadata/a"))["data"]
    assert shown["current_version"] == 1


def test_who_must_not_be_forwarded_is_told_where_to_go(cluster: Cluster) -> None:
    """Writes only; the address is that of the leader, and nothing in it breaks the header."""
    ways = {"headers": NOT_FORWARDED, "parameters": {"a b": "c&d\r\ne"}}
    response = cluster.request("n2", "update", "kv/ä b?#\r\n", {"b": "1"}, **ways)

    assert (response.status, response.headers) == (
        307,
        {"Location": "http://n1:8200/v1/kv/%C3%A4%20b%3F%23%0D%0A?a%20b=c%26d%0D%0Ae"},
    )
    assert value(cluster.request("n2", "read", "kv/a", headers=NOT_FORWARDED)) == "1"
    assert cluster.request("n1", "update", "kv/a", {"b": "2"}, headers=NOT_FORWARDED).status == 204


# -- too much ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "limits"),
    [("n1", RequestSettings(waiting_max=1)), ("n3", RequestSettings(forwarded_max=1))],
    ids=["too many wait", "too many are forwarded"],
)
def test_a_crowded_node_refuses_at_once(name: str, limits: RequestSettings) -> None:
    """Nothing was done; the client may come back."""
    cluster = Cluster(settings=Settings(requests=limits)).open()
    cluster.isolate(name)
    first = cluster.ask(name, "update", "kv/a", {"b": "2"})
    second = cluster.ask(name, "update", "kv/a", {"b": "3"})
    cluster.run(0.001)

    assert not cluster.answered(first)
    assert cluster.answer(second) == answers.OVERLOADED


def test_a_crowded_leader_refuses_what_is_forwarded() -> None:
    """To send it once more at once would crowd it even more."""
    settings = Settings(requests=RequestSettings(waiting_max=1))
    cluster = Cluster(settings=settings).open()
    for machine in cluster.machines.values():
        machine.held = (events.LogWritten,)
    first = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.001)
    began = len(cluster.sent)
    second = cluster.ask("n3", "update", "kv/a", {"b": "3"})

    assert cluster.answer(second, 0.1) == answers.OVERLOADED
    assert not cluster.answered(first)
    assert sum(isinstance(each[2], Forward) for each in cluster.sent[began:]) == 1


def test_what_is_too_large_to_be_passed_on_stays_where_it_is() -> None:
    """A message that is longer than the transport takes would cut this member off."""
    cluster = Cluster().open()
    large = {"b": "x" * FORWARDED_BYTES_MAX}
    began = len(cluster.sent)
    assert cluster.request("n2", "update", "kv/a", large, token="unknown").status == 413
    assert not any(isinstance(each[2], Forward) for each in cluster.sent[began:])

    assert cluster.request("n1", "update", "kv/a", large, token="unknown").status == 400


@pytest.mark.parametrize(("room_bytes", "status"), [(0, 200), (-1, 500)])
def test_an_answer_that_is_too_large_to_be_passed_on_stays_at_the_leader(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, room_bytes: int, status: int
) -> None:
    """The read was forwarded since it uses up a token; what it answers must fit into a message."""
    body = {"policies": ["root"], "num_uses": 3}
    auth = decoded(cluster.request("n1", "update", "auth/token/create", body))["auth"]
    assert cluster.request("n1", "update", "kv/a", {"b": "x" * 1_000}).status == 204
    size = len(cluster.request("n1", "read", "kv/a", token=auth["client_token"]).body)
    monkeypatch.setattr(forwarding, "FORWARDED_BYTES_MAX", size + room_bytes)

    forwarded = cluster.request("n2", "read", "kv/a", token=auth["client_token"])
    assert forwarded.status == status
    assert (forwarded == answers.ANSWER_TOO_LARGE) == (room_bytes < 0)
    assert cluster.request("n1", "read", "kv/a", token=auth["client_token"]).status == 200


def test_too_much_that_is_not_committed_is_refused() -> None:
    """Before it is proposed, however small or large it is."""
    settings = Settings(raft=RaftSettings(uncommitted_bytes_max=4_000))
    cluster = Cluster(settings=settings).open()
    cluster.isolate("n1")
    large = cluster.ask("n1", "update", "kv/a", {"b": "x" * 5_000})
    first = cluster.ask("n1", "update", "kv/a", {"b": "x" * 3_000})
    second = cluster.ask("n1", "update", "kv/a", {"b": "x" * 3_000})
    cluster.run(0.001)

    assert cluster.answer(large) == answers.NO_ROOM
    assert cluster.answer(second) == answers.NO_ROOM
    assert not cluster.answered(first)


def test_a_log_without_room_refuses_every_write() -> None:
    """Small ones too; reads go on, and so does what writes nothing."""
    node = SingleNode(Settings(store=StoreSettings(segment_bytes=64 << 10))).open()
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
    assert node.ask("update", "kv/a", {"b": "1"}).status == 204
    node.full = True
    for size in (10_000, 1_000, 1):
        last = [node.ask("update", "kv/b", {"b": "x" * size}) for _ in range(20)][-1]
        assert last == answers.NO_ROOM
    assert node.ask("update", "nowhere/a").status == 404
    assert value(node.ask("read", "kv/a")) == "1"
    assert node.ask("update", "sys/seal").status == 204
