"""Joining a cluster, from the question to the vote."""

import base64
from typing import Any

import msgspec
import pytest

from core import effects, events
from core.barrier import seal
from core.barrier.envelope import WrongKey
from core.moment import NANOSECONDS_PER_SECOND
from core.node.admission import QUESTIONS_MAX, Admission
from core.raft.entry import KIND_CONFIGURATION, KIND_WRITES
from core.request import Request, Response
from core.store import write_set
from core.vault import joining
from tests.core.barrier.helpers import SeededEntropy
from tests.core.node.cluster import Cluster
from tests.core.node.single import SingleNode, decoded, errors

JOIN = 1_000
SHARE = b"k" * 32
ADDRESS = {"leader_api_addr": "http://other:8200"}
BODY = msgspec.json.encode(ADDRESS)
REQUEST = Request("update", "sys/storage/raft/join", "", BODY)


def challenge(**changes: object) -> Response:
    """Return a cluster's answer to who wants to join, with some fields changed."""
    data: dict[str, object] = {
        "challenge": base64.b64encode(b"c" * 64).decode(),
        "ticket": "ticket",
        "seal_config": {"secret_shares": 1, "secret_threshold": 1},
    }
    return Response(200, msgspec.json.encode({"data": {**data, **changes}}))


def asking(**fields: object) -> SingleNode:
    """Return a node that has asked to join under the handle `JOIN`."""
    node = SingleNode()
    body = msgspec.json.encode({**ADDRESS, **fields})
    request = msgspec.structs.replace(REQUEST, body=body)
    node.turn(events.Asked(JOIN, request, 10**9))
    return node


def answer(node: SingleNode, response: Response, path: str = joining.CHALLENGE_PATH) -> None:
    node.turn(events.ClusterAnswered(node.last_question, path, response))


# -- between real nodes -----------------------------------------------------------------------


def with_joiner(shares: int = 1, threshold: int = 1) -> Cluster:
    """Return a cluster of one, and a node that has asked to be taken in and is still sealed."""
    cluster = Cluster(2)
    cluster.init(shares, threshold)
    cluster.join("n2")
    return cluster


def test_a_joiner_becomes_a_voter() -> None:
    """It has a certificate by then, and everybody knows its addresses."""
    cluster = Cluster(2)
    cluster.init()
    assert decoded(cluster.join("n2")) == {"joined": True}
    shown = decoded(cluster.request("n2", "read", "sys/seal-status"))
    assert (shown["initialized"], shown["sealed"]) == (False, True)

    cluster.unseal("n2")
    cluster.run(5, lambda: cluster.votes("n2"))
    (identity,) = cluster.machines["n2"].identities
    (own,) = cluster.machines["n1"].identities
    assert identity.authority == own.authority
    assert identity.cluster == own.cluster != ""
    assert identity.certificate != own.certificate
    member = cluster.machines["n1"].running.raft.configuration.members["n2"]
    assert (member.name, member.api_address) == ("n2-label", "http://n2:8200")
    shown = decoded(cluster.request("n2", "read", "sys/seal-status"))
    assert (shown["initialized"], shown["cluster_id"]) == (True, own.cluster)


def test_a_joiner_that_is_not_to_vote_only_learns() -> None:
    """However long it has been caught up."""
    cluster = Cluster(2)
    cluster.init()
    cluster.join("n2", non_voter=True)
    cluster.unseal("n2")
    cluster.run(5)
    configuration = cluster.machines["n2"].running.raft.configuration

    assert (configuration.incoming, configuration.learners) == (("n1",), ("n2",))
    assert cluster.request("n2", "read", "sys/mounts").status == 200


def test_several_shares_are_asked_for_one_by_one() -> None:
    """The joiner learned from the cluster how many there are."""
    cluster = with_joiner(3, 2)
    first = cluster.request("n2", "update", "sys/unseal", {"key": cluster.keys[0]})
    assert decoded(first)["progress"] == 1
    cluster.request("n2", "update", "sys/unseal", {"key": cluster.keys[2]})
    cluster.run(5, lambda: cluster.votes("n2"))

    assert cluster.votes("n2")


