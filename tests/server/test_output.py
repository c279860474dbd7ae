"""Tables, headings and values look as Vault's users know them."""

import pytest

from server.json_text import decode
from server.output import (
    DEPTH_MAX,
    envelope_fields,
    envelope_pairs,
    heading,
    keys_table,
    pairs_table,
    plain_pairs,
    render_seconds,
    render_value,
    section,
    table,
)

AUTH = {
    "client_token": "hvs.new",
    "accessor": "acc",
    "lease_duration": 3600,
    "renewable": True,
    "token_policies": ["default", "ops"],
    "identity_policies": None,
    "policies": ["default", "ops"],
    "metadata": {"team": "a", "name": "b"},
}


def test_a_table_aligns_its_columns_and_ends_no_line_in_blanks() -> None:
    text = table(("Path", "Type"), [("secret/", "kv"), ("a/", "")])

    assert "Path       Type\n----       ----\nsecret/    kv\na/" == text


def test_pairs_have_the_header_that_scripts_skip() -> None:
    text = pairs_table([("ttl", "768h"), ("meta", None)])

    assert "Key     Value\n---     -----\nttl     768h\nmeta    <nil>" == text


def test_keys_have_one_column() -> None:
    assert "Keys\n----\na\nb/" == keys_table(["a", "b/"])


def test_plain_pairs_have_no_header() -> None:
    assert "Key Term    1\nCount       20" == plain_pairs([("Key Term", 1), ("Count", 20)])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (3601, "1h0m1s"),
        (5400, "1h30m"),
        (2764800, "768h"),
        (-90, "-1m30s"),
    ],
)
def test_durations_lose_their_last_zeros(seconds: int, text: str) -> None:
    assert text == render_seconds(seconds)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"),
        (True, "true"),
        (False, "false"),
        ("a b", "a b"),
        (12, "12"),
        (1.5, "1.5"),
        ([], "[]"),
        (["a", 1, None], "[a 1 <nil>]"),
        ({"b": 1, "a": {"c": [True]}}, "map[a:map[c:[true]] b:1]"),
    ],
)
def test_values_look_as_go_prints_them(value: object, text: str) -> None:
    assert text == render_value(value)


def test_numbers_are_shown_as_they_were_written() -> None:
    assert "map[a:[1.10 1e400 -0.0]]" == render_value(decode('{"a": [1.10, 1e400, -0.0]}'))


def test_what_lies_too_deep_is_shown_as_json() -> None:
    value: object = {"k": "ä"}
    for _ in range(DEPTH_MAX):
        value = [value]

    assert "[" * DEPTH_MAX + '{"k": "ä"}' + "]" * DEPTH_MAX == render_value(value)


@pytest.mark.parametrize(
    ("title", "width", "text"),
    [
        ("Secret Path", 17, "== Secret Path =="),
        ("Secret Path", 3, "== Secret Path =="),
        ("Metadata", 24, "======= Metadata ======="),
        ("Data", 13, "=== Data ==="),
    ],
)
def test_a_heading_fills_its_width(title: str, width: int, text: str) -> None:
    assert text == heading(title, width)


def test_a_section_is_as_wide_as_its_table() -> None:
    text = section("Data", {"password": "x", "ttl": 90, "lease_period": True})

    assert (
        "======= Data =======\n"
        "Key             Value\n"
        "---             -----\n"
        "lease_period    true\n"
        "password        x\n"
        "ttl             1m30s"
    ) == text


def test_an_empty_section_keeps_its_header() -> None:
    assert "=== Data ===\nKey    Value\n---    -----" == section("Data", {})


def test_data_without_a_lease_is_refreshed() -> None:
    body = {"lease_id": "", "lease_duration": 2764800, "data": {"a": 1}}

    assert [("refresh_interval", "768h"), ("a", 1)] == envelope_pairs(body)
    assert {"refresh_interval": 2764800, "a": 1} == envelope_fields(body)


def test_a_lease_is_shown() -> None:
    body = {"lease_id": "x/1", "lease_duration": 60, "renewable": True, "data": None}

    assert [
        ("lease_id", "x/1"),
        ("lease_duration", "1m"),
        ("lease_renewable", True),
    ] == envelope_pairs(body)
    assert {
        "lease_id": "x/1",
        "lease_duration": 60,
        "lease_renewable": True,
    } == envelope_fields(body)


def test_a_token_is_shown() -> None:
    assert [
        ("token", "hvs.new"),
        ("token_accessor", "acc"),
        ("token_duration", "1h"),
        ("token_renewable", True),
        ("token_policies", '["default" "ops"]'),
        ("identity_policies", "[]"),
        ("policies", '["default" "ops"]'),
        ("token_meta_name", "b"),
        ("token_meta_team", "a"),
    ] == envelope_pairs({"lease_duration": 0, "auth": AUTH})


def test_a_token_that_never_ends_lasts_forever() -> None:
    auth = {**AUTH, "lease_duration": 0, "metadata": None}

    assert ("token_duration", "∞") in envelope_pairs({"auth": auth})


def test_the_fields_of_a_token_are_raw() -> None:
    fields = envelope_fields({"auth": AUTH})

    assert ("hvs.new", 3600, ["default", "ops"]) == (
        fields["token"],
        fields["token_duration"],
        fields["policies"],
    )
