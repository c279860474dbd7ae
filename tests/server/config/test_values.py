"""What each kind of value may look like."""

import pytest

from core.hcl.tree import Body, Value
from server.config import values
from server.config.values import HostPort, UnfitError, Url

NO_SCALARS: list[Value] = [None, (), Body(())]


def refusal(convert: object, value: Value) -> str:
    assert callable(convert)
    with pytest.raises(UnfitError) as caught:
        convert(value)
    return str(caught.value)


def test_a_text_is_a_string_and_nothing_else() -> None:
    assert "a" == values.text("a")
    for value in (1, 1.5, True, *NO_SCALARS):
        assert "must be a text in quotes" == refusal(values.text, value)


def test_a_boolean_may_be_quoted_or_a_bit() -> None:
    for value in (True, 1, "true", "TRUE", "t", "1"):
        assert values.boolean(value) is True
    for value in (False, 0, "false", "False", "f", "0"):
        assert values.boolean(value) is False
    for other in (2, 1.0, "yes", "", *NO_SCALARS):
        assert "must be true or false" == refusal(values.boolean, other)


def test_a_number_may_be_quoted() -> None:
    assert [5, -5, 0, 5, -5] == [values.integer(value) for value in (5, -5, 0, "5", "-5")]
    for other in (True, 1.0, "", "-", "1.5", "+1", "٣", "9" * 19, *NO_SCALARS):
        assert "must be a whole number" == refusal(values.integer, other)


def test_a_duration_is_a_number_of_seconds_or_a_text() -> None:
    assert [90_000_000_000, 1_500_000_000, 5_400_000_000_000, -1_000_000_000] == [
        values.duration_ns(value) for value in (90, 1.5, "1h30m", "-1s")
    ]
    for other in ("", *NO_SCALARS):
        assert "must be a duration such as 90, 1h30m or 7d" == refusal(values.duration_ns, other)
    expected = "must be a duration: 'soon' is not a duration such as 90, 1h30m or 7d"
    assert expected == refusal(values.duration_ns, "soon")


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("127.0.0.1:8200", "127.0.0.1", 8200),
        ("vault-1.example.com:1", "vault-1.example.com", 1),
        ("[::1]:8200", "[::1]", 8200),
        (":8200", "", 8200),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("a:65535", "a", 65535),
    ],
)
def test_an_address_is_read_and_written_alike(address: str, host: str, port: int) -> None:
    assert HostPort(host, port) == values.host_port(address)
    assert address == str(values.host_port(address))


@pytest.mark.parametrize(
    "address",
    ["", "a", "a:", "a:b", "a:-1", "a:65536", "a:123456", "::1:8200", "::1", "a b:1", "http://a:1"],
)
def test_what_is_no_address(address: str) -> None:
    assert f"must be host:port, not {address!r}" == refusal(values.host_port, address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example.com", Url("https", "a.example.com", None)),
        ("http://10.0.0.1:8200", Url("http", "10.0.0.1", 8200)),
        ("https://[fd00::1]:8200", Url("https", "[fd00::1]", 8200)),
        ("https://a:65535", Url("https", "a", 65535)),
    ],
)
def test_a_url_is_read_and_written_alike(address: str, expected: Url) -> None:
    assert expected == values.url(address) == values.url(f"{address}/")
    assert address == str(expected)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a:8200",
        "tcp://a:8200",
        "HTTPS://a",
        "https://",
        "https://:8200",
        "https://a:0",
        "https://a:65536",
        "https://a:",
        "https://a/b",
        "https://a?b",
        "https://u@a",
        "https://::1:8200",
    ],
)
def test_what_is_no_url(address: str) -> None:
    expected = f"must be a URL such as https://10.0.0.1:8200, not {address!r}"

    assert expected == refusal(values.url, address)


def test_a_template_is_named_as_what_is_lacking() -> None:
    assert "must be a plain address: templates are not available in Holdfast" == refusal(
        values.url, 'http://{{ GetInterfaceIP "eth0" }}:8200'
    )


def test_a_peer_always_speaks_tls_and_needs_a_port() -> None:
    expected = Url("https", "10.0.0.1", 8201)

    assert expected == values.peer_url("http://10.0.0.1:8201")
    assert expected == values.peer_url("https://10.0.0.1:8201")
    assert "must have a port, as in https://10.0.0.1:8201, not 'https://a'" == refusal(
        values.peer_url, "https://a"
    )
