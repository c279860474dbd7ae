"""How HCL1 text spells blanks, comments, words, numbers, strings and heredocs."""

import pytest

from core.hcl.lexer import END, KEY, LITERAL, STRING, Lexer, Token
from core.hcl.tree import INTEGER_MAX, INTEGER_MIN, HclError


def tokens(text: str) -> list[tuple[str, str | float]]:
    lexer = Lexer(text)
    found: list[tuple[str, str | float]] = []
    while (token := lexer.next()).kind != END:
        found.append((token.kind, token.value))
    return found


def test_the_end_comes_again_and_again() -> None:
    lexer = Lexer(" \n")

    assert [Token(END, "", 2)] * 2 == [lexer.next(), lexer.next()]


def test_blanks_and_comments_say_nothing() -> None:
    text = '# one { \n// two } \r\n/* three\n * " **/ \t a /**/ b // end'

    assert [(KEY, "a"), (KEY, "b")] == tokens(text)


def test_each_token_knows_its_line() -> None:
    lexer = Lexer('a\n"${\n}" /*\n*/ <<E\nx\nE\nz')

    assert [1, 2, 4, 7] == [lexer.next().line for _ in range(4)]


def test_words_may_hold_dots_dashes_digits_and_letters_of_any_script() -> None:
    expected = [(KEY, "a-b.c_1"), (KEY, "_x"), (KEY, "é2")]

    assert expected == tokens("a-b.c_1 _x é2")


def test_true_and_false_are_values_and_longer_words_are_not() -> None:
    assert [(LITERAL, True), (LITERAL, False), (KEY, "truth")] == tokens("true false truth")


def test_punctuation_is_its_own_kind() -> None:
    assert [(mark, mark) for mark in "{}[],="] == tokens("{}[],=")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("42", 42),
        ("-42", -42),
        ("0x1F", 31),
        ("-0Xff", -255),
        ("0755", 493),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("09.5", 9.5),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        ("1e+2", 100.0),
        (str(INTEGER_MAX), INTEGER_MAX),
        (str(INTEGER_MIN), INTEGER_MIN),
    ],
)
def test_numbers(text: str, value: float) -> None:
    ((kind, found),) = tokens(text)

    assert (LITERAL, value, type(value)) == (kind, found, type(found))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("08", "08 is not a number"),
        ("10s", "letters follow this number; quote the whole"),
        ("0xg", "letters follow this number; quote the whole"),
        ("-", "a number needs digits"),
        (".", "a number needs digits"),
        (str(INTEGER_MAX + 1), f"{INTEGER_MAX + 1} is out of range"),
        (str(INTEGER_MIN - 1), f"{INTEGER_MIN - 1} is out of range"),
        ("1e999", "1e999 is out of range"),
        ("1" * 65, "this number is too long"),
        ("@", "unexpected character '@'"),
        ("'a'", 'unexpected character "\'"'),
        ("\x00", "unexpected character '\\x00'"),
        ("/ x", "unexpected character '/'"),
        ("/* x", "this comment has no end"),
        ('"abc', "this string has no end"),
        ('"abc\n"', "this string has no end"),
        ('"abc\\', "unknown escape in a string"),
        ('"\\q"', "unknown escape in a string"),
        ('"\\x4"', "unknown escape in a string"),
        ('"\\u12"', "unknown escape in a string"),
        ('"\\08"', "unknown escape in a string"),
        ('"\\xe9"', "write \\u00e9 for this character"),
        ('"\\351"', "write \\u00e9 for this character"),
        ('"\\ud800"', "this escape names no character"),
        ('"\\U00110000"', "this escape names no character"),
        ('"${ { }"', "this ${ has no end"),
        ("<<", "<< needs a word and the end of the line"),
        ("<a", "<< needs a word and the end of the line"),
        ("<<A b\nA", "<< needs a word and the end of the line"),
        ("<<A\nb\n", "this heredoc has no closing A"),
        ("<<A\nAA\n", "this heredoc has no closing A"),
    ],
)
def test_what_is_no_token(text: str, message: str) -> None:
    with pytest.raises(HclError) as caught:
        tokens(f"\n{text}")

    assert (message, 2) == (caught.value.message, caught.value.line)


def test_the_line_of_a_fault_within_a_string_is_the_line_of_the_fault() -> None:
    with pytest.raises(HclError) as caught:
        tokens('"${\n}\\q"')

    assert 2 == caught.value.line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('""', ""),
        ('"a b"', "a b"),
        (r'"\a\b\f\n\r\t\v\\\""', '\a\b\f\n\r\t\v\\"'),
        (r'"\101\x41\u0041\U00000041"', "AAAA"),
        (r'"\u00e9\U0001f600"', "é\U0001f600"),
        ('"# // /* */"', "# // /* */"),
        ('"$ $$ a$"', "$ $$ a$"),
        ('"a ${b("c { \\q }")} d"', 'a ${b("c { \\q }")} d'),
        ('"${\n}"', "${\n}"),
        ('"{{identity.entity.id}}"', "{{identity.entity.id}}"),
    ],
)
def test_strings(text: str, value: str) -> None:
    assert [(STRING, value)] == tokens(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<<EOF\nEOF", ""),
        ("<<EOF\none\n  two\nEOF\n", "one\n  two\n"),
        ("<<EOF\r\none\r\nEOF\r\n", "one\r\n"),
        ("<<EOF\n EOFX\n  EOF  ", " EOFX\n"),
        ('<<EOF\n"\\n" ${\nEOF', '"\\n" ${\n'),
        ("<<-EOF\n    one\n      two\n    EOF", "one\n  two\n"),
        ("<<-EOF\n    one\n  two\n    EOF", "    one\n  two\n"),
        ("<<-EOF\none\nEOF", "one\n"),
        ("<<-EOF\n  EOF", ""),
    ],
)
def test_heredocs(text: str, value: str) -> None:
    assert [(STRING, value)] == tokens(text)


def test_text_goes_on_behind_a_heredoc() -> None:
    assert [(STRING, "x\n"), (KEY, "b")] == tokens("<<E\nx\nE\nb")
