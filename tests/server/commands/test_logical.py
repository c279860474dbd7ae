"""read, write, list and delete work on any path."""

import json

import pytest

from tests.server.conftest import Holdfast
from tests.server.wire import Wire

ENVELOPE = {
    "request_id": "r",
    "lease_id": "",
    "renewable": False,
    "lease_duration": 2764800,
    "data": {"k": "v", "n": 7},
    "wrap_info": None,
    "warnings": None,
    "auth": None,
}


def test_read_prints_a_table(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET secret/a", ENVELOPE)

    assert (
        0,
        (
            "Key                 Value\n"
            "---                 -----\n"
            "refresh_interval    768h\n"
            "k                   v\n"
            "n                   7\n"
        ),
        "",
    ) == holdfast("read", "secret/a")


def test_read_prints_the_envelope_as_it_came(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET secret/a", ENVELOPE)

    code, out, _ = holdfast("read", "-format=json", "secret/a")

    assert (0, list(ENVELOPE.items())) == (code, list(json.loads(out).items()))


def test_read_takes_parameters(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET secret/data/a?version=2", ENVELOPE)

    assert (0, "7", "") == holdfast("read", "-field", "n", "secret/data/a", "version=2")


def test_read_of_nothing_ends_with_2(holdfast: Holdfast) -> None:
    assert (2, "", "No value found at secret/a\n") == holdfast("read", "secret/a")


def test_read_of_nothing_says_why(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("GET secret/a", {"data": None, "warnings": ["use secret/data/a"]}, status=404)

    expected = "WARNING! use secret/data/a\nNo value found at secret/a\n"
    assert (2, "", expected) == holdfast("read", "secret/a")


def test_write_sends_what_it_is_given(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT secret/a", {"data": {"version": 1}})

    outcome = holdfast("write", "secret/a", "k=v", "-", "x=@1".replace("@", ""), stdin=b'{"n":1}')

    assert (0, "Key        Value\n---        -----\nversion    1\n", "") == outcome
    assert {"k": "v", "n": 1, "x": "1"} == wire.asked[0].body


@pytest.mark.parametrize("flag", ["-force", "-f", "--force"])
def test_write_may_send_nothing(holdfast: Holdfast, wire: Wire, flag: str) -> None:
    wire.answer("PUT sys/rotate")

    assert (0, "Success! Data written to: sys/rotate\n", "") == holdfast(
        "write", flag, "sys/rotate"
    )
    assert [{}] == [asked.body for asked in wire.asked]


def test_write_prints_a_token(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("PUT auth/token/create", {"data": None, "auth": {"client_token": "hvs.new"}})

    assert (0, "hvs.new", "") == holdfast("write", "-f", "-field=token", "auth/token/create")


def test_list_prints_keys(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("LIST secret/", {"data": {"keys": ["a", "b/"]}, "warnings": ["w"]})

    assert (0, "Keys\n----\na\nb/\n", "WARNING! w\n") == holdfast("list", "secret/")
    assert (0, ["a", "b/"]) == (
        (outcome := holdfast("list", "secret", "-format=json")).code,
        json.loads(outcome.out),
    )


@pytest.mark.parametrize("body", [None, {"data": {"keys": []}}])
def test_list_of_nothing_ends_with_2(holdfast: Holdfast, wire: Wire, body: object) -> None:
    if body:
        wire.answer("LIST secret/", body)

    assert (2, "", "No value found at secret\n") == holdfast("list", "secret")
    assert (2, "{}\n", "No value found at secret\n") == holdfast("list", "secret", "-format=json")


def test_delete(holdfast: Holdfast, wire: Wire) -> None:
    wire.answer("DELETE secret/a?versions=1")

    assert (0, "Success! Data deleted (if it existed) at: secret/a\n", "") == holdfast(
        "delete", "secret/a", "versions=1"
    )
    assert (0, "", "") == holdfast("delete", "secret/a", "versions=1", "-format=json")