def test_the_seal_of_another_cluster_opens_nothing() -> None:
    """The joiner says so at once; with the right one it goes on."""
    cluster = with_joiner()
    wrong = cluster.request("n2", "update", "sys/unseal", {"key": "11" * 32})
    assert wrong.status == 400
    assert errors(wrong)[0].startswith("unseal failed: ")
    assert cluster.machines["n1"].running.raft.configuration.incoming == ("n1",)

    cluster.unseal("n2")
    cluster.run(5, lambda: cluster.votes("n2"))
    assert cluster.votes("n2")


def test_a_late_answer_to_an_earlier_question_is_not_taken_for_one_to_the_latest() -> None:
    """It would not fit; and who asked earlier is told why nothing comes of it."""
    node = asking()
    first = node.last_question
    node.turn(events.Asked(JOIN + 1, REQUEST, 10**9))
    (superseded,) = node.answers_to(JOIN)
    assert superseded.status == 400
    node.turn(events.ClusterAnswered(first, joining.CHALLENGE_PATH, challenge()))
    assert node.answers_to(JOIN + 1) == []
    answer(node, challenge())
    assert [each.status for each in node.answers_to(JOIN + 1)] == [200]


def test_a_joiner_may_ask_again_while_its_proof_is_under_way() -> None:
    """The cluster may have let it in by then; it gets in by the later question."""
    cluster = with_joiner()
    cluster.isolate("n2")  # without credentials no peer hears it
    unseal = cluster.ask("n2", "update", "sys/unseal", {"key": cluster.keys[0]}, token="")
    again = cluster.ask("n2", "update", REQUEST.path, {"leader_api_addr": "http://n1:8200"})
    assert cluster.answer(unseal).status == 200
    assert cluster.answer(again).status == 200
    cluster.run(1)
    machine = cluster.machines["n2"]
    assert machine.identities == []
    assert "could not join the cluster" not in machine.reports

    cluster.unseal("n2")
    cluster.run(1, lambda: machine.identities)
    cluster.cut.clear()
    cluster.run(5, lambda: cluster.votes("n2"))
    assert cluster.votes("n2")


def test_shares_that_are_given_again_send_no_second_proof() -> None:
    """Neither while the first is under way nor once the node has been let in."""
    cluster = with_joiner()
    machine = cluster.machines["n2"]
    cluster.isolate("n2")  # it has nothing to open meanwhile
    for _ in range(2):
        for _ in range(3):
            unsealed = cluster.ask("n2", "update", "sys/unseal", {"key": cluster.keys[0]}, token="")
            assert cluster.answer(unsealed).status == 200
        cluster.run(3)
        assert len(machine.identities) == 1
    configurations = [
        entry
        for entry in cluster.machines["n1"].running.raft.log.between(
            1, cluster.machines["n1"].running.raft.log.last_index
        )
        if entry.kind == KIND_CONFIGURATION and b"n2" in entry.data
    ]
    assert len(configurations) == 1


def test_a_root_key_that_the_shares_do_not_open_leaves_a_joiner_sealed() -> None:
    """Its operators are told; until then it may have been let in by the proof that it gave."""
    cluster = with_joiner()
    joiner = cluster.machines["n2"]
    cluster.isolate("n2")
    cluster.unseal("n2")
    leader = cluster.machines["n1"].running
    writes = {joining.ROOT_KEY_KEY: seal.seal_root_key(SHARE, SHARE, SeededEntropy(1))}
    index = leader.raft.append(KIND_WRITES, write_set.encode(dict(writes)))
    leader.store.propose(index, list(writes.items()))
    cluster.cut.clear()
    cluster.run(2)

    assert joiner.running.raft.commit >= index
    assert joiner.reports.count("the unseal key does not open this cluster") == 1
    assert joiner.running.sealed


def test_whoever_unseals_late_lets_the_node_in_all_the_same() -> None:
    """The ticket has expired by then; the joiner asks for another one by itself."""
    cluster = with_joiner()
    cluster.wall_ns += joining.TICKET_LIFETIME_NS + NANOSECONDS_PER_SECOND
    cluster.run(1)
    cluster.unseal("n2")
    cluster.run(5, lambda: cluster.votes("n2"))

    assert cluster.votes("n2")
    reports = cluster.machines["n2"].reports
    assert "the ticket has expired; asking for another challenge" in reports
    assert "could not join the cluster" not in reports


