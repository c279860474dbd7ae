"""JSON documents with lines, order and duplicates."""

import pytest

from core.hcl.json_parser import parse_json
from core.hcl.tree import Attribute, Body, HclError


def test_members_keep_their_order_their_lines_and_their_duplicates() -> None:
    expected = Body((Attribute("b", 1, 2), Attribute("a", 2, 3), Attribute("b", 3, 3)))

    assert expected == parse_json('{\n"b": 1,\n"a": 2, "b": 3}\n')


def test_every_kind_of_value() -> None:
    text = '{"a": ["x", -1, 1.5e1, true, false, null, [], {}, {"b": [1]}]}'
    inner = Body((Attribute("b", (1,), 1),))

    assert Body(
        (Attribute("a", ("x", -1, 15.0, True, False, None, (), Body(()), inner), 1),)
    ) == parse_json(text)


def test_escapes_are_those_of_json() -> None:
    expected = Body((Attribute('"\\/\b\f\n\r\t', "é\U0001f600${", 1),))

    assert expected == parse_json(r'{"\"\\\/\b\f\n\r\t": "\u00e9\ud83d\ude00${"}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a key in quotes, found 'end of text'"),
        ("{1: 2}", "expected a key in quotes, found '1'"),
        ('{"a"}', "expected :, found '}'"),
        ('{"a": }', "expected a value, found '}'"),
        ('{"a": 1,}', "expected a key in quotes, found '}'"),
        ('{"a": 1 "b": 2}', "expected }, found '\"b\"'"),
        ('{"a": [1,]}', "expected a value, found ']'"),
        ('{"a": [1 2]}', "expected ], found '2'"),
        ('{"a": [', "expected a value, found 'end of text'"),
        ('{"a": 01}', "expected }, found '1'"),
        ('{"a": nul}', "no JSON value starts with 'n'"),
        ('{"a": nulls}', "no JSON value starts with 'n'"),
        ('{"a": "x\ty"}', "no JSON value starts with '\"'"),
        ('{"a": "x}', "no JSON value starts with '\"'"),
        ('{"a": # x\n1}', "no JSON value starts with '#'"),
        (r'{"a": "\x41"}', "unknown escape in a string"),
        (r'{"a": "\ud800"}', "unknown escape in a string"),
        ('{"a": 9223372036854775808}', "9223372036854775808 is out of range"),
        ("{} {}", "expected the end of the text, found '{'"),
    ],
)
def test_what_is_no_document(text: str, message: str) -> None:
    with pytest.raises(HclError) as caught:
        parse_json(f"\n{text}")

    assert (message, 2) == (caught.value.message, caught.value.line)
