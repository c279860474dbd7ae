"""Audit records: their shape, and that nothing secret is in them."""

from typing import Any, TypeAlias

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engines.call import Result
from core.request import Request
from core.vault import audit_record
from core.vault.audit_devices import AuditDevice, DeviceRecord
from core.vault.audit_record import both_lines, request_line, response_line
from core.vault.bodies import DEPTH_MAX
from core.vault.outcome import Exchange
from core.vault.reply import Auth, Reply
from core.vault.token_entry import SPENT, TokenEntry
from tests.core.barrier.helpers import WALL_NS, examples

Json: TypeAlias = Any

TOKEN = "hvs.marker"
TIME = "2023-11-14T22:13:20Z"


def device_of(**options: str) -> AuditDevice:
    return AuditDevice(
        DeviceRecord("f/", "file", "", {"file_path": "/a", **options}, local=False, salt=b"salt")
    )


def entry_of(**changes: object) -> TokenEntry:
    entry = TokenEntry(
        "name",
        "accessor",
        ("default", "dev"),
        "auth/token/create",
        "token-me",
        {"team": "a"},
        WALL_NS,
        0,
        0,
        3600,
        0,
        0,
        0,
        renewable=True,
        parent="",
    )
    return msgspec.structs.replace(entry, **changes)


def exchange_of(**changes: object) -> Exchange:
    request = Request(
        "read",
        "secret/data/a",
        TOKEN,
        parameters={"version": "2"},
        headers={"user-agent": "me", "x-vault-token": TOKEN, "correlation-id": "c"},
        client_address="10.0.0.9",
        client_port=1234,
    )
    exchange = Exchange(
        request,
        "id-1",
        token=entry_of(),
        granting_policies=("dev",),
        allowed=True,
        mount_path="secret/",
        mount_type="kv",
        mount_accessor="kv_1",
    )
    return msgspec.structs.replace(exchange, **changes)


def decoded(line: bytes) -> Json:
    assert line.endswith(b"\n")
    assert 1 == line.count(b"\n")
    return msgspec.json.decode(line)


def asked(device: AuditDevice, exchange: Exchange) -> Json:
    return decoded(request_line(device, exchange, WALL_NS))


def answered(device: AuditDevice, exchange: Exchange) -> Json:
    return decoded(response_line(device, exchange, WALL_NS))


def request_of(**changes: object) -> Request:
    return msgspec.structs.replace(exchange_of().request, **changes)


# -- shape ------------------------------------------------------------------------------------


def test_the_record_of_a_request() -> None:
    device = device_of()
    expected = {
        "time": TIME,
        "type": "request",
        "auth": {
            "client_token": device.hash(TOKEN),
            "accessor": device.hash("accessor"),
            "display_name": "token-me",
            "policies": ["default", "dev"],
            "token_policies": ["default", "dev"],
            "policy_results": {
                "allowed": True,
                "granting_policies": [{"name": "dev", "namespace_id": "root", "type": "acl"}],
            },
            "metadata": {"team": "a"},
            "token_type": "service",
            "token_ttl": 3600,
            "token_issue_time": TIME,
        },
        "request": {
            "id": "id-1",
            "operation": "read",
            "namespace": {"id": "root"},
            "path": "secret/data/a",
            "client_token": device.hash(TOKEN),
            "client_token_accessor": device.hash("accessor"),
            "mount_point": "secret/",
            "mount_type": "kv",
            "mount_accessor": "kv_1",
            "mount_class": "secret",
            "data": {"version": device.hash("2")},
            "headers": {"user-agent": ["me"], "correlation-id": ["c"]},
            "remote_address": "10.0.0.9",
            "remote_port": 1234,
        },
    }

    assert expected == asked(device, exchange_of())


def test_the_record_of_an_answer_repeats_the_request() -> None:
    device = device_of()
    result = Result({"n": 1, "s": "x"}, warnings=("mind the gap",))
    request = asked(device, exchange_of())
    expected = {
        **request,
        "type": "response",
        "response": {
            "mount_point": "secret/",
            "mount_type": "kv",
            "mount_accessor": "kv_1",
            "mount_class": "secret",
            "data": {"n": 1, "s": device.hash("x")},
            "warnings": ["mind the gap"],
        },
    }

    assert expected == answered(device, exchange_of(result=result))


def test_an_answer_without_content_says_where_it_came_from() -> None:
    response = answered(device_of(), exchange_of(result=Result()))["response"]

    assert {"mount_point", "mount_type", "mount_accessor", "mount_class"} == set(response)


