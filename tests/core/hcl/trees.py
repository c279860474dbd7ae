"""Generated trees, their spelling as HCL1 and as JSON, and trees without line numbers."""

import json

from hypothesis import strategies as st

from core.hcl.tree import INTEGER_MAX, INTEGER_MIN, Attribute, Block, Body, Value

names = st.from_regex(r"[a-z_][a-z0-9_.-]{0,6}", fullmatch=True).filter(
    lambda name: name not in {"true", "false"}
)
# `$` is left out of texts, as `${` would start an interpolation.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$"), max_size=8)
scalars = (
    texts
    | st.booleans()
    | st.integers(INTEGER_MIN, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
)


def _containers(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.lists(inner, max_size=3).map(tuple) | bodies(inner)


def bodies(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Body]:
    attributes = st.builds(Attribute, names, values, st.just(0))
    return st.lists(attributes, max_size=3).map(lambda items: Body(tuple(items)))


values: st.SearchStrategy[Value] = st.recursive(scalars, _containers, max_leaves=8)
attributes = st.builds(Attribute, names | texts, values, st.just(0))
blocks = st.recursive(
    st.builds(Block, names, st.just(()), st.just(Body(())), st.just(0)),
    lambda inner: st.builds(
        Block,
        names,
        st.lists(texts, max_size=2).map(tuple),
        st.lists(attributes | inner, max_size=3).map(lambda items: Body(tuple(items))),
        st.just(0),
    ),
    max_leaves=5,
)
documents = st.lists(attributes | blocks, max_size=4).map(lambda items: Body(tuple(items)))


def without_lines(body: Body) -> Body:
    return Body(tuple(_item_without_line(item) for item in body.items))


def _item_without_line(item: Attribute | Block) -> Attribute | Block:
    if isinstance(item, Block):
        return Block(item.key, item.labels, without_lines(item.body), 0)
    return Attribute(item.key, _value_without_lines(item.value), 0)


def _value_without_lines(value: Value) -> Value:
    if isinstance(value, tuple):
        return tuple(_value_without_lines(element) for element in value)
    return without_lines(value) if isinstance(value, Body) else value


def as_hcl(body: Body) -> str:
    return "\n".join(_hcl_item(item) for item in body.items)


def as_json(body: Body) -> str:
    return _json_value(body)


def _hcl_item(item: Attribute | Block) -> str:
    if isinstance(item, Attribute):
        return f"{_quoted(item.key)} = {_hcl_value(item.value)}"
    labels = "".join(f" {_quoted(label)}" for label in item.labels)
    return f"{_quoted(item.key)}{labels} {{\n{as_hcl(item.body)}\n}}"


def _hcl_value(value: Value) -> str:
    match value:
        case Body():
            return f"{{ {as_hcl(value)} }}"
        case tuple():
            return f"[{', '.join(map(_hcl_value, value))}]"
        case str():
            return _quoted(value)
        case bool():
            return str(value).lower()
        case _:
            return repr(value)


def _quoted(text: str) -> str:
    return '"' + "".join(_spelled(character) for character in text) + '"'


def _spelled(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return f"\\U{ord(character):08x}" if ord(character) < 32 else character


def _json_value(value: Value) -> str:
    match value:
        case Body(items):
            assert all(isinstance(item, Attribute) for item in items)
            members = (
                f"{json.dumps(item.key)}: {_json_value(item.value)}"
                for item in items
                if isinstance(item, Attribute)
            )
            return f"{{{', '.join(members)}}}"
        case tuple():
            return f"[{', '.join(map(_json_value, value))}]"
        case _:
            return json.dumps(value)
