"""`sys/rotate` and `sys/key-status`: the terms of the keyrings.

Owns how a rotation is stored: new keyrings, sealed under the root key, in one write. Each node
takes them up when that write is applied to it.
"""

from typing import Final

from core.barrier.keyring import ROTATE_AFTER_ENCRYPTIONS_MAX, TermsExhausted
from core.barrier.seal import open_keyrings, seal_keyrings
from core.check import InvariantBroken
from core.engines.call import RequestError
from core.store.reader import Writer
from core.vault.context import Context
from core.vault.encryptions import encryptions
from core.vault.joining import KEYRING_KEY
from core.vault.reply import Reply
from core.vault.rfc3339 import format_ns
from core.vault.routes import Route
from core.vault.services import Services


def rotate(services: Services, transaction: Writer, wall_ns: int) -> None:
    """Store keyrings with one more term.

    Raises:
        TermsExhausted: there are too many terms.
    """
    # Not the barrier's keyrings: another rotation may be on its way.
    sealed = transaction.get(KEYRING_KEY)
    if sealed is None:
        raise InvariantBroken("an unsealed node has no keyrings in its store")
    keyrings = open_keyrings(services.root_key, sealed).rotated(services.entropy, wall_ns)
    transaction.put(KEYRING_KEY, seal_keyrings(services.root_key, keyrings, services.entropy))


def count_encryptions(services: Services, transaction: Writer, wall_ns: int) -> None:
    """Keep the count of encryptions ahead of what was sealed; rotate when there were too many.

    The leader does this as part of its upkeep.
    """
    count = services.encryptions.reserve(services.barrier, transaction)
    if count >= ROTATE_AFTER_ENCRYPTIONS_MAX:
        rotate(services, transaction, wall_ns)


def _rotate(context: Context) -> Reply:
    try:
        rotate(context.services, context.transaction, context.wall_ns)
    except TermsExhausted as error:
        raise RequestError(400, str(error)) from None
    return Reply()


def _read_status(context: Context) -> Reply:
    # Both keyrings rotate together.
    active = context.services.barrier.keyrings.cluster.active
    return Reply(
        data={
            "term": active.number,
            "install_time": format_ns(active.installed_ns),
            "encryptions": encryptions(context.transaction, active.number),
        },
        repeated=True,
    )


ROUTES: Final = (
    Route("sys/key-status", reads={"read": _read_status}),
    Route("sys/rotate", writes={"update": _rotate}),
)
