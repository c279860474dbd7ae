"""Headers that ask for what Holdfast does not have.

Owns their refusal. To ignore them would mislead: an answer that was to be wrapped would leave in
the clear, and the path of another namespace would be looked up in the only one there is.
"""

from collections.abc import Mapping
from typing import Final

from core.engines.call import RequestError
from core.vault.duration import parse_duration_s

NAMESPACE: Final = "x-vault-namespace"
WRAP_TTL: Final = "x-vault-wrap-ttl"

_ROOT_NAMESPACES: Final = frozenset({"", "root"})


def refuse_unsupported(headers: Mapping[str, str]) -> None:
    """Let pass what can be answered as it was asked.

    Raises:
        RequestError: 400, it was to be in a namespace other than the root, or to be wrapped.
    """
    if headers.get(NAMESPACE, "").strip("/") not in _ROOT_NAMESPACES:
        raise RequestError(400, "namespaces are not supported: leave X-Vault-Namespace out")
    wrap_ttl = headers.get(WRAP_TTL)
    if wrap_ttl and _seconds(wrap_ttl):
        raise RequestError(400, "response wrapping is not supported: leave X-Vault-Wrap-TTL out")


def _seconds(wrap_ttl: str) -> int:
    """Return for how long the answer is to be wrapped; 0 if it is not."""
    try:
        seconds = parse_duration_s(wrap_ttl)
    except ValueError as error:
        raise RequestError(400, f"error parsing X-Vault-Wrap-TTL header: {error}") from None
    if seconds < 0:
        raise RequestError(
            400, "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative"
        )
    return seconds
