"""Whatever is asked of a node gets an answer of Vault's shape, and the node lives on."""

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.request import Operation, Response
from tests.core.barrier.helpers import examples
from tests.core.node.single import SingleNode

OPERATIONS: Final[tuple[Operation, ...]] = ("read", "list", "update", "patch", "delete", "help")
PATHS: Final = (
    *("auth/token/" + name for name in ("accessors", "create", "create-orphan", "lookup")),
    *("auth/token/" + name for name in ("lookup-self", "lookup-accessor", "renew", "renew-self")),
    *("auth/token/" + name for name in ("renew-accessor", "revoke", "revoke-accessor", "roles")),
    *("sys/" + name for name in ("audit", "audit/a", "audit-hash/f", "auth", "auth/token")),
    *("sys/" + name for name in ("auth/token/tune", "capabilities", "capabilities-self")),
    *("sys/" + name for name in ("ha-status", "health", "init", "internal/ui/mounts/kv2/a")),
    *("sys/" + name for name in ("key-status", "leader", "mounts", "mounts/a", "mounts/a/tune")),
    *("sys/" + name for name in ("mounts/kv2/tune", "policies/acl", "policies/acl/a", "policy")),
    *("sys/" + name for name in ("policy/a", "rotate", "seal-status", "unseal", "nothing")),
    *("sys/storage/raft/" + name for name in ("configuration", "join", "remove-peer")),
    *("sys/storage/raft/bootstrap/" + name for name in ("answer", "challenge")),
    *("kv2" + name for name in ("", "/", "/a", "/config", "/data", "/data/a", "/delete/a")),
    *("kv2" + name for name in ("/destroy/a", "/metadata", "/metadata/a", "/subkeys/a")),
    *("kv1", "kv1/", "kv1/a", "a/b", "nowhere", "sys/", "auth/"),
)
FIELDS: Final = (
    *("a", "accessor", "cas", "cas_required", "config", "custom_metadata", "data", "description"),
    *("default_lease_ttl", "delete_version_after", "display_name", "explicit_max_ttl", "id"),
    *("file_path", "increment", "input", "key", "listing_visibility", "max_versions", "meta"),
    *("no_parent", "node_id", "num_uses", "options", "path", "paths", "period", "policies"),
    *("policy", "public_key", "renewable", "secret_shares", "server_id", "ticket", "token"),
    *("ttl", "type", "version", "versions"),
)
TEXTS: Final = (
    *("", "a", "root", "kv", "kv-v2", "file", "1", "-1", "1h", "true", "*", "..", "\0", "\u00e9"),
    *("x" * 300, "9" * 30, 'path "a/+" { capabilities = ["read"] }', "path {", '{"path": {}}'),
)
VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from((0, 1, -1, 5, 2**31, 2**63, -(2**63), 0.5, -0.0, 1e308))
    | st.sampled_from([msgspec.Raw(literal) for literal in (b"1e400", b"-1E9999", b"9" * 4300)])
    | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3)
    ),
    max_leaves=4,
)
PARAMETERS: Final = st.dictionaries(
    st.sampled_from(("version", "depth", "list", "limit", "after", "token", "standbyok")),
    st.sampled_from(("", "1", "-1", "x", "9" * 30, "\u00e9" * 200)),
    max_size=2,
)
QUESTIONS: Final = st.tuples(
    st.sampled_from(OPERATIONS + ("update",) * 4),
    st.sampled_from(PATHS),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    PARAMETERS,
    st.sampled_from(["", "nonsense", "\xff"] + [None] * 12),
)


def has_vaults_shape(response: Response, path: str) -> bool:
    """Tell whether clients of Vault can read an answer."""
    if response.status == 204:
        return response.body == b""
    body: dict[str, Any] = msgspec.json.decode(response.body)
    if response.status in (200, 404) and "errors" not in body:
        return "request_id" in body or path.startswith("sys/")
    return path == "sys/health" or all(isinstance(text, str) for text in body["errors"])


@pytest.mark.slow
def test_whatever_is_asked_is_answered() -> None:
    """With 500 never among the answers, as it would be our fault."""
    node = SingleNode().open()
    for path, body in (
        ("sys/mounts/kv1", {"type": "kv"}),
        ("sys/mounts/kv2", {"type": "kv-v2"}),
        ("sys/audit/f", {"type": "file", "options": {"file_path": "/audit"}}),
    ):
        assert node.ask("update", path, body).status == 204
    statuses: dict[int, int] = {}

    @examples(600)
    @given(QUESTIONS)
    def ask(
        question: tuple[Operation, str, dict[str, Any], dict[str, str], str | None],
    ) -> None:
        operation, path, body, parameters, token = question
        answer = node.ask(operation, path, body, token, parameters=parameters)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        assert answer.status < 500
        assert has_vaults_shape(answer, path)

    ask()

    assert {200, 204, 400, 403, 404, 405} <= statuses.keys()
    assert node.ask("read", "sys/health").status == 200