def test_only_what_applies_is_recorded() -> None:
    exchange = Exchange(Request("read", "sys/nothing"), "id-1", error="no handler")
    expected = {
        "time": TIME,
        "type": "request",
        "auth": {"token_type": "default"},
        "request": {
            "id": "id-1",
            "operation": "read",
            "namespace": {"id": "root"},
            "path": "sys/nothing",
        },
        "error": "no handler",
    }

    assert expected == asked(device_of(), exchange)
    assert {**expected, "type": "response"} == answered(device_of(), exchange)


def test_who_passed_a_request_on_is_recorded() -> None:
    exchange = exchange_of(request=request_of(forwarded_from="node-2"))

    assert "node-2" == asked(device_of(), exchange)["forwarded_from"]
    assert "node-2" == answered(device_of(), exchange)["forwarded_from"]


def test_the_body_counts_before_the_query() -> None:
    device = device_of()
    exchange = exchange_of(body={"a": "b"})

    assert {"a": device.hash("b")} == asked(device, exchange)["request"]["data"]


def test_a_request_without_known_headers_has_none() -> None:
    for headers in ({}, {"x-vault-token": TOKEN}):
        exchange = exchange_of(request=request_of(headers=headers))

        assert "headers" not in asked(device_of(), exchange)["request"]


def test_token_paths_are_of_the_class_auth() -> None:
    exchange = exchange_of(mount_path="auth/token/")

    assert "auth" == asked(device_of(), exchange)["request"]["mount_class"]


def test_a_line_may_start_with_a_prefix() -> None:
    device = device_of(prefix="> ")

    assert request_line(device, exchange_of(), WALL_NS).startswith(b'> {"time":')
    assert response_line(device, exchange_of(), WALL_NS).startswith(b'> {"time":')


def test_a_path_cannot_break_out_of_its_line() -> None:
    path = 'a"\n\\\x7f\u2028'
    exchange = exchange_of(request=request_of(path=path))

    assert path == asked(device_of(), exchange)["request"]["path"]


# -- tokens -----------------------------------------------------------------------------------


def test_a_refused_request_names_no_policy() -> None:
    exchange = exchange_of(allowed=False, granting_policies=())

    assert {"allowed": False} == asked(device_of(), exchange)["auth"]["policy_results"]


def test_what_needs_no_policy_names_none() -> None:
    exchange = exchange_of(granting_policies=())

    assert {"allowed": True} == asked(device_of(), exchange)["auth"]["policy_results"]


def test_an_unknown_token_is_recorded_as_its_hash() -> None:
    device = device_of()
    record = asked(device, exchange_of(token=None))

    assert device.hash(TOKEN) == record["request"]["client_token"]
    assert {"token_type": "default"} == record["auth"]
    assert "client_token_accessor" not in record["request"]


def test_a_token_is_recorded_as_it_is_now() -> None:
    device = device_of()
    auth = asked(device, exchange_of(token=entry_of(uses_left=3)))["auth"]

    assert 3 == auth["remaining_uses"]
    assert device.hash(TOKEN) == auth["client_token"]

    last = asked(device, exchange_of(token=entry_of(uses_left=SPENT)))

    assert "remaining_uses" not in last["auth"]
    assert device.hash("accessor") == last["request"]["client_token_accessor"]


def test_only_so_many_tokens_and_grants_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_record, "TOKENS_MAX", 2)
    monkeypatch.setattr(audit_record, "AUTHS_MAX", 2)
    device = device_of()
    for name in ("a", "b", "c"):
        asked(device, exchange_of(token=entry_of(name=name)))

    assert ["b", "c"] == list(device.known_tokens)

    entry = entry_of()
    for policies in (("a",), ("b",), ("c",)):
        auth = asked(device, exchange_of(token=entry, granting_policies=policies))["auth"]

        assert policies[0] == auth["policy_results"]["granting_policies"][0]["name"]
    assert [("c",)] == list(device.known_tokens["name"].auths)


def test_a_token_that_is_handed_out_is_hidden() -> None:
    device = device_of()
    handed_out = Auth(
        "hvs.new",
        "new",
        ("dev",),
        {"k": "v"},
        60,
        renewable=True,
        orphan=False,
        num_uses=2,
        display_name="token-new",
    )
    expected = {
        "client_token": device.hash("hvs.new"),
        "accessor": device.hash("new"),
        "display_name": "token-new",
        "policies": ["dev"],
        "token_policies": ["dev"],
        "metadata": {"k": "v"},
        "num_uses": 2,
        "token_type": "service",
        "token_ttl": 60,
    }

    record = answered(device, exchange_of(result=Reply(auth=handed_out)))

    assert expected == record["response"]["auth"]


