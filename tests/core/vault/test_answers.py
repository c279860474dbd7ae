"""Answers that do not depend on what was asked."""

from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.request import Request, Response
from core.vault import answers

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("answer", "status", "headers"),
    [
        (answers.SEALED, 503, {}),
        (answers.OVERLOADED, 503, {"Retry-After": "1"}),
        (answers.NO_LEADER, 503, {"Retry-After": "1"}),
        (answers.NO_ROOM, 503, {"Retry-After": "1"}),
        (answers.STOPPING, 503, {"Retry-After": "1"}),
        (answers.UNKNOWN_OUTCOME, 500, {}),
        (answers.AUDIT_FAILED, 500, {}),
    ],
)
def test_who_may_come_back_is_told_so(
    answer: Response, status: int, headers: dict[str, str]
) -> None:
    """Each says what is wrong, and nothing else."""
    assert (answer.status, answer.headers) == (status, headers)
    body = msgspec.json.decode(answer.body)
    assert list(body) == ["errors"]
    assert len(body["errors"]) == 1


def test_a_redirection_needs_an_address() -> None:
    """A leader that is not known yet cannot be named."""
    assert answers.redirect("", Request("update", "kv/a")) == answers.NO_LEADER


@settings(max_examples=50)
@given(TEXT, st.dictionaries(TEXT, st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_redirection_leads_to_the_same_path(path: str, parameters: dict[str, str]) -> None:
    """Whatever stands in it: the header is visible ASCII, and reads as it was meant."""
    request = Request("update", path, parameters=parameters)
    location = answers.redirect("https://leader:8200", request).headers["Location"]
    parts = urlsplit(location)

    assert all("!" <= letter <= "~" for letter in location)
    assert (parts.netloc, parts.fragment) == ("leader:8200", "")
    assert unquote(parts.path) == f"/v1/{path}"
    assert dict(parse_qsl(parts.query, keep_blank_values=True)) == parameters
