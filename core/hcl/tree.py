"""What a document comes to: attributes and blocks in the order of the text, with line numbers.

Nothing is merged and nothing is dropped here, so that a caller can see a duplicate and name
the line of whatever displeases it.
"""

from math import isfinite
from typing import Final, TypeAlias

import msgspec

TEXT_BYTES_MAX: Final = 1 << 20
"""Bytes of one document in UTF-8."""

DEPTH_MAX: Final = 64
"""Blocks, objects and lists within each other; the parsers recurse once per level."""

INTEGER_MIN: Final = -(1 << 63)
INTEGER_MAX: Final = (1 << 63) - 1
"""Whole numbers are those of 64 bits, as in every other implementation of HCL."""

NUMBER_LENGTH_MAX: Final = 64
"""Characters of one number."""

SHOWN_LENGTH_MAX: Final = 40
"""Characters of the text that an error repeats."""


class HclError(Exception):
    """The text is not a document.

    Attributes:
        message: what is wrong, without the place.
        line: where, counted from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line


class Attribute(msgspec.Struct, frozen=True):
    """`key = value`, or a member of a JSON object."""

    key: str
    value: "Value"
    line: int


class Block(msgspec.Struct, frozen=True):
    """`key "label" { ... }`."""

    key: str
    labels: tuple[str, ...]
    body: "Body"
    line: int


class Body(msgspec.Struct, frozen=True):
    """What stands between braces, or a whole document; an object is the same as a value."""

    items: tuple[Attribute | Block, ...]


Value: TypeAlias = str | int | float | bool | tuple["Value", ...] | Body | None
"""A list is a tuple; None is JSON's `null`, which HCL text cannot say."""


def number(text: str, line: int) -> int | float:
    """Return the number that `text` spells: decimal, `0x` hexadecimal, `0` octal, or a float.

    Raises:
        HclError: it is too long, too large, or no octal number despite its leading zero.
    """
    if len(text) > NUMBER_LENGTH_MAX:
        raise HclError("this number is too long", line)
    digits = text.removeprefix("-")
    try:
        if digits[:2] in {"0x", "0X"}:
            value: int | float = int(text, 16)
        elif not digits.isdecimal():
            value = float(text)
        else:
            value = int(text, 8 if digits[0] == "0" else 10)
    except ValueError:
        raise HclError(f"{text} is not a number", line) from None
    # A float beyond its range has become an infinity.
    within = INTEGER_MIN <= value <= INTEGER_MAX if isinstance(value, int) else isfinite(value)
    if not within:
        raise HclError(f"{text} is out of range", line)
    return value
