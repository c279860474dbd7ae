"""Merge patches and skeletons of JSON objects."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engines.kv_v2.json_tree import merge_patch, skeleton

# RFC 7396, appendix A: the cases whose target and patch are objects.
RFC_7396 = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


def reference(target: object, patch: object) -> object:
    """The pseudocode of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    if not isinstance(target, dict):
        target = {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = reference(target.get(name), value)
    return target


@pytest.mark.parametrize(("target", "patch", "merged"), RFC_7396)
def test_merge_patch_as_in_the_rfc(target: str, patch: str, merged: str) -> None:
    assert merge_patch(target.encode(), patch.encode()) == merged.encode()


@pytest.mark.slow
@given(OBJECT, OBJECT)
def test_merge_patch_as_in_the_rfcs_pseudocode(target: object, patch: object) -> None:
    merged = merge_patch(json.dumps(target).encode(), json.dumps(patch).encode())
    assert json.loads(merged) == reference(target, patch)


def test_numbers_stay_as_they_were_written() -> None:
    target = b'{"a":1.10,"b":1E400,"c":[-0.0,1e-2]}'
    patch = b'{"d":0.30,"e":123456789012345678901234567890}'
    assert merge_patch(target, patch) == target[:-1] + b"," + patch[1:]


def test_depth_costs_no_recursion() -> None:
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    assert merge_patch(b"{}", deep) == deep
    assert merge_patch(deep, b'{"b":1}') == deep[:-1] + b',"b":1}'


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (0, {"a": None, "b": None, "c": {"d": None, "e": {"f": None}}}),
        (1, {"a": None, "b": None, "c": None}),
        (2, {"a": None, "b": None, "c": {"d": None, "e": None}}),
        (3, {"a": None, "b": None, "c": {"d": None, "e": {"f": None}}}),
        (-1, {"a": None, "b": None, "c": None}),
    ],
)
def test_skeleton(depth: int, expected: object) -> None:
    text = b'{"a":[{"x":1}],"b":{},"c":{"d":1.5,"e":{"f":"secret"}}}'
    assert skeleton(text, depth) == expected
