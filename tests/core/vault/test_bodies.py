"""Bodies of requests, and how much of them is taken."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engines.call import RequestError
from core.vault import bodies

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def nested(depth: int) -> bytes:
    """Return an object that many levels deep."""
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def refusal(body: bytes) -> str:
    with pytest.raises(RequestError) as refused:
        bodies.decode(body)
    assert refused.value.status == 400
    return refused.value.messages[0]


@settings(max_examples=20)
@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_an_object_is_taken_as_it_is(body: dict[str, object]) -> None:
    """And each of its fields as the text that was sent."""
    encoded = msgspec.json.encode(body)

    assert bodies.decode(encoded) == body
    fields = bodies.fields(encoded)
    assert {name: msgspec.json.decode(raw) for name, raw in fields.items()} == body


@pytest.mark.parametrize("body", [b"", b" \r\n", b"null", b" null\n"])
def test_no_body_is_an_empty_object(body: bytes) -> None:
    """As many requests have none; clients written in Go send null then."""
    assert (bodies.decode(body), bodies.fields(body)) == ({}, {})


def test_a_field_keeps_what_a_decoder_would_lose() -> None:
    """Large numbers and their form."""
    raw = bodies.fields(b'{"a": 1.50, "b": 12345678901234567890123 }')

    assert {name: bytes(text) for name, text in raw.items()} == {
        "a": b"1.50",
        "b": b"12345678901234567890123",
    }


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"nul", b"nullnull", b"7", b"{}x", b'{"\xff":1}', b"[" * 10**5]
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """Whatever else it is."""
    assert refusal(body).startswith("failed to parse JSON input: ")


def test_a_number_that_no_float_holds_is_kept_as_text() -> None:
    """JSON has no bounds for numbers, and Go keeps them as they are written."""
    decoded = bodies.decode(b'{"a": 1e400, "b": [-1E9999], "c": 1e308, "d": 12345678901234567890}')

    assert bytes(decoded["a"]) == b"1e400"
    assert bytes(decoded["b"][0]) == b"-1E9999"
    assert (decoded["c"], decoded["d"]) == (1e308, 12345678901234567890)


@pytest.mark.parametrize("text", [rb"\ud800", rb"\uDBFFx", rb"\udc00", rb"\\\ud800\ud800\udc00"])
def test_half_a_surrogate_pair_is_named_as_the_fault(text: bytes) -> None:
    """In a value as in a name, and behind a megabyte of others."""
    reason = r"a text has half a surrogate pair, such as \ud800 alone"
    for body in (b'{"a":"%b"}', b'{"%b":1}', b'{"a":"' + rb"\ud83d\ude00" * 80_000 + b'%b"}'):
        assert refusal(body % text) == f"failed to parse JSON input: {reason}"


@pytest.mark.parametrize("text", [rb"\\ud800", rb"\ud83d\ude00", rb"\\\\udc00"])
def test_what_only_looks_like_half_a_pair_is_no_fault(text: bytes) -> None:
    """But that of an end that is missing."""
    assert bodies.decode(b'{"a":"%b"}' % text)
    assert refusal(b'{"a":"%b"' % text) == "failed to parse JSON input: Input data was truncated"


def test_other_faults_of_texts_and_numbers_are_named() -> None:
    """And not by what the decoder stumbles over."""
    assert refusal(b'{"a":"\xff"}') == "failed to parse JSON input: a text is not UTF-8"
    digits = b"9" * bodies.DIGITS_MAX
    assert bodies.decode(b'{"a":%b}' % digits) == {"a": int(digits)}
    reason = f"a whole number has more than {bodies.DIGITS_MAX} digits"
    assert refusal(b'{"a":%b9}' % digits) == f"failed to parse JSON input: {reason}"


def test_limits_are_reached_and_not_exceeded() -> None:
    """One more is one too many, at any place."""
    depth, length, count = bodies.DEPTH_MAX, bodies.STRING_BYTES_MAX, bodies.ENTRIES_MAX
    assert bodies.decode(nested(depth)) != {}
    for too_deep in (depth + 1, 100_000):
        assert refusal(nested(too_deep)) == "JSON input exceeds the depth limit of 500"
    text = "ä" * (length // 2)
    for body, longer in (
        ({"a": [text]}, {"a": [text + "x"]}),
        ({text: 1}, {text + "x": 1}),
    ):
        assert bodies.decode(msgspec.json.encode(body)) == body
        exceeded = refusal(msgspec.json.encode(longer))
        assert exceeded == "JSON input exceeds the string limit of 1048576"
    for many in ([0] * count, {str(number): 0 for number in range(count)}):
        assert bodies.decode(msgspec.json.encode({"a": many})) == {"a": many}
    for many in ([0] * (count + 1), {str(number): 0 for number in range(count + 1)}):
        exceeded = refusal(msgspec.json.encode({"a": {"b": many}}))
        assert exceeded == "JSON input exceeds the limit of 10000 entries"