def test_accessors_may_be_left_readable() -> None:
    device = device_of(hmac_accessor="false")
    handed_out = Auth(
        "hvs.new", "new", ("dev",), None, 60, renewable=True, orphan=False, num_uses=0
    )
    record = answered(device, exchange_of(result=Reply(auth=handed_out)))

    assert "accessor" == record["auth"]["accessor"]
    assert "accessor" == record["request"]["client_token_accessor"]
    assert "new" == record["response"]["auth"]["accessor"]
    assert device.hash("hvs.new") == record["response"]["auth"]["client_token"]


# -- content ----------------------------------------------------------------------------------


def test_a_device_may_be_told_to_hide_nothing() -> None:
    device = device_of(log_raw="true")
    data = {"data": msgspec.Raw(b'{"a":"b"}')}
    record = answered(device, exchange_of(result=Result(data)))

    assert TOKEN == record["request"]["client_token"]
    assert {"version": "2"} == record["request"]["data"]
    assert {"data": {"a": "b"}} == record["response"]["data"]


def test_of_a_list_only_its_length_may_be_recorded() -> None:
    data = {"keys": ["a", "b"], "key_info": {"a": {}}, "more": True}
    exchange = exchange_of(request=request_of(operation="list"), result=Result(data))
    device = device_of()
    eliding = device_of(elide_list_responses="true")
    keys = [device.hash("a"), device.hash("b")]

    assert {**data, "keys": keys} == answered(device, exchange)["response"]["data"]
    assert {"keys": 2, "key_info": 1, "more": True} == answered(eliding, exchange)["response"][
        "data"
    ]

    read = exchange_of(result=Result(data))

    assert {**data, "keys": keys} == answered(eliding, read)["response"]["data"]


def test_what_an_engine_kept_as_text_is_hidden_too() -> None:
    device = device_of()
    data = {"data": msgspec.Raw(b'{"a":{"b":["c",1,null,true,1.5]}}'), "pair": ("d", 2)}
    expected = {
        "data": {"a": {"b": [device.hash("c"), 1, None, True, 1.5]}},
        "pair": [device.hash("d"), 2],
    }

    assert expected == answered(device, exchange_of(result=Result(data)))["response"]["data"]


def test_numbers_that_no_float_holds_are_recorded_as_they_were_written() -> None:
    """Whether they come from a request or from what an engine has kept."""
    raw = msgspec.Raw(b'{"a":[1e400,1.5]}')
    exchange = exchange_of(body={"b": msgspec.Raw(b"-1E999")}, result=Result({"data": raw}))
    line = response_line(device_of(), exchange, WALL_NS)

    assert b'"data":{"b":-1E999}' in line
    assert b'"data":{"data":{"a":[1e400,1.5]}}' in line


def test_depth_is_no_matter() -> None:
    value: Any = "marker"
    for _ in range(DEPTH_MAX):
        value = {"a": value}
    line = request_line(device_of(), exchange_of(body=value), WALL_NS)

    assert b"marker" not in line
    assert DEPTH_MAX == line.count(b'{"a":')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=10,
)


def hidden(device: AuditDevice, value: Json) -> Json:
    if isinstance(value, str):
        return device.hash(value)
    if isinstance(value, list):
        return [hidden(device, each) for each in value]
    if isinstance(value, dict):
        return {key: hidden(device, each) for key, each in value.items()}
    return value


@examples(60)
@given(data=st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_every_text_is_hidden_and_all_else_stays(data: dict[str, Any]) -> None:
    device = device_of()
    before = msgspec.json.encode(data)
    raw = {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in data.items()}
    expected = hidden(device, data)

    record = answered(device, exchange_of(body=data, result=Result(raw)))

    assert (expected or {"version": device.hash("2")}) == record["request"]["data"]
    assert expected == record["response"].get("data", {})
    assert before == msgspec.json.encode(data)


@pytest.mark.parametrize("changes", [{}, {"error": "no"}, {"result": Result(data={"a": "b"})}])
def test_both_records_are_what_each_is_alone(changes: dict[str, Any]) -> None:
    device = device_of(prefix="p ")
    exchange = exchange_of(**changes)
    apart = [line(device, exchange, WALL_NS) for line in (request_line, response_line)]

    assert both_lines(device, exchange, WALL_NS) == b"".join(apart)


def test_the_age_of_a_token_is_told_in_whole_seconds() -> None:
    """As Vault does, for this time alone."""
    exchange = exchange_of(token=entry_of(created_ns=WALL_NS + 999_999_999))

    assert asked(device_of(), exchange)["auth"]["token_issue_time"] == TIME
