"""The one entry makes requests of what clients send, or answers as Vault does."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.request import Operation, Request, Response
from net.http.requests import (
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PARAMETERS_MAX,
    TIMED_OUT,
    TOO_LARGE,
    Client,
    Fields,
    enter,
    merge_lines,
    read_fields,
    refusal,
)

CLIENT = Client("192.0.2.1", 4711)
NO_FIELDS = Fields("", "", {})


def entered(
    target: bytes = b"/v1/a",
    method: bytes = b"GET",
    body: bytes = b"",
    media_type: str = "",
) -> Request:
    """Return the request that this becomes."""
    request = enter(method, target, Fields("", media_type, {}), body, CLIENT)
    assert isinstance(request, Request)
    return request


def refused(
    target: bytes = b"/v1/a",
    method: bytes = b"GET",
    body: bytes = b"",
    media_type: str = "",
) -> Response:
    """Return the answer that this gets."""
    response = enter(method, target, Fields("", media_type, {}), body, CLIENT)
    assert isinstance(response, Response)
    return response


def test_everything_that_was_sent_arrives() -> None:
    fields = Fields("token", "application/json", {"x-vault-namespace": "n"})

    request = enter(b"POST", b"/v1/secret/data/a?x=1&y=", fields, b"{}", CLIENT)

    assert request == Request(
        operation="update",
        path="secret/data/a",
        token="token",
        body=b"{}",
        parameters={"x": "1", "y": ""},
        headers={"x-vault-namespace": "n"},
        client_address="192.0.2.1",
        client_port=4711,
    )


@pytest.mark.parametrize(
    ("method", "operation"),
    [
        (b"GET", "read"),
        (b"HEAD", "read"),
        (b"LIST", "list"),
        (b"POST", "update"),
        (b"PUT", "update"),
        (b"DELETE", "delete"),
    ],
)
def test_verbs_become_operations(method: bytes, operation: Operation) -> None:
    assert operation == entered(method=method).operation


@pytest.mark.parametrize("method", [b"OPTIONS", b"SCAN", b"TRACE", b"get"])
def test_other_verbs_are_not_allowed(method: bytes) -> None:
    assert METHOD_NOT_ALLOWED == refused(method=method)
    assert (405, b'{"errors":[]}') == (METHOD_NOT_ALLOWED.status, METHOD_NOT_ALLOWED.body)


@pytest.mark.parametrize(
    ("method", "target", "operation", "path"),
    [
        (b"LIST", b"/v1/a", "list", "a/"),
        (b"LIST", b"/v1/a/", "list", "a/"),
        (b"GET", b"/v1/a?list=true", "list", "a/"),
        (b"GET", b"/v1/a/?list=1", "list", "a/"),
        (b"GET", b"/v1/a?list=false", "read", "a"),
        (b"GET", b"/v1/a?list=", "read", "a"),
        (b"HEAD", b"/v1/a?list=true", "read", "a"),
        (b"DELETE", b"/v1/a?list=true", "delete", "a"),
        (b"GET", b"/v1/a/", "read", "a/"),
    ],
)
def test_lists(method: bytes, target: bytes, operation: Operation, path: str) -> None:
    request = entered(target, method)

    assert (operation, path) == (request.operation, request.path)


def test_a_list_that_is_no_boolean_is_refused() -> None:
    expected = refusal(400, 'invalid boolean "maybe" for "list"')

    assert expected == refused(b"/v1/a?list=maybe")


@pytest.mark.parametrize("method", [b"GET", b"POST", b"LIST"])
def test_help_is_asked_for_by_parameter(method: bytes) -> None:
    request = entered(b"/v1/a?help=1", method, b"{}")

    assert ("help", "a", b"") == (request.operation, request.path, request.body)


def test_help_without_a_value_is_none() -> None:
    assert "read" == entered(b"/v1/a?help=").operation


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/v1/secret/data/a-b_c.d~e", "secret/data/a-b_c.d~e"),
        (b"/v1/a%20b", "a b"),
        (b"/v1/%C3%A4", "ä"),
        (b"/v1/a+b", "a+b"),
        (b"/v1/.hidden", ".hidden"),
        (b"/v1/..a/b..", "..a/b.."),
        (b"/v1//a///b/", "a/b/"),
        (b"//v1/a", "a"),
        (b"/v1/a:b@c;d=e", "a:b@c;d=e"),
        (b"http://127.0.0.1:8200/v1/a", "a"),
        (b"HTTPS://host/v1/a", "a"),
        (b"/v1/a?b/../c", "a"),
        (b"/v1/a%2Fb%2fc", "a/b/c"),
        (b"/v1/a%2F%2Fb/", "a/b/"),
        (b"/v1/a%252Fb", "a%2Fb"),
    ],
)
def test_paths_are_decoded(target: bytes, path: str) -> None:
    assert path == entered(target).path


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (b"/v1/a/../b", "relative paths are not supported"),
        (b"/v1/..", "relative paths are not supported"),
        (b"/v1/a/./b", "relative paths are not supported"),
        (b"/v1/%2e%2E/b", "relative paths are not supported"),
        (b"/../etc", "relative paths are not supported"),
        (b"/v1/a%2F..%2fb", "relative paths are not supported"),
        (b"/v1/a%00", "the path has non-printable characters"),
        (b"/v1/a%0A", "the path has non-printable characters"),
        (b"/v1/a%7f", "the path has non-printable characters"),
        (b"/v1/%E2%80%AE", "the path has non-printable characters"),
        (b"/v1/%FF", "the path is not UTF-8"),
        (b"/v1/%C3", "the path is not UTF-8"),
        (b"/v1/a%", "the path has an invalid escape"),
        (b"/v1/a%zz", "the path has an invalid escape"),
        (b"/v1/a?b=%FF", "error parsing the query string"),
        (b"/v1/a?\xff=b", "error parsing the query string"),
        (b"/v1/a?" + b"a&" * PARAMETERS_MAX + b"a", "error parsing the query string"),
    ],
)
def test_odd_paths_are_refused(target: bytes, message: str) -> None:
    assert refusal(400, message) == refused(target)


def test_the_last_of_repeated_parameters_counts() -> None:
    assert {"a": "2", "b": ""} == entered(b"/v1/a?a=1&b&a=2").parameters


def test_parameters_are_decoded() -> None:
    assert {"a b": "ä&/"} == entered(b"/v1/a?a+b=%C3%A4%26%2F").parameters


@pytest.mark.parametrize("target", [b"/", b"//", b"/ui", b"/ui/", b"http://a", b"http://a/"])
def test_whoever_looks_for_a_web_page_is_told_that_there_is_none(target: bytes) -> None:
    assert refusal(404, "there is no web page here: the API is below /v1/") == refused(target)


@pytest.mark.parametrize("target", [b"/v1", b"/ui/a", b"/v2/a", b"/v", b"*", b"/metrics"])
def test_other_paths_are_not_found(target: bytes) -> None:
    assert NOT_FOUND == refused(target)
    assert (404, b'{"errors":[]}') == (NOT_FOUND.status, NOT_FOUND.body)


def test_an_empty_path_has_no_handler() -> None:
    expected = refusal(404, 'no handler for route "". route entry not found.')

    assert expected == refused(b"/v1/")
    assert expected == refused(b"/v1//", b"LIST")


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"LIST", b"DELETE"])
def test_operations_without_a_body_drop_it(method: bytes) -> None:
    assert b"" == entered(method=method, body=b"{}").body


def test_a_patch_has_to_say_that_it_is_one() -> None:
    merge_patch = "application/merge-patch+json"
    expected = refusal(415, f"PATCH requires Content-Type of {merge_patch}, provided text/plain")

    request = entered(method=b"PATCH", body=b"{}", media_type=merge_patch)

    assert ("patch", b"{}") == (request.operation, request.body)
    assert expected == refused(method=b"PATCH", body=b"{}", media_type="text/plain")
    assert 415 == refused(method=b"PATCH", body=b"{}").status


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (b"a=1", {"a": "1"}),
        (b"a=1&b=&a=2&c", {"a": ["1", "2"], "b": "", "c": ""}),
        (b"a+b=%C3%A4", {"a b": "ä"}),
    ],
)
def test_forms_become_json(form: bytes, expected: object) -> None:
    body = entered(method=b"POST", body=form, media_type="application/x-www-form-urlencoded").body

    assert expected == msgspec.json.decode(body)


@pytest.mark.parametrize("body", [b'{"a":1}', b" [1]", b""])
def test_json_that_is_announced_as_a_form_stays(body: bytes) -> None:
    form = "application/x-www-form-urlencoded"

    assert body == entered(method=b"PUT", body=body, media_type=form).body


@pytest.mark.parametrize("body", [b"a=%FF", b"\xff", b"a&" * (PARAMETERS_MAX + 1)])
def test_bad_forms_are_refused(body: bytes) -> None:
    form = "application/x-www-form-urlencoded"

    assert refusal(400, "error parsing form data") == refused(
        method=b"PUT", body=body, media_type=form
    )


def test_a_body_of_another_type_is_passed_on() -> None:
    assert b"a=1" == entered(method=b"PUT", body=b"a=1", media_type="text/plain").body


@given(st.binary(max_size=24), st.sampled_from([b"GET", b"LIST", b"PUT", b"PATCH", b"X"]))
def test_whatever_enters_is_clean(target: bytes, method: bytes) -> None:
    outcome = enter(method, b"/v1/" + target, NO_FIELDS, b"", CLIENT)

    if isinstance(outcome, Response):
        assert outcome.status in (307, 400, 404, 405, 415)
    else:
        segments = outcome.path.removesuffix("/").split("/")
        assert outcome.path.isprintable()
        assert not {"", ".", ".."} & set(segments)


def test_fields_are_read() -> None:
    fields = read_fields(
        {
            b"x-vault-token": b"t",
            b"authorization": b"Bearer b",
            b"content-type": b"Application/JSON; charset=utf-8",
            b"x-vault-wrap-ttl": b"60s",
            b"user-agent": b"hvac",
            b"x-forwarded-for": b"192.0.2.9",
        }
    )

    expected = {"x-vault-wrap-ttl": "60s", "user-agent": "hvac"}
    assert Fields("t", "application/json", expected) == fields


@pytest.mark.parametrize(
    ("authorization", "token"),
    [(b"Bearer  b ", "b"), (b"bearer b", ""), (b"Basic b", ""), (b"Bearer", ""), (b"", "")],
)
def test_a_bearer_token_is_a_token(authorization: bytes, token: str) -> None:
    assert token == read_fields({b"authorization": authorization, b"x-vault-token": b""}).token


def test_of_repeated_lines_the_first_counts_unless_they_are_forwarded() -> None:
    lines = [
        (b"x-vault-mfa", b"a:1"),
        (b"x-vault-token", b"t"),
        (b"x-vault-mfa", b"b:2"),
        (b"x-vault-token", b"u"),
    ]

    assert {b"x-vault-mfa": b"a:1,b:2", b"x-vault-token": b"t"} == merge_lines(lines)


def test_refusals_have_the_shape_of_vault() -> None:
    assert Response(400, b'{"errors":["a","b"]}') == refusal(400, "a", "b")
    assert (408, 413) == (TIMED_OUT.status, TOO_LARGE.status)
