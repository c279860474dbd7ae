"""JSON of the client keeps every number as it was written."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.json_text import decode, encode, encode_indented

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(("\ud800", "é\u2028")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
DEEP = 450


@pytest.mark.parametrize("number", ["1.10", "1e400", "-1E-9999", "-0.0", "0.10000000000000000001"])
def test_numbers_come_back_as_they_were_written(number: str) -> None:
    text = f'{{"a": [{number}, 12345678901234567890123]}}'

    assert text == encode(decode(text))
    assert text == "".join(encode_indented(decode(text)).split()).replace(":", ": ").replace(
        ",", ", "
    )


@settings(max_examples=10)
@given(VALUES)
def test_all_else_is_written_as_python_does(value: object) -> None:
    assert json.dumps(value) == encode(value)
    assert json.dumps(value, ensure_ascii=False) == encode(value, ensure_ascii=False)
    assert json.dumps(value, indent=2, ensure_ascii=False) == encode_indented(value)
    assert value == decode(encode(value))


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "", "{", "[1,]"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


def test_what_a_server_takes_is_not_too_deep() -> None:
    text = "[" * DEEP + "1.0" + "]" * DEEP

    assert text == encode(decode(text))
