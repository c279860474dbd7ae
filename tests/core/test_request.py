"""Requests and answers as they are handed on."""

import msgspec

from core.effects import AskCluster, ClusterAddress, IssueIdentity
from core.node.initialising import Beginning
from core.request import Request, Response


def test_a_forwarded_request_is_the_same_but_for_who_forwarded_it() -> None:
    """No field is left behind, whichever will be added."""
    request = Request(
        "update", "kv/a", "token", b"{}", {"a": "b"}, {"c": "d"}, "127.0.0.1", 1, "before"
    )

    assert request.forwarded("n2") == msgspec.structs.replace(request, forwarded_from="n2")


def test_what_may_be_secret_is_not_shown() -> None:
    """Whoever logs a record, or an error that quotes one, gives nothing away."""
    address = ClusterAddress("https://a:8200", client_key="hidden")
    records = (
        Request("update", "kv/a", "hidden", b"hidden"),
        Response(200, b"hidden"),
        address,
        AskCluster(1, address, "sys/a", b"hidden"),
        IssueIdentity(b"hidden", b"hidden", b"hidden", "c"),
        Beginning({b"hidden": b"hidden"}, Response(200), b"hidden", b"hidden", b"hidden", "c"),
    )

    assert [repr(record) for record in records if "hidden" in repr(record)] == []
    assert repr(address) == "ClusterAddress(api_address='https://a:8200')"
