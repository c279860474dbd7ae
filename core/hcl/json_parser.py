"""JSON documents (RFC 8259), mapped to the same tree as HCL1 text.

Owns the grammar of JSON with line numbers, the order of members and duplicates, which the
usual decoders lose. Must not know any key.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from core.hcl.tree import DEPTH_MAX, SHOWN_LENGTH_MAX, Attribute, Body, HclError, Value, number

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_TOKEN: Final = re.compile(
    r"""([{}\[\],:])
    |("[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")
    |(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(true|false|null)\b""",
    re.VERBOSE,
)
_PUNCTUATION, _STRING, _NUMBER, _WORD, _END = range(1, 6)
_WORDS: Final = {"true": True, "false": False, "null": None}


def parse_json(text: str) -> Body:
    """Return the tree of a JSON document, whose outermost value must be an object.

    Raises:
        HclError: it is none, or nests deeper than `DEPTH_MAX`.
    """
    parser = _Parser(text)
    body = parser.object()
    parser.end()
    return body


class _Parser:
    """Recursive descent with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._line = 1
        self._depth = 0
        self._group = _END
        self._ahead = ""
        self._next()

    def object(self) -> Body:
        self._enter("{")
        items: list[Attribute] = []
        while not (self._is("}") and not items):
            line = self._line
            key = self._string()
            self._expect(":")
            items.append(Attribute(key, self._value(), line))
            if not self._is(","):
                break
            self._next()
        self._leave("}")
        return Body(tuple(items))

    def end(self) -> None:
        if self._group != _END:
            raise self._unexpected("the end of the text")

    def _next(self) -> None:
        blank = _BLANK.match(self._text, self._position)
        assert blank is not None  # it matches the empty text, too
        # Strings hold no line ends, so that only blanks move the line.
        self._line += blank.group().count("\n")
        self._position = blank.end()
        if self._position == len(self._text):
            self._group, self._ahead = _END, "end of text"
            return
        found = _TOKEN.match(self._text, self._position)
        if found is None or found.lastindex is None:
            first = self._text[self._position]
            raise HclError(f"no JSON value starts with {first!a}", self._line)
        self._group, self._ahead = found.lastindex, found.group()
        self._position = found.end()

    def _unexpected(self, expected: str) -> HclError:
        return HclError(
            f"expected {expected}, found {self._ahead[:SHOWN_LENGTH_MAX]!a}", self._line
        )

    def _is(self, punctuation: str) -> bool:
        return self._group == _PUNCTUATION and self._ahead == punctuation

    def _expect(self, punctuation: str) -> None:
        if not self._is(punctuation):
            raise self._unexpected(punctuation)
        self._next()

    def _string(self) -> str:
        if self._group != _STRING:
            raise self._unexpected("a key in quotes")
        return str(self._value())

    def _value(self) -> Value:
        if self._is("{"):
            return self.object()
        if self._is("["):
            return self._array()
        convert = _SCALARS.get(self._group)
        if convert is None:
            raise self._unexpected("a value")
        text, line = self._ahead, self._line
        self._next()
        return convert(text, line)

    def _array(self) -> tuple[Value, ...]:
        self._enter("[")
        values: list[Value] = []
        while not (self._is("]") and not values):
            values.append(self._value())
            if not self._is(","):
                break
            self._next()
        self._leave("]")
        return tuple(values)

    def _enter(self, punctuation: str) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise HclError("this is nested too deeply", self._line)
        self._expect(punctuation)

    def _leave(self, punctuation: str) -> None:
        self._depth -= 1
        self._expect(punctuation)


def _unquoted(text: str, line: int) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except msgspec.DecodeError:
        raise HclError("unknown escape in a string", line) from None


def _constant(text: str, _line: int) -> bool | None:
    return _WORDS[text]


_SCALARS: Final[dict[int, Callable[[str, int], Value]]] = {
    _STRING: _unquoted,
    _NUMBER: number,
    _WORD: _constant,
}