def test_a_label_is_taken_once() -> None:
    """Operators could not tell two members apart."""
    cluster = Cluster(3)
    cluster.machines["n3"].info = msgspec.structs.replace(
        cluster.machines["n3"].info, name="n2-label"
    )
    cluster.crash("n3")
    cluster.start("n3")
    cluster.init()
    for name in ("n2", "n3"):
        cluster.join(name)
        cluster.unseal(name)
        cluster.run(1)

    assert cluster.machines["n1"].running.raft.configuration.incoming == ("n1", "n2")
    assert cluster.machines["n3"].reports[-1] == "could not join the cluster"


def test_a_member_may_be_asked_that_does_not_lead() -> None:
    """It forwards the questions."""
    cluster = Cluster(3)
    cluster.init()
    cluster.join("n2")
    cluster.unseal("n2")
    cluster.run(5, lambda: cluster.votes("n2"))
    body = {"leader_api_addr": "http://n2:8200"}
    assert cluster.request("n3", "update", "sys/storage/raft/join", body).status == 200
    cluster.unseal("n3")
    cluster.run(5, lambda: cluster.votes("n3"))
    assert cluster.votes("n3")


def test_a_member_cannot_join_and_a_joiner_cannot_begin() -> None:
    """A node belongs to one cluster."""
    cluster = with_joiner()
    again = cluster.join("n1")
    init = cluster.request("n2", "update", "sys/init", {"secret_shares": 1, "secret_threshold": 1})

    assert (again.status, errors(again)) == (400, ["this node belongs to a cluster already"])
    assert (init.status, errors(init)) == (400, ["Vault is already initialized"])


def test_a_cluster_that_is_sealed_takes_nobody_in() -> None:
    """The joiner is told why."""
    cluster = Cluster(2)
    cluster.init()
    cluster.request("n1", "update", "sys/seal")
    refused = cluster.join("n2")

    assert refused.status == 500
    assert errors(refused) == ["failed to join: it answered 503: Vault is sealed"]
    assert cluster.request("n2", "update", "sys/init", {}).status == 400


def test_all_members_restart_before_anything_was_flushed() -> None:
    """What opens them stands in their logs only, and nobody leads before one is open."""
    cluster = Cluster().open()
    assert cluster.request("n2", "update", "kv/a", {"b": "2"}).status == 204
    cluster.run(0.5)
    for name in cluster.machines:
        assert cluster.machines[name].disk.base.meta.index == 0
        cluster.crash(name)
    for name in cluster.machines:
        cluster.start(name)
    cluster.run(5)
    assert cluster.leader == ""
    assert decoded(cluster.request("n1", "read", "sys/init")) == {"initialized": True}
    assert cluster.request("n1", "read", "sys/health").status == 503
    for name in cluster.machines:
        assert decoded(cluster.unseal(name))["sealed"] is False
    cluster.run(5, lambda: cluster.leader)

    for name in cluster.machines:
        assert decoded(cluster.request(name, "read", "kv/a"))["data"] == {"b": "2"}


def test_members_may_join_at_the_same_time() -> None:
    """The cluster takes one in after the other; the second proves itself once more."""
    cluster = Cluster(3)
    cluster.init()
    for name in ("n2", "n3"):
        cluster.join(name)
    for name in ("n2", "n3"):
        cluster.ask(name, "update", "sys/unseal", {"key": cluster.keys[0]})
    cluster.run(5, lambda: cluster.votes("n2") and cluster.votes("n3"))

    assert cluster.votes("n2")
    assert cluster.votes("n3")
    assert "the cluster cannot let this node in yet" in cluster.machines["n3"].reports


def renewed(node: SingleNode, unseal_key: bytes = SHARE) -> Response:
    """Return a cluster's answer to the latest request for a challenge."""
    body: dict[str, Any] = msgspec.json.decode(node.questions[-1].body)
    joiner = joining.JoinRequest(
        body["node_id"],
        body["node_name"],
        body["cluster_address"],
        body["api_address"],
        base64.b64decode(body["public_key"]),
        body["non_voter"],
    )
    _, sealed = seal.seal_challenge(unseal_key, joining.context_of(joiner), SeededEntropy())
    return challenge(challenge=base64.b64encode(sealed).decode(), ticket="another")


