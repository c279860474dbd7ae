"""What the system's own paths hand back: an engine's result, and what only the system may say."""

from typing import Any

import msgspec

from core.engines.call import Result


class Auth(msgspec.Struct, frozen=True):
    """The `auth` object of an answer that hands out or renews a token.

    Attributes:
        client_token: the token itself.
        accessor: its accessor.
        policies: all policies, sorted.
        metadata: what was attached to it, or None.
        lease_duration_s: seconds that it is good for; 0 if for ever.
        renewable: it may be renewed.
        orphan: it has no parent.
        num_uses: how often it may be used; 0 if without limit.
        display_name: for audit records.
    """

    client_token: str
    accessor: str
    policies: tuple[str, ...]
    metadata: dict[str, str] | None
    lease_duration_s: int
    renewable: bool
    orphan: bool
    num_uses: int
    display_name: str = ""

    def __repr__(self) -> str:
        """Name the policies and leave out the token, which must reach no log."""
        return f"Auth(policies={self.policies!r})"


class Seal(msgspec.Struct, frozen=True):
    """Seal this node."""


class StepDown(msgspec.Struct, frozen=True):
    """Hand leadership over."""


class RemovePeer(msgspec.Struct, frozen=True):
    """Remove a member, named by its label or its node id."""

    server_id: str


class AddLearner(msgspec.Struct, frozen=True):
    """Admit a member that has proved possession of the seal.

    Attributes:
        node: its node id.
        name: its label.
        cluster_address: where its peers reach it.
        api_address: where its clients reach it.
        stays_learner: it is never to vote.
    """

    node: str
    name: str
    cluster_address: str
    api_address: str
    stays_learner: bool


Action = Seal | StepDown | RemovePeer | AddLearner
"""What a request asks of the node itself, beyond the store."""


class Reply(Result):
    """A `Result` of the system's own paths.

    Attributes:
        auth: a token that is handed out.
        repeated: the keys of `data` also stand at the top level, as older clients expect.
        bare: `data` is the whole body, without an envelope.
        action: what the node is to do besides.
    """

    auth: Auth | None = None
    repeated: bool = False
    bare: bool = False
    action: Action | None = None


def listing(keys: list[str], **more: Any) -> Reply:  # noqa: ANN401 -- any JSON value
    """Return the reply to a LIST; Vault answers 404 when there is nothing."""
    return Reply(data={"keys": keys, **more}) if keys else Reply(status=404)
