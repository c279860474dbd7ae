"""What is not there is refused, and nothing happens."""

import msgspec
import pytest

from core.engines.call import RequestError
from core.vault.headers import refuse_unsupported
from tests.core.node.single import SingleNode, decoded, errors

NO_NAMESPACES = "namespaces are not supported: leave X-Vault-Namespace out"
NO_WRAPPING = "response wrapping is not supported: leave X-Vault-Wrap-TTL out"
BAD_TTL = "error parsing X-Vault-Wrap-TTL header: "


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-vault-namespace": ""},
        {"x-vault-namespace": "/"},
        {"x-vault-namespace": "root/"},
        {"x-vault-wrap-ttl": ""},
        {"x-vault-wrap-ttl": "0s"},
        {"x-vault-wrap-format": "jwt", "x-vault-request": "true"},
    ],
)
def test_what_can_be_answered_passes(headers: dict[str, str]) -> None:
    assert refuse_unsupported(headers) is None  # type: ignore[func-returns-value]  # it only raises


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"x-vault-namespace": "team"}, NO_NAMESPACES),
        ({"x-vault-namespace": "root/team"}, NO_NAMESPACES),
        ({"x-vault-wrap-ttl": "60"}, NO_WRAPPING),
        ({"x-vault-wrap-ttl": "1h"}, NO_WRAPPING),
        ({"x-vault-wrap-ttl": "60s,60s"}, BAD_TTL),
        ({"x-vault-wrap-ttl": "-1s"}, BAD_TTL + "requested wrap ttl cannot be negative"),
    ],
)
def test_what_cannot_is_refused(headers: dict[str, str], text: str) -> None:
    with pytest.raises(RequestError) as refusal:
        refuse_unsupported(headers)

    assert refusal.value.status == 400
    assert refusal.value.messages[0].startswith(text)


@pytest.mark.parametrize(
    ("header", "value", "text"),
    [
        ("x-vault-namespace", "team", NO_NAMESPACES),
        ("x-vault-wrap-ttl", "60s", NO_WRAPPING),
    ],
)
def test_neither_reads_nor_writes_are_done(header: str, value: str, text: str) -> None:
    """And the record of the request says why."""
    node = SingleNode().open()
    assert node.ask("update", "sys/mounts/kv", {"type": "kv"}).status == 204
    assert node.ask("update", "kv/a", {"b": "1"}).status == 204
    node.ask("update", "sys/audit/file", {"type": "file", "options": {"file_path": "/audit"}})
    ((file, before),) = node.audit.items()
    headers = {header: value}

    read = node.ask("read", "kv/a", headers=headers)
    written = node.ask("update", "kv/a", {"b": "2"}, headers=headers)

    assert [(400, [text])] * 2 == [(each.status, errors(each)) for each in (read, written)]
    records = map(msgspec.json.decode, node.audit[file][len(before) :].splitlines())
    assert [text] * 4 == [record.get("error") for record in records]
    assert decoded(node.ask("read", "kv/a"))["data"] == {"b": "1"}
