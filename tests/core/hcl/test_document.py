"""One face for both spellings, and the several ways to write a block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.hcl.document import parse
from core.hcl.tree import DEPTH_MAX, TEXT_BYTES_MAX, Attribute, Block, Body, HclError
from tests.core.hcl.trees import as_hcl, as_json, bodies, documents, values, without_lines

BLOCKS = {"path": 1, "join": 0}


def test_the_first_character_tells_json_from_hcl() -> None:
    expected = Body((Attribute("a", 1, 2),))

    assert expected == parse('\n{"a": 1}')
    assert expected == parse("\na = 1")


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse("a = 1") == parse("\ufeffa = 1")
    assert parse('{"a": 1}') == parse('\ufeff{"a": 1}')


@pytest.mark.parametrize(
    "text",
    [
        'path "a" { x = 1 } path "b" { x = 2 }',
        'path = { "a" = { x = 1 }, "b" = { x = 2 } }',
        'path { "a" { x = 1 } "b" { x = 2 } }',
        "path { a = { x = 1 } b = [{ x = 2 }] }",
        '{"path": {"a": {"x": 1}, "b": {"x": 2}}}',
        '{"path": [{"a": {"x": 1}}, {"b": [{"x": 2}]}]}',
    ],
)
def test_all_spellings_of_labelled_blocks_are_one(text: str) -> None:
    expected = Body(
        (
            Block("path", ("a",), Body((Attribute("x", 1, 1),)), 1),
            Block("path", ("b",), Body((Attribute("x", 2, 1),)), 1),
        )
    )

    assert expected == parse(text, BLOCKS)


@pytest.mark.parametrize(
    "text",
    [
        "join { x = 1 } join { x = 2 }",
        "join = [{ x = 1 }, { x = 2 }]",
        '{"join": [{"x": 1}, {"x": 2}]}',
    ],
)
def test_all_spellings_of_blocks_without_label_are_one(text: str) -> None:
    expected = Body(
        (
            Block("join", (), Body((Attribute("x", 1, 1),)), 1),
            Block("join", (), Body((Attribute("x", 2, 1),)), 1),
        )
    )

    assert expected == parse(text, BLOCKS)


def test_blocks_are_found_within_blocks() -> None:
    expected = Body(
        (Block("path", ("a",), Body((Block("join", (), Body(()), 2),)), 1),),
    )

    assert expected == parse('{"path": {"a": {\n"join": {}}}}', BLOCKS)
    assert expected == parse('path "a" {\njoin {} }', BLOCKS)


def test_several_labels_may_be_missing_at_once() -> None:
    expected = Body((Block("route", ("a", "b"), Body(()), 1),))

    assert expected == parse('{"route": {"a": {"b": {}}}}', {"route": 2})
    assert expected == parse('route { a "b" {} }', {"route": 2})
    assert expected == parse('route "a" { b {} }', {"route": 2})


@pytest.mark.parametrize(
    "text",
    [
        "path = 1",
        "path = []",
        '{"path": {"a": {}, "b": []}}',
        'path = [{ "a" = {} }, 1]',
        'path = { "a" = {}, "b" = "c" }',
        '{"path": {"a": {}, "b": [1]}}',
    ],
)
def test_what_holds_anything_but_blocks_stays_an_attribute(text: str) -> None:
    assert parse(text) == parse(text, BLOCKS)
    assert isinstance(parse(text, BLOCKS).items[0], Attribute)


def test_a_block_without_its_label_stays_as_it_is() -> None:
    expected = Body((Block("path", (), Body((Attribute("x", 1, 1),)), 1),))

    assert expected == parse("path { x = 1 }", BLOCKS)


def test_labels_beyond_the_known_number_are_kept() -> None:
    expected = Body((Block("path", ("a", "b"), Body(()), 1),))

    assert expected == parse('path "a" "b" {}', BLOCKS)


def test_other_names_are_left_alone() -> None:
    expected = Body((Attribute("other", Body((Attribute("a", Body(()), 1),)), 1),))

    assert expected == parse('{"other": {"a": {}}}', BLOCKS)


def test_a_text_of_the_greatest_size_passes_and_one_byte_more_does_not() -> None:
    assert Body(()) == parse(" " * TEXT_BYTES_MAX)

    with pytest.raises(HclError, match="longer than 1048576 bytes"):
        parse(" " * (TEXT_BYTES_MAX - 1) + "é")


def test_half_a_surrogate_pair_is_refused_with_its_line() -> None:
    with pytest.raises(HclError, match="line 2: half of a surrogate pair"):
        parse("a = 1\nb = '\ud800'")


@pytest.mark.parametrize("spelling", ["a = {0}1{1}", '{{"a": {0}1{1}}}'])
def test_lists_nest_up_to_the_bound(spelling: str) -> None:
    # The object around a JSON document is a level of its own.
    depth = DEPTH_MAX - spelling.startswith("{")
    deepest = parse(spelling.format("[" * depth, "]" * depth))

    assert isinstance(deepest.items[0], Attribute)
    with pytest.raises(HclError, match="nested too deeply"):
        parse(spelling.format("[" * (depth + 1), "]" * (depth + 1)))


@pytest.mark.slow
@given(documents)
def test_a_tree_written_as_hcl_comes_back(document: Body) -> None:
    assert document == without_lines(parse(as_hcl(document)))


@pytest.mark.slow
@given(bodies(values | st.none()))
def test_a_tree_written_as_json_comes_back(document: Body) -> None:
    assert document == without_lines(parse(as_json(document)))


@given(st.text() | st.text('{}[]"=:,<>-#/*\\${ \nae1.x', max_size=30))
def test_any_text_is_a_document_or_an_error_with_a_line(text: str) -> None:
    try:
        parse(text, BLOCKS)
    except HclError as error:
        assert 1 <= error.line <= text.count("\n") + 1  # noqa: PT017 -- passing is fine as well
