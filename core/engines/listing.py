"""What a LIST answers: all names in a directory, or a page of them.

Owns the parameters `limit` and `after`, which OpenBao has as well, and what is said about a
directory that is too large for one answer. Must not know whose names they are.
"""

from collections.abc import Mapping
from typing import Final

from core.barrier.storage import LIST_MAX, ListTooLong, Storage
from core.engines.call import RequestError

_DIGITS_MAX: Final = 9


def names(storage: Storage, directory: str, parameters: Mapping[str, str]) -> list[str]:
    """Return the names in a directory that a LIST with these parameters asks for.

    All of them are sorted. A page of at most `limit` names, which begins behind the name `after`,
    is in the order of the store, as sealed names have no other; to go on after its last name
    until a page is short or missing gives each name once.

    Raises:
        RequestError: 400, a parameter makes no sense, or there are more than `LIST_MAX` names
            and no page is asked for.
        PathTooLong: no such names can be.
    """
    limit = _limit(parameters.get("limit", ""))
    after = parameters.get("after") or None
    if limit or after is not None:
        return storage.list_page(directory, after, limit or LIST_MAX)
    try:
        return storage.list(directory)
    except ListTooLong as refusal:
        raise RequestError(400, f"{refusal}; ask for pages by `limit` and `after`") from None


def _limit(text: str) -> int:
    """Return the length of a page; 0 if none is asked for."""
    if not text:
        return 0
    limit = int(text) if text.isdecimal() and len(text) <= _DIGITS_MAX else LIST_MAX + 1
    if limit > LIST_MAX:
        raise RequestError(400, f"limit must be a whole number of at most {LIST_MAX}")
    return limit
