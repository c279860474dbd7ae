"""Arguments become the object that a write sends."""

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.arguments import INPUT_BYTES_MAX, ArgumentError, build, build_strings, read_file
from server.json_text import encode


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    return content


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        ([], {}),
        (["a=1"], {"a": "1"}),
        (["a="], {"a": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (["a=\\@b"], {"a": "@b"}),
        (["a=\\b"], {"a": "\\b"}),
        (["a=-x"], {"a": "-x"}),
        (["a=1", "a=2", "b=3", "a=4"], {"a": ["1", "2", "4"], "b": "3"}),
    ],
)
def test_pairs(arguments: list[str], data: dict[str, object]) -> None:
    assert data == build(arguments)


@given(
    key=st.text(min_size=1).filter(lambda key: "=" not in key and key[0] != "@"),
    value=st.text().filter(lambda value: value != "-" and not value.startswith(("@", "\\@"))),
)
def test_any_other_value_passes_as_it_is(key: str, value: str) -> None:
    assert {key: value} == build([f"{key}={value}"])


def test_a_value_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("PEM\n")

    assert {"key": "PEM\n"} == build([f"key=@{tmp_path}/key.pem"])


def test_a_whole_object_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": [1], "b": null}')

    assert {"a": [1, "2"], "b": None, "c": "3"} == build([f"@{tmp_path}/x.json", "a=2", "c=3"])


def test_standard_input_is_a_value_or_an_object(stdin: io.BytesIO) -> None:
    stdin.write(b'{"a": 1}')
    stdin.seek(0)

    assert {"a": 1} == build(["-"])

    stdin.seek(0)

    assert {"x": '{"a": 1}'} == build(["x=-"])


def test_standard_input_is_taken_once(stdin: io.BytesIO) -> None:
    assert not stdin.getvalue()

    with pytest.raises(ArgumentError, match="only once"):
        build(["a=-", "b=-"])


@pytest.mark.parametrize(
    ("argument", "why"),
    [
        ("abc", "neither key=value"),
        ("=abc", "neither key=value"),
        ("@/nowhere.json", "/nowhere.json cannot be read: No such file"),
        ("a=@/nowhere", "/nowhere cannot be read: No such file"),
    ],
)
def test_a_malformed_argument_is_refused(argument: str, why: str) -> None:
    with pytest.raises(ArgumentError, match=why):
        build([argument])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"nonsense", "is not JSON"),
        (b"[1]", "is not a JSON object"),
        (b"[" * 200_000, "is not JSON"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "x").write_bytes(content)

    with pytest.raises(ArgumentError, match=why):
        build([f"@{tmp_path}/x"])


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(INPUT_BYTES_MAX + 1)

    with pytest.raises(ArgumentError, match="exceeds 33554432 bytes"):
        read_file(f"{tmp_path}/x")


def test_plain_pairs_know_no_files() -> None:
    assert {"a": "@b", "c": "3"} == build_strings(["a=@b", "c=2", "c=3"])


@pytest.mark.parametrize("argument", ["a", "=b"])
def test_plain_pairs_are_pairs(argument: str) -> None:
    with pytest.raises(ArgumentError, match="is not key=value"):
        build_strings([argument])


def test_a_document_keeps_its_types(tmp_path: Path) -> None:
    """And its numbers their text."""
    document = '{"n": 1.50, "e": 1e400, "l": [1, {"x": false}], "s": "ä"}'
    (tmp_path / "x").write_text(document)

    assert document == encode(build([f"@{tmp_path}/x"]), ensure_ascii=False)
