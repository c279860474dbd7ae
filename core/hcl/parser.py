"""The grammar of HCL1 text.

Owns which token may follow which. Must not know any key. Line ends mean nothing to HCL 1:
items may stand on one line, with a comma behind each or without.
"""

from core.hcl import lexer
from core.hcl.lexer import END, KEY, LITERAL, STRING, Lexer, Token
from core.hcl.tree import (
    DEPTH_MAX,
    SHOWN_LENGTH_MAX,
    Attribute,
    Block,
    Body,
    HclError,
    Value,
)


def parse_text(text: str) -> Body:
    """Return the tree of an HCL1 text.

    Raises:
        HclError: it is none, or nests deeper than `DEPTH_MAX`.
    """
    return _Parser(text).body(END)


class _Parser:
    """Recursive descent with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self._lexer = Lexer(text)
        self._depth = 0
        self._ahead = self._lexer.next()

    def body(self, end: str) -> Body:
        items: list[Attribute | Block] = []
        while self._ahead.kind != end:
            items.append(self._item())
            if self._ahead.kind == ",":
                self._take()
        return Body(tuple(items))

    def _take(self) -> Token:
        token = self._ahead
        self._ahead = self._lexer.next()
        return token

    def _unexpected(self, expected: str) -> HclError:
        found = self._ahead
        spelled = found.kind in {KEY, STRING, LITERAL}
        shown = ascii(str(found.value)[:SHOWN_LENGTH_MAX]) if spelled else found.kind
        return HclError(f"expected {expected}, found {shown}", found.line)

    def _name(self) -> str:
        if self._ahead.kind not in {KEY, STRING}:
            raise self._unexpected("a key")
        return str(self._take().value)

    def _item(self) -> Attribute | Block:
        line = self._ahead.line
        key = self._name()
        if self._ahead.kind == "=":
            self._take()
            return Attribute(key, self._value(), line)
        labels: list[str] = []
        while self._ahead.kind in {KEY, STRING}:
            labels.append(self._name())
        if self._ahead.kind != "{":
            raise self._unexpected("{" if labels else "= or {")
        return Block(key, tuple(labels), self._braces(), line)

    def _value(self) -> Value:
        match self._ahead.kind:
            case "{":
                return self._braces()
            case "[":
                return self._list()
            case lexer.STRING | lexer.LITERAL:
                return self._take().value
            case _:
                raise self._unexpected("a value")

    def _braces(self) -> Body:
        self._enter()
        body = self.body("}")
        self._leave()
        return body

    def _list(self) -> tuple[Value, ...]:
        self._enter()
        values: list[Value] = []
        while self._ahead.kind != "]":
            values.append(self._value())
            if self._ahead.kind == ",":
                self._take()
            elif self._ahead.kind != "]":
                raise self._unexpected(", or ]")
        self._leave()
        return tuple(values)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise HclError("this is nested too deeply", self._ahead.line)
        self._take()

    def _leave(self) -> None:
        self._depth -= 1
        self._take()
