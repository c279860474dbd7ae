"""What is stored of a token."""

import msgspec


class TokenEntry(msgspec.Struct, frozen=True, array_like=True):
    """One token; its id is stored nowhere, only a keyed hash of it.

    Attributes:
        name: the keyed hash of the token, in hex: its name in the storage.
        accessor: names the token without giving it away.
        policies: sorted; `root` stands alone.
        path: where it was created, such as `auth/token/create`.
        display_name: for audit records.
        metadata: what was attached to it, or None.
        created_ns: the wall clock when it was created.
        renewed_ns: when it was renewed last; 0 if never.
        expires_ns: when it expires; 0 if never.
        ttl_s: seconds that it was created for; 0 if for ever.
        explicit_max_ttl_s: it can't live longer than this, whatever else says; 0 if unlimited.
        period_s: each renewal is for this long; 0 if it is not periodic.
        uses_left: how often it may still be used; 0 if without limit, `SPENT` if not at all.
        renewable: it may be renewed.
        parent: the name of the token that created it; empty for an orphan.
        type: `service`.
    """

    name: str
    accessor: str
    policies: tuple[str, ...]
    path: str
    display_name: str
    metadata: dict[str, str] | None
    created_ns: int
    renewed_ns: int
    expires_ns: int
    ttl_s: int
    explicit_max_ttl_s: int
    period_s: int
    uses_left: int
    renewable: bool
    parent: str
    type: str = "service"

    @property
    def is_root(self) -> bool:
        """Whether it holds the root policy."""
        return self.policies == ("root",)


SPENT = -1
"""`uses_left` of a token whose last use is under way."""
