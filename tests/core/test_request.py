"""Requests and answers as they are handed on."""

import msgspec

from core.request import Request


def test_a_forwarded_request_is_the_same_but_for_who_forwarded_it() -> None:
    """No field is left behind, whichever will be added."""
    request = Request(
        "update", "kv/a", "token", b"{}", {"a": "b"}, {"c": "d"}, "127.0.0.1", 1, "before"
    )

    assert request.forwarded("n2") == msgspec.structs.replace(request, forwarded_from="n2")
