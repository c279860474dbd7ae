"""What each node of a running cluster answers by itself, what it passes on, and what it refuses."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.server.cluster import NAMES, Cluster, founded, knows_leader
from tests.server.processes import ServerProcess, wait

pytestmark = pytest.mark.slow

REFUSAL_S_MAX = 3.0
"""Two of the longest election timeouts, and what a busy machine adds."""
CLIENT = "127.0.0.5"
STALE = {"X-Holdfast-Read": "stale"}
NOT_FORWARDED = {"X-Vault-No-Request-Forwarding": "true"}
SECRET = "secret/data/shared"


class Answer(NamedTuple):
    """What a node said, and from which port it was asked."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]
    client_port: int


def ask(
    server: ServerProcess,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
    token: str | None = None,
) -> Answer:
    """Ask as `CLIENT`, without following a redirect."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=20, source_address=(CLIENT, 0)
    )
    sent = {"X-Vault-Token": token or server.client.token, **(headers or {})}
    with closing(connection):
        connection.request(method, f"/v1/{path}", json.dumps(body) if body else None, sent)
        port = connection.sock.getsockname()[1]
        with connection.getresponse() as response:
            content = response.read()
            parsed = json.loads(content) if content else {}
            return Answer(response.status, dict(response.headers), parsed, port)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with founded(tmp_path_factory.mktemp("cluster")) as cluster:
        kv = cluster.servers["one"].client.secrets.kv.v2
        kv.create_or_update_secret("shared", {"number": 1})
        yield cluster


@pytest.fixture
def leader(cluster: Cluster) -> ServerProcess:
    return cluster.servers[cluster.leader()]


@pytest.fixture
def follower(cluster: Cluster) -> ServerProcess:
    leader = cluster.leader()
    return next(cluster.servers[name] for name in NAMES if name != leader)


@contextmanager
def alone(cluster: Cluster, lone: ServerProcess) -> Iterator[None]:
    """Hold the others up, so that only one node goes on."""
    others = [server for server in cluster.servers.values() if server is not lone]
    for server in others:
        server.pause()
    try:
        yield
    finally:
        for server in others:
            server.resume()


def test_a_node_alone_answers_stale_reads_and_refuses_all_else_in_time(
    cluster: Cluster, follower: ServerProcess
) -> None:
    """As a cut cable would leave it: it may be behind, so only who accepts that is served."""
    written = {"data": {"number": 2}}
    # So that it has heard of all there is to be read.
    assert ask(follower, "GET", SECRET).status == 200
    with alone(cluster, follower):
        stale = ask(follower, "GET", SECRET, headers=STALE)
        assert stale.status == 200
        assert stale.body["data"]["data"] == {"number": 1}

        began = time.monotonic()
        current = ask(follower, "GET", SECRET)
        assert current.status == 503
        assert current.headers["Retry-After"] == "1"
        assert current.body["errors"] == [
            "local node not active but active cluster node not found; nothing was done"
        ]
        assert time.monotonic() - began < REFUSAL_S_MAX

        # Nobody is known to lead by now, so the write surely goes nowhere.
        began = time.monotonic()
        write = ask(follower, "POST", SECRET, written)
        assert (write.status, write.body) == (503, current.body)
        assert time.monotonic() - began < REFUSAL_S_MAX

        assert ask(follower, "GET", SECRET, headers=STALE).status == 200

    wait(lambda: ask(follower, "GET", SECRET).status == 200)
    assert ask(follower, "GET", SECRET).body["data"]["data"] == {"number": 1}
    wait(lambda: all(knows_leader(server) for server in cluster.servers.values()))


def test_the_outcome_of_a_write_on_its_way_to_a_lost_leader_is_unknown(
    cluster: Cluster, follower: ServerProcess
) -> None:
    """It has been passed on, and the leader may yet do it, so nobody does it anew."""
    with alone(cluster, follower):
        began = time.monotonic()
        write = ask(follower, "POST", "secret/data/late", {"data": {"number": 3}})
        assert write.status == 500
        assert write.body["errors"] == [
            "the node that executed this lost its leadership; the outcome is unknown"
        ]
        assert time.monotonic() - began < REFUSAL_S_MAX

    wait(lambda: ask(follower, "GET", SECRET).status == 200)
    wait(lambda: all(knows_leader(server) for server in cluster.servers.values()))


def test_only_what_would_be_passed_on_is_redirected(
    leader: ServerProcess, follower: ServerProcess
) -> None:
    read = ask(follower, "GET", SECRET, headers=NOT_FORWARDED)
    assert (read.status, read.body["data"]["data"]) == (200, {"number": 1})
    assert ask(follower, "LIST", "secret/metadata/", headers=NOT_FORWARDED).status == 200
    assert ask(follower, "GET", "sys/mounts", headers=NOT_FORWARDED).status == 200

    write = ask(follower, "POST", SECRET, {"data": {"number": 9}}, NOT_FORWARDED)
    assert write.status == 307
    assert write.headers["Location"] == f"{leader.url}/v1/{SECRET}"
    removal = ask(follower, "DELETE", f"{SECRET}?a=b%20c", headers=NOT_FORWARDED)
    assert removal.status == 307
    assert removal.headers["Location"] == f"{leader.url}/v1/{SECRET}?a=b%20c"
    assert ask(follower, "GET", SECRET).body["data"]["data"] == {"number": 1}

    written = {"data": {"number": 1}}
    assert ask(leader, "POST", SECRET, written, NOT_FORWARDED).status == 200


def test_a_read_that_counts_is_passed_on(leader: ServerProcess, follower: ServerProcess) -> None:
    """To use up a token is a write: at a follower, too, it is used as often as it may be."""
    made = leader.client.auth.token.create(policies=["root"], num_uses=2)
    token = made["auth"]["client_token"]

    assert ask(follower, "GET", SECRET, headers=NOT_FORWARDED, token=token).status == 307
    statuses = [ask(follower, "GET", SECRET, token=token).status for _ in range(3)]
    assert statuses == [200, 200, 403]


def test_health_tells_an_active_node_from_a_standby(
    leader: ServerProcess, follower: ServerProcess
) -> None:
    active, standby = ask(leader, "GET", "sys/health"), ask(follower, "GET", "sys/health")

    assert (active.status, standby.status) == (200, 429)
    assert (active.body["standby"], standby.body["standby"]) == (False, True)
    for answer in (active, standby):
        assert answer.body["initialized"]
        assert not answer.body["sealed"]
        assert answer.body["performance_standby"] is False
    assert ask(follower, "HEAD", "sys/health").status == 429


@pytest.mark.parametrize(
    ("parameters", "active", "standby"),
    [
        ("standbyok=true", 200, 200),
        ("standbyok=false", 200, 429),
        ("perfstandbyok=true", 200, 429),
        ("standbycode=299", 200, 299),
        ("activecode=204", 204, 429),
        ("activecode=298&standbyok=true", 298, 298),
        ("sealedcode=200&uninitcode=200", 200, 429),
        ("standbycode=soon", 400, 400),
    ],
)
def test_whoever_asks_for_health_may_choose_the_codes(
    leader: ServerProcess, follower: ServerProcess, parameters: str, active: int, standby: int
) -> None:
    path = f"sys/health?{parameters}"

    assert (active, standby) == (ask(leader, "GET", path).status, ask(follower, "GET", path).status)


def test_the_record_of_a_write_that_was_passed_on_names_its_client(
    leader: ServerProcess, follower: ServerProcess, tmp_path: Path
) -> None:
    """The leader writes it, with the client's own address and who passed it on."""
    file = tmp_path / "audit.log"
    leader.client.sys.enable_audit_device("file", options={"file_path": str(file)}, path="f")
    try:
        passed_on = ask(follower, "POST", "secret/data/audited", {"data": {"a": "b"}})
        direct = ask(leader, "POST", "secret/data/audited", {"data": {"a": "c"}})
        read = ask(follower, "GET", "secret/data/audited")
    finally:
        leader.client.sys.disable_audit_device("f")

    assert [passed_on.status, direct.status, read.status] == [200, 200, 200]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    records = [line for line in lines if line["request"]["path"] == "secret/data/audited"]
    told = [
        (
            line["type"],
            line["request"]["remote_address"],
            line["request"]["remote_port"],
            bool(line.get("forwarded_from")),
        )
        for line in records
    ]
    assert told == [
        (kind, CLIENT, answer.client_port, forwarded)
        for answer, forwarded in ((passed_on, True), (direct, False), (read, False))
        for kind in ("request", "response")
    ]
