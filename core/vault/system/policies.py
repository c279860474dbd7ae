"""`sys/policies/acl` and the older `sys/policy`: list, show, write and delete policies.

Owns how clients spell a policy. Must not know its grammar, nor how policies are kept.
"""

import base64
import binascii
from typing import Final

from core.barrier.names import PathTooLong
from core.engines.call import RequestError
from core.vault import fields
from core.vault.context import Context
from core.vault.policy import DEFAULT_NAME, IMMUTABLE_NAMES, ROOT, PolicyError
from core.vault.reply import Reply, listing
from core.vault.routes import Route


def _names(context: Context) -> list[str]:
    return [*context.services.policies.names(context.transaction), ROOT.name]


def _list(context: Context) -> Reply:
    return listing(_names(context))


def _list_as_before(context: Context) -> Reply:
    names = _names(context)
    return Reply(data={"keys": names, "policies": names}, repeated=True)


def _text(context: Context) -> tuple[str, str]:
    name = context.argument.lower()
    text = context.services.policies.get_text(context.transaction, name)
    if text is None:
        raise RequestError(404)
    return name, text


def _read(context: Context) -> Reply:
    name, text = _text(context)
    return Reply(data={"name": name, "policy": text})


def _read_as_before(context: Context) -> Reply:
    name, text = _text(context)
    return Reply(data={"name": name, "rules": text}, repeated=True)


def _write(context: Context) -> Reply:
    name = context.argument.lower()
    sent = fields.text(context.body, "policy") or fields.text(context.body, "rules")
    if not sent:
        raise RequestError(400, "'policy' parameter not supplied or empty")
    if name in IMMUTABLE_NAMES:
        raise RequestError(400, f'cannot update "{name}" policy')
    try:
        context.services.policies.put(context.transaction, name, _decoded(sent))
    except (PolicyError, PathTooLong) as error:
        raise RequestError(400, str(error)) from None
    return Reply()


def _delete(context: Context) -> Reply:
    name = context.argument.lower()
    if name in IMMUTABLE_NAMES:
        raise RequestError(400, f'cannot delete "{name}" policy')
    if name == DEFAULT_NAME:
        raise RequestError(400, "cannot delete default policy")
    context.services.policies.delete(context.transaction, name)
    return Reply()


def _decoded(sent: str) -> str:
    """Return what base64 text stands for, and any other text as it is.

    No policy is base64 text by itself: it has blanks or quotation marks.
    """
    try:
        return base64.b64decode("".join(sent.split("\n")), validate=True).decode()
    except (binascii.Error, ValueError):
        return sent


ROUTES: Final = (
    Route("sys/policies/acl", reads={"list": _list}),
    Route(
        "sys/policies/acl/*", reads={"read": _read}, writes={"update": _write, "delete": _delete}
    ),
    Route("sys/policy", reads={"read": _list_as_before, "list": _list_as_before}),
    Route(
        "sys/policy/*",
        reads={"read": _read_as_before},
        writes={"update": _write, "delete": _delete},
    ),
)