def proving() -> SingleNode:
    """Return a node that has sent its proof."""
    node = asking()
    answer(node, renewed(node))
    assert node.ask("update", "sys/unseal", {"key": SHARE.hex()}).status == 200
    node.questions.clear()
    return node


@pytest.mark.parametrize("response", [Response(0, b"connection refused"), Response(503)])
def test_a_proof_that_nobody_could_look_at_is_repeated(response: Response) -> None:
    """After a pause, and only so often."""
    node = proving()
    for count in range(QUESTIONS_MAX - 1):
        answer(node, response, joining.ANSWER_PATH)
        node.pass_time(0.9)
        assert len(node.questions) == count
        node.pass_time(0.2)
        assert len(node.questions) == count + 1
    assert len({question.body for question in node.questions}) == 1
    answer(node, response, joining.ANSWER_PATH)
    node.pass_time(2)
    assert len(node.questions) == QUESTIONS_MAX - 1
    assert node.reports[-1].text == "could not join the cluster"


def test_a_proof_that_was_refused_is_not_repeated() -> None:
    """Nor one that another question has made void, nor one that was answered twice."""
    node = proving()
    answer(node, Response(400), joining.ANSWER_PATH)
    node.pass_time(2)
    assert node.questions == []

    node = proving()
    answer(node, Response(503), joining.ANSWER_PATH)
    node.turn(events.Asked(JOIN + 1, REQUEST, 10**9))
    node.pass_time(2)
    assert [question.path for question in node.questions] == [joining.CHALLENGE_PATH]

    node = proving()
    for late in (Response(503), Response(400)):
        answer(node, late, joining.ANSWER_PATH)
    node.pass_time(2)
    assert node.questions == []


EXPIRED = Response(joining.TICKET_EXPIRED, b'{"errors":["the ticket has expired"]}')


def test_another_challenge_is_asked_for_until_the_cluster_can_make_one() -> None:
    """As a proof is repeated: the operators have given their shares and gone."""
    node = proving()
    answer(node, EXPIRED, joining.ANSWER_PATH)
    assert [question.path for question in node.questions] == [joining.CHALLENGE_PATH]
    answer(node, Response(503))
    node.pass_time(1.1)
    assert [question.path for question in node.questions] == [joining.CHALLENGE_PATH] * 2
    answer(node, renewed(node))

    assert node.questions[-1].path == joining.ANSWER_PATH
    assert msgspec.json.decode(node.questions[-1].body)["ticket"] == "another"


def test_a_cluster_that_never_looks_at_a_proof_is_left_alone() -> None:
    """Each of its tickets has expired when it comes."""
    node = proving()
    answer(node, EXPIRED, joining.ANSWER_PATH)
    while node.reports[-1].text != "could not join the cluster":
        assert len(node.questions) < QUESTIONS_MAX
        answer(node, renewed(node))
        answer(node, EXPIRED, joining.ANSWER_PATH)

    assert len(node.questions) == QUESTIONS_MAX


def test_who_is_not_given_another_challenge_may_prove_the_seal_later() -> None:
    """By the same shares, for which a challenge is asked for first."""
    node = proving()
    answer(node, EXPIRED, joining.ANSWER_PATH)
    answer(node, Response(403, b'{"errors":["not you"]}'))
    assert node.reports[-1].fields == {"reason": "it answered 403: not you"}
    node.questions.clear()
    assert node.ask("update", "sys/unseal", {"key": SHARE.hex()}).status == 200

    assert [question.path for question in node.questions] == [joining.CHALLENGE_PATH]


def test_a_challenge_of_another_cluster_is_not_proved() -> None:
    """Somebody else answers at that address by now."""
    node = proving()
    answer(node, EXPIRED, joining.ANSWER_PATH)
    answer(node, renewed(node, b"x" * 32))

    assert node.reports[-1].text == "could not join the cluster"
    assert len(node.questions) == 1


