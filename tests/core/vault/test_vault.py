"""From a request to an outcome, on a real node."""

import msgspec
import pytest

from core import events
from core.engines.call import UNSUPPORTED_OPERATION, collected
from core.request import Operation
from core.vault.audit_file import AuditFile
from core.vault.vault import merge_lines
from tests.core.node.cluster import Cluster
from tests.core.node.single import SingleNode, decoded, errors

DEVICE = {"type": "file", "options": {"file_path": "/audit"}}


@pytest.fixture
def node() -> SingleNode:
    """A cluster of one, with a secrets engine at `kv/`."""
    node = SingleNode().open()
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
    return node


def policy(node: SingleNode, rules: str) -> None:
    assert node.ask("update", "sys/policies/acl/p", {"policy": rules}).status == 204


def token(node: SingleNode, **fields: object) -> str:
    auth = decoded(node.ask("update", "auth/token/create", {"policies": ["p"], **fields}))["auth"]
    return str(auth["client_token"])


def test_a_write_to_a_mount_that_is_going_is_refused() -> None:
    """Nobody would remove again what it wrote."""
    cluster = Cluster().open()
    for machine in cluster.machines.values():
        machine.held = (events.LogWritten,)
    gone = cluster.ask("n1", "delete", "sys/mounts/kv")
    late = cluster.ask("n1", "update", "kv/a", {"b": "2"})
    cluster.run(0.001)
    assert not cluster.answered(late)
    for name in cluster.machines:
        cluster.release(name)

    assert cluster.answer(gone).status == 204
    assert errors(cluster.answer(late)) == ['no handler for route "kv/a". route entry not found.']


def test_a_new_target_is_created_and_an_old_one_updated(node: SingleNode) -> None:
    """The engine knows which it is, and the policy may allow only one."""
    policy(node, 'path "kv/*" { capabilities = ["create"] }')
    creator = token(node)
    assert node.ask("update", "kv/a", {"b": "1"}, creator).status == 204
    assert node.ask("update", "kv/a", {"b": "2"}, creator).status == 403
    policy(node, 'path "kv/*" { capabilities = ["update"] }')
    assert node.ask("update", "kv/a", {"b": "3"}, creator).status == 204
    assert node.ask("update", "kv/c", {"b": "4"}, creator).status == 403


def test_a_refused_request_uses_up_a_token_and_writes_nothing_else(node: SingleNode) -> None:
    """Denied or unknown: each was a use. What is no request at all was none."""
    policy(node, 'path "kv/*" { capabilities = ["update"] }')
    limited = token(node, num_uses=4)
    accessor = decoded(node.ask("update", "auth/token/lookup", {"token": limited}))["data"][
        "accessor"
    ]
    for path, body in (("sys/mounts/x", {"type": "kv"}), ("nowhere/a", None), ("kv/", {"b": "1"})):
        assert node.ask("update", path, body, limited).status in (400, 403, 404)
    shown = node.ask("update", "auth/token/lookup-accessor", {"accessor": accessor})
    assert decoded(shown)["data"]["num_uses"] == 2
    assert "x/" not in decoded(node.ask("read", "sys/mounts"))["data"]


@pytest.mark.parametrize(
    ("operation", "path", "body", "error", "mount"),
    [
        ("update", "kv/a", b'{"b":"1"}', None, "kv/"),
        ("update", "kv/a", b"{", "failed to parse JSON input", "kv/"),
        ("update", "kv/", b'{"b":"1"}', "cannot write to a path ending in '/'", "kv/"),
        ("delete", "auth/token/create", b"", UNSUPPORTED_OPERATION, "auth/token/"),
        ("read", "sys/mounts", b"", None, "sys/"),
        ("read", "nowhere/a", b"", 'no handler for route "nowhere/a"', None),
    ],
)
def test_each_request_has_two_records(
    node: SingleNode, operation: str, path: str, body: bytes, error: str | None, mount: str | None
) -> None:
    """With one id, however it ends."""
    assert node.ask("update", "sys/audit/file", DEVICE).status == 204
    ((file, before),) = node.audit.items()
    node.ask(operation, path, body)  # type: ignore[arg-type]  # pytest hands over any text
    lines = node.audit[file][len(before) :].splitlines()
    first, second = (msgspec.json.decode(line) for line in lines)

    assert [first["type"], second["type"]] == ["request", "response"]
    assert first["request"]["id"] == second["request"]["id"]
    assert first["request"].get("mount_point") == mount
    assert second.get("error", "").startswith(error or "")
    assert bool(second.get("error")) == (error is not None)


