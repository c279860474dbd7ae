"""Which token may follow which in HCL1 text."""

import pytest

from core.hcl.parser import parse_text
from core.hcl.tree import Attribute, Block, Body, HclError, Value


def value_of(text: str) -> Value:
    (item,) = parse_text(f"x = {text}").items
    assert isinstance(item, Attribute)
    return item.value


def test_an_empty_text_is_an_empty_body() -> None:
    assert Body(()) == parse_text("  # nothing\n")


def test_order_and_duplicates_are_kept() -> None:
    expected = (Attribute("b", 1, 1), Attribute("a", 2, 2), Attribute("b", 3, 3))

    assert expected == parse_text("b = 1\na = 2\nb = 3").items


def test_items_need_no_line_of_their_own_and_may_have_a_comma_behind_them() -> None:
    assert parse_text("a = 1\nb { c = 2\nd = 3 }\ne = 4") == Body(
        (
            Attribute("a", 1, 1),
            Block("b", (), Body((Attribute("c", 2, 2), Attribute("d", 3, 3))), 2),
            Attribute("e", 4, 4),
        )
    )
    assert ["a", "b", "e"] == [
        item.key for item in parse_text("a = 1, b { c = 2, d = 3, }, e = 4,").items
    ]


def test_keys_and_labels_may_be_quoted_or_not() -> None:
    expected = (Block("path", ("secret/*", "x"), Body(()), 1),)

    assert expected == parse_text('path "secret/*" x {}').items
    assert expected == parse_text('"path" "secret/*" "x" {}').items


def test_lists() -> None:
    assert () == value_of("[]")
    assert (1, "two", True, 4.5) == value_of('[1, "two", true, 4.5]')
    assert ((1,), Body(()), "x\n") == value_of("[[1], {}, <<E\nx\nE\n,]")


def test_an_object_as_a_value_is_a_body() -> None:
    expected = Body((Attribute("a", 1, 1), Block("b", (), Body(()), 1)))

    assert expected == value_of('{ "a" = 1, b {} }')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "expected = or {, found end of text"),
        ("a =", "expected a value, found end of text"),
        ("a = b", "expected a value, found 'b'"),
        ("a = =", "expected a value, found ="),
        ("a = }", "expected a value, found }"),
        ("a b", "expected {, found end of text"),
        ("a b = 1", "expected {, found ="),
        ("a 1", "expected = or {, found '1'"),
        ("1 = 1", "expected a key, found '1'"),
        ("= 1", "expected a key, found ="),
        (", a = 1", "expected a key, found ,"),
        ("a = 1,, b = 2", "expected a key, found ,"),
        ("}", "expected a key, found }"),
        ("a {", "expected a key, found end of text"),
        ("a = [1 2]", "expected , or ], found '2'"),
        ("a = [1,, 2]", "expected a value, found ,"),
        ("a = [1", "expected , or ], found end of text"),
        ("a = [", "expected a value, found end of text"),
        ("a = " + "b" * 99, f"expected a value, found '{'b' * 40}'"),
    ],
)
def test_what_is_no_document(text: str, message: str) -> None:
    with pytest.raises(HclError) as caught:
        parse_text(f"\n{text}")

    assert (message, 2) == (caught.value.message, caught.value.line)
    assert f"line 2: {message}" == str(caught.value)
