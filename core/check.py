"""Invariants that stay on in production.

Three families of failure are told apart by who is to blame. A caller's fault is a
`core.vault.errors.RequestError`; a peer's fault is dropped and counted; ours is
`InvariantBroken`, which stops the node at once so that it can recover from its peers.
"""


class InvariantBroken(Exception):
    """This node can no longer trust its own state and must stop."""


def check(condition: object, message: str) -> None:
    """Raise `InvariantBroken` unless `condition` holds."""
    if not condition:
        raise InvariantBroken(message)
