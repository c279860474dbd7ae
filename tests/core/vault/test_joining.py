"""The cluster's side of joining: what a joiner may say, and what it is told."""

import base64
from typing import Any

import msgspec
import pytest

from core.barrier import seal
from core.barrier.envelope import WrongKey
from core.moment import NANOSECONDS_PER_SECOND
from core.raft import configuration
from core.request import Response
from core.store.transaction import Transaction
from core.vault import authority, joining
from tests.core.barrier.helpers import SeededEntropy
from tests.core.node.single import SingleNode, decoded, errors

KEY = authority.create_key(SeededEntropy(7))
JOINER = joining.JoinRequest(
    node="n2",
    name="two",
    cluster_address="10.0.0.2:8201",
    api_address="http://10.0.0.2:8200",
    public_key=authority.public_key(KEY),
    stays_learner=False,
)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


QUESTION: dict[str, Any] = {
    "node_id": JOINER.node,
    "node_name": JOINER.name,
    "cluster_address": JOINER.cluster_address,
    "api_address": JOINER.api_address,
    "public_key": text(JOINER.public_key),
}


@pytest.fixture
def node() -> SingleNode:
    """A cluster of one."""
    return SingleNode().open()


def ask(node: SingleNode, path: str, body: dict[str, Any]) -> Response:
    """Ask as a joiner does: without a token."""
    return node.ask("update", path, body, token="")


def challenged(node: SingleNode, **changes: object) -> dict[str, Any]:
    """Return a challenge for a question with some fields changed."""
    response = ask(node, joining.CHALLENGE_PATH, {**QUESTION, **changes})
    assert response.status == 200
    data: dict[str, Any] = decoded(response)["data"]
    return data


def proof(
    node: SingleNode, data: dict[str, Any], question: joining.JoinRequest = JOINER
) -> tuple[dict[str, Any], bytes]:
    """Return the proof that one who holds the unseal key gives, and the challenge."""
    opened = seal.open_challenge(
        bytes.fromhex(node.keys[0]),
        base64.b64decode(data["challenge"]),
        joining.context_of(question),
    )
    return {"ticket": data["ticket"], "answer": text(opened)}, opened


def test_who_proves_possession_of_the_seal_is_welcome(node: SingleNode) -> None:
    """It gets a certificate and the members, sealed to its proof, and learns from then on."""
    data = challenged(node)
    assert data["seal_config"] == {"secret_shares": 1, "secret_threshold": 1}
    body, challenge = proof(node, data)
    response = ask(node, joining.ANSWER_PATH, body)
    sealed = base64.b64decode(decoded(response)["data"]["welcome"])
    welcome = msgspec.msgpack.decode(
        seal.open_answer(
            bytes.fromhex(node.keys[0]), challenge, sealed, joining.context_of(JOINER)
        ),
        type=joining.Welcome,
    )

    (own,) = node.identities
    assert (welcome.cluster, welcome.authority) == (own.cluster, own.authority)
    assert configuration.decode(welcome.configuration).incoming == ("n1",)
    members = node.node.raft.configuration
    assert (members.learners, members.members["n2"].name) == (("n2",), "two")


def test_nothing_that_is_sent_in_between_is_secret(node: SingleNode) -> None:
    """Not even to one who knows the challenge of its own question."""
    data = challenged(node)
    other = msgspec.structs.replace(JOINER, public_key=bytes(32))

    with pytest.raises(WrongKey):
        proof(node, data, other)
    assert node.keys[0] not in str(data)


def test_whoever_does_not_hold_the_seal_is_refused(node: SingleNode) -> None:
    """Guessing is of no use, nor is the answer to another challenge."""
    first, second = challenged(node), challenged(node)
    body, _ = proof(node, first)
    for answer in (body["answer"], text(bytes(32)), ""):
        response = ask(node, joining.ANSWER_PATH, {"ticket": second["ticket"], "answer": answer})
        assert response.status == 400
        assert errors(response)[0].startswith("the joiner does not hold the unseal key: ")
    assert list(node.node.raft.configuration.members) == ["n1"]


