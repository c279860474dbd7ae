"""`sys/audit` and `sys/audit-hash`."""

from typing import Any

import pytest

from core.request import Operation, Request
from core.vault.audit_file import AuditFile
from core.vault.plan import Plan
from core.vault.routes import Route
from core.vault.system import audit
from tests.core.vault.node import Node

BODY = {"type": "file", "description": "all", "options": {"file_path": "/a", "log_raw": False}}


def test_a_device_is_shown_until_it_is_disabled() -> None:
    node = Node()
    node.write("sys/audit/file", BODY)
    expected = {
        "path": "file/",
        "type": "file",
        "description": "all",
        "options": {"file_path": "/a", "log_raw": "false"},
        "local": False,
    }
    reply = node.ask("read", "sys/audit")

    assert reply.repeated
    assert {"file/": expected} == reply.data

    for _ in range(2):
        assert node.ask("delete", "sys/audit/file").data is None
    assert {} == node.read("sys/audit")


def test_each_device_hashes_with_a_key_of_its_own() -> None:
    node = Node()
    node.write("sys/audit/a", BODY)
    node.write("sys/audit/b", BODY)
    first, other = node.services.audit_devices.devices(node.store)
    reply = node.ask("update", "sys/audit-hash/a", {"input": "text"})

    assert reply.repeated
    assert {"hash": first.hash("text")} == reply.data
    assert {"hash": other.hash("text")} == node.read(
        "sys/audit-hash/b", {"input": "text"}, operation="update"
    )
    assert first.hash("text") != other.hash("text")


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("sys/audit/a", {}, 'unknown backend type: ""'),
        ("sys/audit/file", BODY, "path already in use"),
        ("sys/audit-hash/file", {}, 'the "input" parameter is empty'),
        ("sys/audit-hash/a", {"input": "text"}, 'unknown audit backend "a/"'),
    ],
)
def test_what_is_refused(path: str, body: dict[str, Any], text: str) -> None:
    node = Node()
    node.write("sys/audit/file", BODY)

    assert (400, text) == node.refused("update", path, body)


def test_a_file_that_cannot_be_written_to_is_no_device() -> None:
    node = Node()
    text = 'sanity check failed; unable to open "/a" for writing'

    assert (400, text) == node.refused("update", "sys/audit/a", BODY, unwritable=("/a",))
    assert {} == node.read("sys/audit")


# -- files to try -----------------------------------------------------------------------------


def file_to_try(
    operation: Operation, pattern: str | None, body: dict[str, Any] | None
) -> AuditFile | None:
    route = None if pattern is None else Route(pattern)
    plan = Plan(writes=True, request_id="", route=route, argument="file")
    return audit.candidate(plan, Request(operation, "sys/audit/file"), body)


def test_the_file_of_a_device_to_be_is_tried_first() -> None:
    assert AuditFile("/a") == file_to_try("update", audit.DEVICE_PATTERN, BODY)


@pytest.mark.parametrize(
    ("operation", "pattern", "body"),
    [
        ("delete", audit.DEVICE_PATTERN, BODY),
        ("update", "sys/mounts/*", BODY),
        ("update", None, BODY),
        ("update", audit.DEVICE_PATTERN, None),
        ("update", audit.DEVICE_PATTERN, {"type": "file"}),
    ],
)
def test_no_other_request_has_a_file_to_try(
    operation: Operation, pattern: str | None, body: dict[str, Any] | None
) -> None:
    assert file_to_try(operation, pattern, body) is None
