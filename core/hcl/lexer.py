r"""Tokens of HCL1 text.

Owns spelling: blanks, comments, strings with their escapes, heredocs, numbers. Must not know
which token may follow which. The rules are those of HashiCorp's HCL 1 scanner, with one
difference: bytes above 0x7f cannot be spelled as `\x` or octal, as a string is text here.
"""

import re
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec

from core.hcl.tree import HclError, number

END: Final = "end of text"
KEY: Final = "identifier"
STRING: Final = "string"
LITERAL: Final = "literal"
"""A number or a bool."""

PUNCTUATION: Final = "{}[],="
"""Tokens that are their own kind."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*|//[^\n]*|/\*.*?\*/)*+", re.DOTALL)
_IDENTIFIER: Final = re.compile(r"[^\W\d][\w.-]*")
_NUMBER: Final = re.compile(
    r"-?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
)
_PLAIN: Final = re.compile(r'[^"\\$\n]+')
_BRACE: Final = re.compile(r"[{}]")
_ESCAPE: Final = re.compile(
    r'\\(?:([abfnrtv\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))'
)
_SIMPLE_ESCAPES: Final = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))
_BASES: Final = (0, 0, 8, 16, 16, 16)
"""Base of the digits in each group of `_ESCAPE`."""
_ASCII_MAX: Final = 0x7F
_RAW_BYTE_GROUP_MAX: Final = 3
"""The last group of `_ESCAPE` that spells a byte rather than a code point."""
_HEREDOC: Final = re.compile(r"<<(-?)(\w+)\r?\n")
_SURROGATES: Final = range(0xD800, 0xE000)
_CODE_POINT_MAX: Final = 0x10FFFF


class Token(msgspec.Struct, frozen=True, gc=False):
    """One token.

    Attributes:
        kind: `END`, `KEY`, `STRING`, `LITERAL`, or one character of `PUNCTUATION`.
        value: what it says, with escapes resolved.
        line: where it starts, counted from 1.
    """

    kind: str
    value: str | float
    line: int


class Lexer:
    """A text that gives away its tokens one by one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._line = 1

    def next(self) -> Token:
        """Return the next token; at the end of the text, `END` again and again.

        Raises:
            HclError: no token is spelled like this.
        """
        blank = _BLANK.match(self._text, self._position)
        assert blank is not None  # it matches the empty text, too
        self._advance(blank.end())
        if self._position == len(self._text):
            return Token(END, "", self._line)
        first = self._text[self._position]
        if first in PUNCTUATION:
            return self._token(first, first, self._position + 1)
        return self._SPELLINGS.get(first, Lexer._word)(self)

    def _advance(self, end: int) -> None:
        self._line += self._text.count("\n", self._position, end)
        self._position = end

    def _token(self, kind: str, value: str | float, end: int) -> Token:
        token = Token(kind, value, self._line)
        self._advance(end)
        return token

    def _error(self, message: str, position: int) -> HclError:
        newlines = self._text.count("\n", self._position, position)
        return HclError(message, self._line + newlines)

    def _word(self) -> Token:
        found = _IDENTIFIER.match(self._text, self._position)
        if found is None:
            first = self._text[self._position]
            raise self._error(f"unexpected character {first!a}", self._position)
        word = found.group()
        if word in {"true", "false"}:
            return self._token(LITERAL, word == "true", found.end())
        return self._token(KEY, word, found.end())

    def _number(self) -> Token:
        found = _NUMBER.match(self._text, self._position)
        if found is None:
            raise self._error("a number needs digits", self._position)
        if _IDENTIFIER.match(self._text, found.end()):
            raise self._error("letters follow this number; quote the whole", self._position)
        return self._token(LITERAL, number(found.group(), self._line), found.end())

    def _slash(self) -> Token:
        # Whole comments were skipped as blanks, so that this one has no end.
        unfinished = self._text.startswith("/*", self._position)
        message = "this comment has no end" if unfinished else "unexpected character '/'"
        raise self._error(message, self._position)

    def _string(self) -> Token:
        parts: list[str] = []
        position = self._position + 1
        while True:
            plain = _PLAIN.match(self._text, position)
            if plain is not None:
                parts.append(plain.group())
                position = plain.end()
            character = self._text[position : position + 1]
            if character == '"':
                return self._token(STRING, "".join(parts), position + 1)
            if character == "\\":
                part, position = self._escape(position)
            elif character == "$":
                part, position = self._interpolation(position)
            else:
                raise self._error("this string has no end", self._position)
            parts.append(part)

    def _escape(self, position: int) -> tuple[str, int]:
        found = _ESCAPE.match(self._text, position)
        if found is None or found.lastindex is None:
            raise self._error("unknown escape in a string", position)
        digits = found.group(found.lastindex)
        if found.lastindex == 1:
            return _SIMPLE_ESCAPES[digits], found.end()
        code = int(digits, _BASES[found.lastindex])
        if found.lastindex <= _RAW_BYTE_GROUP_MAX and code > _ASCII_MAX:
            raise self._error(f"write \\u{code:04x} for this character", position)
        if code > _CODE_POINT_MAX or code in _SURROGATES:
            raise self._error("this escape names no character", position)
        return chr(code), found.end()

    def _interpolation(self, position: int) -> tuple[str, int]:
        """Return `${...}` as it stands, quotes and inner braces included, or a lone `$`."""
        if not self._text.startswith("${", position):
            return "$", position + 1
        depth = 0
        for brace in _BRACE.finditer(self._text, position):
            depth += 1 if brace.group() == "{" else -1
            if depth == 0:
                return self._text[position : brace.end()], brace.end()
        raise self._error("this ${ has no end", position)

    def _heredoc(self) -> Token:
        opening = _HEREDOC.match(self._text, self._position)
        if opening is None:
            raise self._error("<< needs a word and the end of the line", self._position)
        closing = re.compile(rf"^([ \t]*){opening[2]}[ \t\r]*$", re.MULTILINE)
        found = closing.search(self._text, opening.end())
        if found is None:
            raise self._error(f"this heredoc has no closing {opening[2]}", self._position)
        content = self._text[opening.end() : found.start()]
        if opening[1]:
            content = _unindented(content, found[1])
        return self._token(STRING, content, found.end())

    _SPELLINGS: ClassVar[dict[str, Callable[["Lexer"], Token]]] = {
        '"': _string,
        "<": _heredoc,
        "/": _slash,
        **dict.fromkeys("-.0123456789", _number),
    }
    """What starts with each character; all else is a word."""


def _unindented(content: str, indent: str) -> str:
    """Take the closing word's indent from each line, if all lines have it."""
    *lines, rest = content.split("\n")
    if not all(line.startswith(indent) for line in lines):
        return content
    return "\n".join([*(line[len(indent) :] for line in lines), rest])
