"""What members send each other before TLS, and what they keep on disk, tells no secret.

Three real nodes in one process, each with its files and its peer transport on loopback. Markers
are planted wherever clients write; then every message, as it is before TLS, and every file is
searched for them. Left out, and why:

- `Forward` and `Forwarded` carry a client's request and its answer to and from the leader, as the
  client's own connection does. They are not replicated, never stored, and only ever travel under
  mutual TLS. They must show the markers here, which proves that the search sees what is sent.
- Audit files tell who asked for what, as Vault's do: in the clear are paths, the names of fields,
  and the names of policies, display name and metadata of a token. Values, texts of policies,
  tokens and accessors are not.
- The names and addresses of members stand in the clear in the membership, in the log and in
  `peers.json`: a sealed node has to find its peers.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import trio

from core import effects, events
from core.moment import NANOSECONDS_PER_SECOND
from core.node.info import NodeInfo
from core.node.member import Node
from core.node.messages import Forward, Forwarded, Message, encode_message
from core.raft.messages import AppendRequest, SnapshotRequest
from core.request import Operation, Request
from core.settings import Settings, StoreSettings
from core.wal.writer import SEGMENT_BYTES_MIN
from net import system
from net.data_directory import DataDirectory
from net.driver import Driver
from net.files import FileStorage
from net.http.application import answer
from net.peers import Peers

pytestmark = pytest.mark.slow

PATIENCE_S: Final = 20.0
SETTINGS: Final = Settings(
    store=StoreSettings(
        segment_bytes=SEGMENT_BYTES_MIN,
        memtable_bytes_max=SEGMENT_BYTES_MIN // 4,
        trailing_bytes_max=SEGMENT_BYTES_MIN // 4,
    ),
)
"""So little room that bases are flushed, the log is cut, and a late joiner needs a snapshot."""

MOUNT: Final = "marked-mount"
KEY: Final = "marked-key"
FIELD: Final = "marked-field"
VALUE: Final = "marked-value"
POLICY: Final = "marked-policy"
TEXT: Final = "marked-rule"
TOKEN: Final = "marked-token"
NAME: Final = "marked-name"
META_KEY: Final = "marked-meta-key"
META_VALUE: Final = "marked-meta-value"
CUSTOM: Final = "marked-custom"
PLANTED: Final = (
    *(MOUNT, KEY, FIELD, VALUE, POLICY, TEXT),
    *(TOKEN, NAME, META_KEY, META_VALUE, CUSTOM),
)
AUDITED: Final = {MOUNT, KEY, FIELD, POLICY, NAME, META_KEY, META_VALUE, CUSTOM}
FILLINGS: Final = 60
FILLING_BYTES: Final = 1_000
"""Together more than a base, a log and what trails it have room for."""


class Tap:
    """The transport of one member, and all that it sent, as it was before TLS.

    Attributes:
        sent: messages to members.
        asked: what it asked the cluster that it joins.
    """

    def __init__(self, peers: Peers) -> None:
        self.sent: list[Message] = []
        self.asked: list[effects.AskCluster] = []
        self.send_asked, self.questions = trio.open_memory_channel[effects.AskCluster](8)
        self.admit = peers.admit
        self.identify = peers.identify
        self._send = peers.send

    def send(self, effect: effects.Send) -> None:
        self.sent.append(effect.message)
        self._send(effect)

    def ask(self, effect: effects.AskCluster) -> None:
        self.asked.append(effect)
        self.send_asked.send_nowait(effect)


class Member:
    """One node with its files and its peer transport.

    Attributes:
        tap: what it sent.
        driver: runs it.
        token: what its requests carry.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = DataDirectory(directory)
        self._files = FileStorage(self._directory)
        self._peers = Peers("127.0.0.1:0", directory)
        self._node = self._directory.identity.node
        address = f"127.0.0.1:{self._peers.port}"
        info = NodeInfo(self._node, name, address, f"http://{name}.example")
        recovered = self._files.recover(SETTINGS.store.segment_bytes)
        entropy = system.SystemEntropy()
        node = Node(info, SETTINGS, entropy, self._files.base, recovered, system.now())
        self.tap = Tap(self._peers)
        patience_ns = int(PATIENCE_S * NANOSECONDS_PER_SECOND)
        self.driver = Driver(node, self._files, self.tap, patience_ns)
        self.token = ""

    async def run(self) -> None:
        self._files.start(self.driver.fail)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._peers.run, self._node, self.driver.post)
            nursery.start_soon(self.driver.run)

    def close(self) -> None:
        self.driver.audit_files.reopen()
        self.driver.close()
        self._directory.close()

    async def told(
        self, operation: Operation, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask and wait for an answer that is no error; return its body."""
        raw = msgspec.json.encode(body) if body is not None else b""
        with trio.fail_after(PATIENCE_S):
            response = await answer(self.driver, Request(operation, path, self.token, raw))
        assert response.status in {200, 204}, response.body
        decoded: dict[str, Any] = msgspec.json.decode(response.body) if response.body else {}
        return decoded

    async def is_open(self) -> None:
        with trio.fail_after(PATIENCE_S):
            while self.driver.node.sealed or not self.driver.node.raft.leader:  # noqa: ASYNC110 -- nothing tells it
                await trio.sleep(0.01)  # as above

    async def join(self, leader: "Member", key: str, nursery: trio.Nursery) -> None:
        """Become a member of the cluster of `leader`, which has no port for clients here."""
        nursery.start_soon(self._carry, leader)
        body = {"leader_api_addr": "http://leader.example"}
        assert await self.told("update", "sys/storage/raft/join", body) == {"joined": True}
        await self.told("update", "sys/unseal", {"key": key})
        await self.is_open()
        self.token = leader.token

    async def _carry(self, leader: "Member") -> None:
        async for question in self.tap.questions:
            request = Request("update", question.path, body=question.body)
            response = await answer(leader.driver, request)
            self.driver.post(events.ClusterAnswered(question.question, question.path, response))


async def plant(leader: Member, follower: Member) -> tuple[str, ...]:
    """Write the markers, half of them by way of a follower; return those the cluster made up."""
    await leader.told("update", f"sys/mounts/{MOUNT}", {"type": "kv", "options": {"version": "2"}})
    rule = f'path "{MOUNT}/data/{TEXT}/*" {{ capabilities = ["read"] }}'
    await follower.told("update", f"sys/policies/acl/{POLICY}", {"policy": rule})
    path = f"{MOUNT}/data/{KEY}/{KEY}"
    await follower.told("update", path, {"data": {FIELD: VALUE}})
    metadata = {"custom_metadata": {CUSTOM: CUSTOM}}
    await leader.told("update", f"{MOUNT}/metadata/{KEY}/{KEY}", metadata)
    token = {
        "id": TOKEN,
        "policies": [POLICY],
        "display_name": NAME,
        "meta": {META_KEY: META_VALUE},
    }
    made = (await follower.told("update", "auth/token/create", token))["auth"]
    drawn = (await leader.told("update", "auth/token/create", {}))["auth"]
    for number in range(FILLINGS):
        filling = {"data": {FIELD: f"{VALUE}-{number}" * (FILLING_BYTES // len(VALUE))}}
        await leader.told("update", f"{MOUNT}/data/{KEY}/{number}", filling)
    assert (await follower.told("read", path))["data"]["data"] == {FIELD: VALUE}
    accessors = (made["accessor"], drawn["accessor"])
    return (*PLANTED, drawn["client_token"], *accessors, leader.token)


def found(texts: tuple[str, ...], content: bytes) -> list[str]:
    return [text for text in texts if text.encode() in content]


async def test_markers_are_in_no_file_and_in_no_replicated_message(tmp_path: Path) -> None:
    audit = tmp_path / "audit.log"
    one, two, three = members = [Member(tmp_path / name, name) for name in ("a", "b", "c")]
    async with trio.open_nursery() as nursery:
        for member in members:
            nursery.start_soon(member.run)
        made = await one.told("update", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        key, one.token = made["keys"][0], made["root_token"]
        await one.told("update", "sys/unseal", {"key": key})
        await one.is_open()
        device = {"type": "file", "options": {"file_path": str(audit)}}
        await one.told("update", "sys/audit/file", device)
        await two.join(one, key, nursery)
        texts = (*await plant(one, two), key)
        await three.join(one, key, nursery)
        read = await three.told("read", f"{MOUNT}/data/{KEY}/{KEY}")
        assert read["data"]["data"] == {FIELD: VALUE}
        nursery.cancel_scope.cancel()
    for member in members:
        member.close()

    sent = [message for member in members for message in member.tap.sent]
    replicated = [each for each in sent if not isinstance(each, Forward | Forwarded)]
    forwarded = [each for each in sent if isinstance(each, Forward | Forwarded)]
    questions = b"".join(question.body for member in members for question in member.tap.asked)
    assert {AppendRequest, SnapshotRequest} <= {type(message) for message in replicated}
    assert found(texts, b"".join(encode_message(each) for each in replicated)) == []
    assert found(texts, questions) == []
    assert VALUE in found(texts, b"".join(encode_message(each) for each in forwarded))

    files = [file for name in ("a", "b", "c") for file in (tmp_path / name).rglob("*")]
    kept = {file: file.read_bytes() for file in files if file.is_file()}
    assert {file.suffix for file in kept} >= {".seg", ".mdb"}
    assert [(file, each) for file, data in kept.items() for each in found(texts, data)] == []
    assert set(found(texts, audit.read_bytes())) == AUDITED