def test_a_bad_token_is_recorded_as_such(node: SingleNode) -> None:
    """For a write too, whose record comes before it is run."""
    node.ask("update", "sys/audit/file", DEVICE)
    ((file, before),) = node.audit.items()
    assert node.ask("update", "kv/a", {"b": "1"}, "nonsense").status == 403
    lines = node.audit[file][len(before) :].splitlines()
    records = [msgspec.json.decode(line) for line in lines]

    assert [record["error"] for record in records] == ["permission denied"] * 2


def test_lines_for_one_file_come_together() -> None:
    """In their order, and each file has its own."""
    one, two = AuditFile("/one", 0o600), AuditFile("/two", 0o600)

    assert merge_lines([{one: b"1"}, {two: b"2"}, {one: b"3", two: b"4"}]) == {
        one: b"13",
        two: b"24",
    }


@pytest.mark.parametrize("path", ["sys/nothing", "auth/token/nothing", "auth/token/create/role"])
def test_the_system_knows_which_paths_it_has(node: SingleNode, path: str) -> None:
    """Elsewhere nobody would serve them; here nobody does yet."""
    answer = node.ask("read", path)

    assert (404, [collected("unsupported path")]) == (answer.status, errors(answer))


def test_a_write_says_all_in_its_body(node: SingleNode) -> None:
    """So what a policy demands cannot be given in the query string, where no handler looks."""
    policy(node, 'path "kv/*" { capabilities = ["update"] required_parameters = ["b"] }')
    limited = token(node)
    assert node.ask("update", "kv/a", {"b": "1"}).status == 204

    assert node.ask("update", "kv/a", {"b": "2"}, limited).status == 204
    assert node.ask("update", "kv/a", None, limited, parameters={"b": "3"}).status == 403


def test_a_read_says_all_in_its_query_string(node: SingleNode) -> None:
    policy(node, 'path "kv/*" { capabilities = ["read"] denied_parameters = { b = ["1"] } }')
    limited = token(node)

    assert node.ask("read", "kv/a", None, limited, parameters={"b": "2"}).status == 404
    assert node.ask("read", "kv/a", None, limited, parameters={"b": "1"}).status == 403


def test_records_name_the_accessor_of_what_the_system_serves(node: SingleNode) -> None:
    node.ask("update", "sys/audit/file", DEVICE)
    ((file, before),) = node.audit.items()
    node.ask("read", "sys/auth")
    node.ask("read", "auth/token/lookup-self")
    lines = node.audit[file][len(before) :].splitlines()
    requests = [msgspec.json.decode(line)["request"] for line in lines[1::2]]

    shown = decoded(node.ask("read", "sys/internal/ui/mounts"))["data"]
    accessors = [shown["secret"]["sys/"]["accessor"], shown["auth"]["token/"]["accessor"]]
    assert accessors == [request["mount_accessor"] for request in requests[-2:]]


@pytest.mark.parametrize(
    ("operation", "path"),
    [("read", "sys/policies/acl/p"), ("delete", "sys/mounts/kv"), ("read", "sys/key-status")],
)
@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_a_slash_at_the_end_evades_no_rule(
    node: SingleNode, operation: Operation, path: str, slashes: str
) -> None:
    """As the path means the same with it."""
    everything = 'path "sys/*" { capabilities = ["read", "delete", "sudo"] }'
    policy(node, f'{everything}\npath "{path}" {{ capabilities = ["deny"] }}')
    limited = token(node)

    assert node.ask(operation, path + slashes, None, limited).status == 403
    assert node.ask("read", "sys/policies/acl/default" + slashes, None, limited).status == 200


def test_a_slash_at_the_end_saves_nobody_from_needing_sudo(node: SingleNode) -> None:
    policy(node, 'path "sys/*" { capabilities = ["read"] }')
    limited = token(node)

    for path in ("sys/audit", "sys/audit/", "sys/auth/token", "sys/auth/token/"):
        assert node.ask("read", path, None, limited).status == 403
    for path in ("sys/auth", "sys/auth/"):
        assert node.ask("read", path, None, limited).status == 200