def test_joining_is_recorded(node: SingleNode) -> None:
    """Two records for each question, and nothing in the clear that a joiner could use."""
    node.ask("update", "sys/audit/file", {"type": "file", "options": {"file_path": "/audit"}})
    ((file, before),) = node.audit.items()
    body, _ = proof(node, challenged(node))
    assert ask(node, joining.ANSWER_PATH, body).status == 200
    written = node.audit[file][len(before) :]
    records = [msgspec.json.decode(line) for line in written.splitlines()]

    assert [(record["type"], record["request"]["path"]) for record in records] == [
        ("request", joining.CHALLENGE_PATH),
        ("response", joining.CHALLENGE_PATH),
        ("request", joining.ANSWER_PATH),
        ("response", joining.ANSWER_PATH),
    ]
    assert body["answer"].encode() not in written
    assert body["ticket"].encode() not in written


@pytest.mark.parametrize("ticket", ["", text(b"x"), text(b"x" * 100), "?", None, 5])
def test_a_ticket_of_ones_own_is_refused(node: SingleNode, ticket: object) -> None:
    """Only the barrier makes tickets."""
    response = ask(node, joining.ANSWER_PATH, {"ticket": ticket, "answer": ""})

    assert response.status == 400
    assert errors(response)[0] in (
        "the ticket is not one of this cluster",
        "ticket must be base64 text",
    )


def test_a_ticket_lasts_for_an_hour(node: SingleNode) -> None:
    """Its time counts by the cluster's clock."""
    body, _ = proof(node, challenged(node))
    node.wall_ns += joining.TICKET_LIFETIME_NS + NANOSECONDS_PER_SECOND
    response = ask(node, joining.ANSWER_PATH, body)

    assert response.status == joining.TICKET_EXPIRED == 410
    assert errors(response) == ["the ticket has expired; ask for another challenge"]


@pytest.mark.parametrize("field", joining.TEXT_BYTES_MAX)
@pytest.mark.parametrize("value", ["", None, 5, "too long"])
def test_a_joiner_says_who_it_is(node: SingleNode, field: str, value: object) -> None:
    """Within limits, as it is kept for long."""
    bytes_max = joining.TEXT_BYTES_MAX[field]
    given = "ü" * (bytes_max // 2 + 1) if value == "too long" else value
    response = ask(node, joining.CHALLENGE_PATH, {**QUESTION, field: given})

    assert (response.status, errors(response)) == (
        400,
        [f"{field} must be a text of 1 to {bytes_max} bytes"],
    )


@pytest.mark.parametrize("value", [None, 5, "?", "a"])
def test_a_public_key_is_base64(node: SingleNode, value: object) -> None:
    """As all bytes in JSON are here."""
    response = ask(node, joining.CHALLENGE_PATH, {**QUESTION, "public_key": value})

    assert errors(response) == ["public_key must be base64 text"]


def test_a_key_that_cannot_be_certified_is_refused(node: SingleNode) -> None:
    """After the proof; nobody has joined then."""
    question = msgspec.structs.replace(JOINER, public_key=b"short")
    body, _ = proof(node, challenged(node, public_key=text(b"short")), question)
    response = ask(node, joining.ANSWER_PATH, body)

    assert response.status == 400
    assert errors(response)[0].startswith("the public key cannot be used: ")
    assert list(node.node.raft.configuration.members) == ["n1"]


def test_a_cluster_that_has_lost_its_seal_lets_nobody_in(node: SingleNode) -> None:
    """Neither is a challenge given nor a proof looked at."""
    body, _ = proof(node, challenged(node))
    vault = node.node._custody.vault
    assert vault is not None
    transaction = Transaction(node.node.store)
    joining.authority_storage(vault.services, transaction).delete("unseal-key")
    assert node.node._executing.propose(transaction.writes)
    node.pass_time(1)

    for path, asked in ((joining.CHALLENGE_PATH, QUESTION), (joining.ANSWER_PATH, body)):
        response = ask(node, path, asked)
        assert (response.status, errors(response)) == (500, ["the cluster has no seal"])