# -- what a cluster may answer ----------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        Response(0, b"connection refused"),
        Response(503, b'{"errors":["Vault is sealed"]}'),
        Response(200, b""),
        Response(200, b"\xff"),
        Response(200, b"[]"),
        Response(200, b'{"data":null}'),
        Response(200, b"[" * 100_000),
        Response(200, b'{"x":' + b"[" * 100_000),
        challenge(challenge="?"),
        challenge(challenge=5),
        challenge(seal_config={}),
        challenge(seal_config=[]),
        challenge(seal_config={"secret_shares": 0, "secret_threshold": 0}),
        challenge(seal_config={"secret_shares": "5", "secret_threshold": 3}),
        challenge(seal_config={"secret_shares": 5, "secret_threshold": 300}),
        challenge(ticket=None),
    ],
)
def test_whatever_the_cluster_answers_the_operator_is_told(response: Response) -> None:
    """And may try again, or begin a cluster here."""
    node = asking()
    answer(node, response)
    answered = node.answers_to(JOIN)

    assert [each.status for each in answered] == [500]
    assert errors(answered[0])[0].startswith("failed to join: ")
    assert node.reports[-1].text == "could not join the cluster"
    assert node.ask("update", "sys/init", {"secret_shares": 1, "secret_threshold": 1}).status == 200


@pytest.mark.parametrize("field", ["leader_api_addr", "leader_ca_cert", "leader_tls_servername"])
def test_a_bad_question_is_refused(field: str) -> None:
    """Before anybody is asked."""
    node = SingleNode()
    response = node.ask("update", "sys/storage/raft/join", {**ADDRESS, field: 5})

    assert (response.status, errors(response)) == (400, [f"{field} must be text"])
    missing = node.ask("update", "sys/storage/raft/join", {})
    assert errors(missing) == ["leader_api_addr is required"]
    assert node.questions == []


def test_the_question_says_how_to_reach_the_cluster() -> None:
    """And who asks."""
    node = asking(
        leader_ca_cert="ca",
        leader_client_cert="cert",
        leader_client_key="key",
        leader_tls_servername="name",
        non_voter=True,
    )
    (question,) = node.questions

    assert msgspec.structs.astuple(question.address) == (
        "http://other:8200",
        "ca",
        "cert",
        "key",
        "name",
    )
    body: dict[str, Any] = msgspec.json.decode(question.body)
    assert len(base64.b64decode(body.pop("public_key"))) == 32
    assert (question.path, body) == (
        joining.CHALLENGE_PATH,
        {
            "node_id": "n1",
            "node_name": "one",
            "cluster_address": "127.0.0.1:8201",
            "api_address": "http://127.0.0.1:8200",
            "non_voter": True,
        },
    )


def test_answers_that_nobody_waits_for_change_nothing() -> None:
    """A node that asked no cluster, and a welcome without a proof."""
    stranger = SingleNode()
    answer(stranger, challenge())
    assert stranger.reports == []

    node = asking()
    answer(node, challenge(welcome=""), joining.ANSWER_PATH)
    assert (node.answers_to(JOIN), node.identities) == ([], [])
    answer(node, challenge())
    answer(node, challenge())
    assert [each.status for each in node.answers_to(JOIN)] == [200]


def test_a_share_before_the_challenge_is_refused() -> None:
    """Nobody knows yet how many there are."""
    node = asking()

    assert errors(node.ask("update", "sys/unseal", {"key": "11" * 32})) == [
        "server is not yet initialized"
    ]


def test_who_has_asked_nobody_has_nothing_to_prove() -> None:
    info = SingleNode().node.info
    asked: list[effects.Effect] = []

    with pytest.raises(WrongKey, match="has not asked to join"):
        Admission(info, SeededEntropy(1)).prove(SHARE, asked)
    assert [] == asked


def test_shares_for_one_cluster_are_forgotten_for_the_next() -> None:
    """Its seal may have other numbers."""
    node = asking()
    answer(node, challenge(seal_config={"secret_shares": 5, "secret_threshold": 3}))
    first = decoded(node.ask("update", "sys/unseal", {"key": "11" * 33}))
    assert (first["progress"], first["t"], first["n"]) == (1, 3, 5)
    node.turn(events.Asked(1_001, REQUEST, 10**9))
    answer(node, challenge())
    refused = errors(node.ask("update", "sys/unseal", {"key": "11" * 32}))

    assert refused[0].startswith("unseal failed: ")
    assert "shorter" not in refused[0]
