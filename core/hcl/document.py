"""The face of this package: a text, HCL1 or JSON, to one tree.

HCL 1 lets a block be written in several ways, and JSON has only objects. A caller that knows
the names of its blocks passes them in, and all spellings of those come out as `Block`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from core.hcl.json_parser import parse_json
from core.hcl.parser import parse_text
from core.hcl.tree import TEXT_BYTES_MAX, Attribute, Block, Body, HclError, Value

NO_BLOCKS: Final[Mapping[str, int]] = MappingProxyType({})


def parse(text: str, blocks: Mapping[str, int] = NO_BLOCKS) -> Body:
    """Return the tree of `text`, which is JSON if its first character but for blanks is `{`.

    Args:
        text: the document.
        blocks: names of blocks, at any depth, and how many labels each has. An attribute of
            such a name whose value is an object, or a list of objects, becomes blocks; its
            keys become the labels. So `{"path": {"a": {}, "b": [{}, {}]}}` with one label
            for `path` is four lines: `path "a" {}`, and `path "b" {}` twice.

    Raises:
        HclError: the text is neither, or is larger or deeper than the bounds in `tree`.
    """
    _check_size(text)
    text = text.removeprefix("\ufeff")
    is_json = text.lstrip(" \t\r\n").startswith("{")
    return _with_blocks(parse_json(text) if is_json else parse_text(text), blocks)


def _check_size(text: str) -> None:
    try:
        size_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise HclError("half of a surrogate pair", text.count("\n", 0, error.start) + 1) from None
    if size_bytes > TEXT_BYTES_MAX:
        raise HclError(f"the text is longer than {TEXT_BYTES_MAX} bytes", 1)


def _with_blocks(body: Body, blocks: Mapping[str, int]) -> Body:
    items: list[Attribute | Block] = []
    for item in body.items:
        labels, value = _parts(item)
        if isinstance(item, Block):
            missing = max(0, blocks.get(item.key, 0) - len(labels))
            found = _expand(item.key, labels, missing, value, item.line)
        elif item.key in blocks:
            found = _expand(item.key, labels, blocks[item.key], value, item.line)
        else:
            found = None
        if found is None:
            items.append(item)
        else:
            items += (
                Block(block.key, block.labels, _with_blocks(block.body, blocks), block.line)
                for block in found
            )
    return Body(tuple(items))


def _parts(item: Attribute | Block) -> tuple[tuple[str, ...], Value]:
    return (item.labels, item.body) if isinstance(item, Block) else ((), item.value)


def _expand(
    key: str, labels: tuple[str, ...], missing: int, value: Value, line: int
) -> list[Block] | None:
    """Return the blocks that `value` holds, or None if anything else is among them."""
    if value == ():  # an empty list holds no block to carry its key
        return None
    found: list[Block] = []
    for body in value if isinstance(value, tuple) else (value,):
        if not isinstance(body, Body):
            return None
        if missing <= 0:
            found.append(Block(key, labels, body, line))
            continue
        for item in body.items:
            further, inner = _parts(item)
            named = (*labels, item.key, *further)
            below = _expand(key, named, missing - 1 - len(further), inner, item.line)
            if below is None:
                return None
            found += below
    return found
