"""Audit devices: what is stored of them, what their options mean, how they hide a text."""

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engines.call import RequestError
from core.vault.audit_devices import (
    DEVICES_MAX,
    FILE_PATH_MAX,
    AuditDevice,
    DeviceRecord,
    requested,
)
from core.vault.audit_file import AuditFile
from tests.core.barrier.helpers import examples
from tests.core.vault.node import Node

SALT = bytes(range(32))
BODY = {"type": "file", "options": {"file_path": "/var/log/audit.log"}}


def device_of(**options: str) -> AuditDevice:
    return AuditDevice(
        DeviceRecord("file/", "file", "", {"file_path": "/a", **options}, local=False, salt=SALT)
    )


def record_of(argument: str, body: dict[str, Any] | None = None) -> DeviceRecord:
    return requested(argument, BODY if body is None else body, SALT)


def enable(node: Node, argument: str) -> None:
    transaction = node.begin()
    node.services.audit_devices.enable(transaction, record_of(argument), ())
    node.apply(transaction)


def refusal_of(node: Node, record: DeviceRecord, *unwritable: str) -> tuple[Any, ...]:
    transaction = node.begin()
    with pytest.raises(RequestError) as refusal:
        node.services.audit_devices.enable(transaction, record, unwritable)
    assert {} == transaction.writes
    return refusal.value.status, *refusal.value.messages


def paths(node: Node) -> list[str]:
    devices = node.services.audit_devices.devices(node.store)
    return [device.record.path for device in devices]


# -- options ----------------------------------------------------------------------------------


def test_options_have_vaults_defaults() -> None:
    device = device_of()

    assert AuditFile("/a", 0o600) == device.file
    assert b"" == device.prefix
    assert (False, True, False) == (
        device.log_raw,
        device.hmac_accessor,
        device.elide_list_responses,
    )


def test_options_are_texts() -> None:
    device = device_of(
        mode="0644",
        prefix="> ",
        log_raw="true",
        hmac_accessor="false",
        elide_list_responses="1",
        format="json",
    )

    assert AuditFile("/a", 0o644) == device.file
    assert b"> " == device.prefix
    assert (True, False, True) == (
        device.log_raw,
        device.hmac_accessor,
        device.elide_list_responses,
    )


def test_mode_0000_leaves_a_file_as_it_is() -> None:
    assert 0 == device_of(mode="0000").file.mode


@pytest.mark.parametrize("path", ["stdout", "discard"])
def test_some_paths_are_no_files(path: str) -> None:
    assert path == device_of(file_path=path).file.path


def test_the_file_may_also_be_called_path() -> None:
    assert "/b" == device_of(file_path="", path="/b").file.path


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"file_path": ""}, "file_path is required"),
        (
            {"file_path": "/a\0b"},
            "file_path must have at most 1024 characters, none of them control",
        ),
        (
            {"file_path": "x" * (FILE_PATH_MAX + 1)},
            "file_path must have at most 1024 characters, none of them control",
        ),
        ({"mode": "0999"}, 'invalid mode "0999": expected octal permission bits'),
        ({"mode": "rw"}, 'invalid mode "rw": expected octal permission bits'),
        ({"format": "jsonx"}, 'unknown format type "jsonx"'),
        ({"filter": "x"}, "unknown option of a file audit device: filter"),
        (
            {"log_raw": "maybe"},
            (
                'Field validation failed: error converting input for field "log_raw": '
                "expected true or false"
            ),
        ),
    ],
)
def test_options_that_make_no_sense(options: dict[str, str], text: str) -> None:
    with pytest.raises(RequestError) as refusal:
        device_of(**options)
    assert (400, text) == (refusal.value.status, *refusal.value.messages)


def test_a_request_names_a_device() -> None:
    body = {**BODY, "description": "all", "local": True}
    expected = DeviceRecord("file/", "file", "all", BODY["options"], local=True, salt=SALT)  # type: ignore[arg-type]  # a literal of mixed values

    assert expected == record_of("file", body)


@pytest.mark.parametrize(
    ("argument", "body", "text"),
    [
        ("a", {"type": "syslog"}, 'unknown backend type: "syslog"'),
        ("a", {}, 'unknown backend type: ""'),
        ("a//b", BODY, "the path of an audit device cannot have an empty part"),
        ("/a", BODY, "the path of an audit device cannot have an empty part"),
    ],
)
def test_requests_that_name_none(argument: str, body: dict[str, Any], text: str) -> None:
    with pytest.raises(RequestError) as refusal:
        requested(argument, body, SALT)
    assert (400, text) == (refusal.value.status, *refusal.value.messages)


def test_a_record_does_not_show_its_key() -> None:
    assert "DeviceRecord(path='file/')" == repr(record_of("file"))


# -- hashes -----------------------------------------------------------------------------------


def test_a_hash_is_that_of_rfc_4231() -> None:
    """Test case 2 of section 4.3."""
    record = DeviceRecord("a/", "file", "", {"file_path": "/a"}, local=False, salt=b"Jefe")
    expected = "hmac-sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

    assert expected == AuditDevice(record).hash("what do ya want for nothing?")


@examples(100)
@given(text=st.text(max_size=200))
def test_hashes_are_hmacs(text: str) -> None:
    device = device_of()
    expected = hmac.new(SALT, text.encode(), "sha256").hexdigest()

    assert f"hmac-sha256:{expected}" == device.hash(text)


# -- the table --------------------------------------------------------------------------------


def test_a_device_is_there_once_it_is_applied_and_until_it_is_disabled() -> None:
    node = Node()
    devices = node.services.audit_devices
    transaction = node.begin()
    devices.enable(transaction, record_of("b"), ())

    assert [] == paths(node)
    assert ["b/"] == [record.path for record in devices.records(transaction)]

    node.apply(transaction)
    enable(node, "a")

    assert ["a/", "b/"] == paths(node)
    assert devices.devices(node.store) is devices.devices(node.store)

    transaction = node.begin()
    devices.disable(transaction, "b/")
    devices.disable(transaction, "never-there/")
    node.apply(transaction)

    assert ["a/"] == paths(node)
    assert 1 == len(transaction.writes)
    found = devices.get(node.store, "a/")
    assert found is not None
    assert SALT == found.record.salt
    assert devices.get(node.store, "b/") is None


def test_devices_never_lie_within_each_other() -> None:
    node = Node()
    enable(node, "a/b")

    for argument in ("a", "a/b", "a/b/c"):
        assert (400, "path already in use") == refusal_of(node, record_of(argument))
    enable(node, "ab")


def test_a_path_may_be_too_long() -> None:
    status, text = refusal_of(Node(), record_of("a" * 300))

    assert (400, "the path of an audit device is too long: ") == (status, text[:41])


def test_a_file_that_cannot_be_written_to_is_no_device() -> None:
    text = 'sanity check failed; unable to open "/var/log/audit.log" for writing'

    assert (400, text) == refusal_of(Node(), record_of("a"), "/other", "/var/log/audit.log")


def test_there_are_only_so_many_devices() -> None:
    node = Node()
    for number in range(DEVICES_MAX):
        enable(node, f"file-{number}")

    assert (400, "there can be at most 16 audit devices") == refusal_of(node, record_of("a"))
