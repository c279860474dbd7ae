"""`policy` writes, reads, lists and deletes policies."""

import json
from pathlib import Path

from tests.server.conftest import Holdfast
from tests.server.wire import Wire

RULES = 'path "secret/*" { capabilities = ["read"] }\n'


def test_write_takes_a_file(holdfast: Holdfast, wire: Wire, tmp_path: Path) -> None:
    wire.answer("PUT sys/policies/acl/ops")
    (tmp_path / "ops.hcl").write_text(RULES)

    outcome = holdfast("policy", "write", "ops", f"{tmp_path}/ops.hcl")

    assert (0, "Success! Uploaded policy: ops\n", "") == outcome
    assert {"policy": RULES} == wire.asked[0].body


def test_write_takes_standard_input(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT sys/policies/acl/ops")

    assert 0 == holdfast("policy", "write", "ops", "-", stdin=RULES.encode()).code
    assert {"policy": RULES} == wire.asked[0].body


def test_write_needs_a_file_that_is_there(holdfast: Holdfast, wire: Wire) -> None:
    assert (1, "", "/nowhere cannot be read: No such file or directory\n") == holdfast(
        "policy", "write", "ops", "/nowhere"
    )
    assert [] == wire.asked


def test_read_prints_the_text(holdfast: Holdfast, wire: Wire) -> None:
    """And ends it with one line end, however many it has."""
    wire.answer("GET sys/policies/acl/ops", {"data": {"name": "ops", "policy": RULES}})
    wire.answer("GET sys/policies/acl/bare", {"data": {"name": "bare", "policy": RULES.strip()}})

    assert (0, RULES, "") == holdfast("policy", "read", "ops")
    assert (0, RULES, "") == holdfast("policy", "read", "bare")
    assert {"policy": RULES} == json.loads(holdfast("policy", "read", "ops", "-format=json").out)


def test_read_of_nothing_ends_with_2(holdfast: Holdfast) -> None:
    message = "No value found at sys/policies/acl/ops\n"

    assert (2, "", message) == holdfast("policy", "read", "ops")


def test_list_prints_names_alone(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("LIST sys/policies/acl/", {"data": {"keys": ["default", "root"]}})

    assert (0, "default\nroot\n", "") == holdfast("policy", "list")
    assert ["default", "root"] == json.loads(holdfast("policy", "list", "-format=json").out)


def test_delete(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("DELETE sys/policies/acl/ops")

    assert (0, "Success! Deleted policy: ops\n", "") == holdfast("policy", "delete", "ops")
